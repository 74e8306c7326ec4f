//! A customer uploads a file of mailboxes.

use std::net::SocketAddr;
use std::time::Duration;

use e2e_tests::{Deployment, Plan, Tenant, eventually, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Greeting, Listener, Protocol, Reply, ScriptedServer};
use mail_lab::{Dovecot, DovecotOptions};
use serde_json::{Value, json};

use crate::setup;

const PASSWORD: &str = "s3same, \"op\" {en}:%u";
const HEADER: &str = "Email,Password,SMTPhost,SMTPport,SMTPsecure,IMAPhost,IMAPport\n";

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

fn row(email: &str, password: &str, smtp: SocketAddr, imap: SocketAddr) -> String {
    let (host, other_host) = (smtp.ip(), imap.ip());
    format!("{email},{},{host},{},true,{other_host},{}\n", quoted(password), smtp.port(), imap.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_a_real_mail_server() {
    let users: Vec<String> = (0..24).map(|n| format!("user{n}@example.test")).collect();
    let accounts: Vec<(&str, &str)> = users.iter().map(|user| (user.as_str(), PASSWORD)).collect();
    let dovecot = Dovecot::start(DovecotOptions::users(&accounts)).unwrap();
    let (smtp, imap) = (dovecot.addr(Listener::SmtpStarttls), dovecot.addr(Listener::ImapImplicit));
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let known = tenant.api.add(&mailbox(&users[0], PASSWORD, smtp, imap)).await;
    tenant.api.active(&known).await;

    let mut file = HEADER.to_owned();
    users.iter().for_each(|user| file += &row(user, PASSWORD, smtp, imap));
    file += &row("stranger@example.test", PASSWORD, smtp, imap);
    file += &row(&users[1].to_uppercase(), PASSWORD, smtp, imap);
    file += &row(&users[2], "wrong", smtp, imap);
    file += "no address,x,smtp.lab.test,,,imap.lab.test,\n";
    file += "no-password@example.test,,smtp.lab.test,,,imap.lab.test,\n";
    let reply = tenant.api.import(&file, &[("tag", " spring "), ("skipConnectionTest", "FALSE")]).await;
    let data = reply.data(200);
    assert_eq!((&data["imported"], &data["skipped"], &data["failed"]), (&json!(23), &json!(3), &json!(3)), "{data}");
    let told: Vec<[&str; 3]> = data["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| ["email", "error", "code"].map(|member| error[member].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["stranger@example.test", "Authentication failed. Check username/password.", "AUTH_BAD_CREDENTIALS"],
            ["no address", "Invalid email address", "CFG_EMAIL_INVALID"],
            ["no-password@example.test", "Missing SMTP host or password", "CFG_FIELD_MISSING"],
        ]
    );
    assert_eq!(tenant.api.count("status=active&sendingEnabled=true&tags=spring").await, 23);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 24);
    // Nobody signs in twice: once for SMTP here, once for IMAP afterwards.
    dovecot.wait_login_log(|log| users[1..].iter().all(|user| log.accepted(Protocol::Imap, user) == 1)).await;
    let log = dovecot.login_log();
    assert!(users.iter().all(|user| log.accepted(Protocol::Smtp, user) == 1), "each once");

    let id = reply.headers["x-import-id"].to_str().unwrap();
    let again = tenant.api.get(&format!("/v1/mailboxes/import/{id}")).await;
    let again = again.data(200);
    for member in ["imported", "skipped", "failed", "errors"] {
        assert_eq!(again[member], data[member], "{member}");
    }
    assert_eq!((&again["status"], &again["total"]), (&json!("finished"), &json!(29)));
    corrected_rows_are_imported(&tenant, id).await;
}

/// Takes the file of failed rows, fills in a password that is no better, and uploads it.
async fn corrected_rows_are_imported(tenant: &Tenant, id: &str) {
    let failed = tenant.api.get(&format!("/v1/mailboxes/import/{id}/failed.csv")).await;
    assert_eq!((failed.status, failed.text.lines().count()), (200, 4), "{}", failed.text);
    assert!(!failed.text.contains("s3same"));
    let corrected = failed.text.replace("stranger@example.test,,", "stranger@example.test,another try,");
    let reply = tenant.api.import(&corrected, &[]).await;
    let data = reply.data(200);
    assert_eq!((&data["imported"], &data["failed"]), (&json!(0), &json!(3)), "{data}");
    assert_eq!(data["errors"][0]["code"], "AUTH_BAD_CREDENTIALS", "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn imap_is_looked_at_afterwards_and_deletes_nothing() {
    let server = ScriptedServer::builder().account("dana@example.test", "right").start().unwrap();
    let refusing =
        Behaviour { auth: Auth::Sequence(vec!["NO [AUTHENTICATIONFAILED] no".into()]), ..Behaviour::default() };
    server.set(Listener::IMAP, refusing);
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let (smtp, imap) = (server.addr(Listener::SmtpImplicit), server.addr(Listener::ImapImplicit));
    let reply = tenant.api.import(&format!("{HEADER}{}", row("dana@example.test", "right", smtp, imap)), &[]).await;
    assert_eq!(reply.data(200)["imported"], 1, "{}", reply.text);
    let item = eventually("the note about IMAP", || async {
        let item = tenant.api.list("").await["data"][0].clone();
        if item["lastError"].is_string() { Ok(item) } else { Err(item.to_string()) }
    })
    .await;
    assert_eq!(item["status"], "active");
    assert_eq!(
        server.logins(Protocol::Imap, "dana@example.test").attempts,
        1,
        "a refused password is not offered again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_test_nobody_is_dialled() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let rows: String = (0..30).map(|n| row(&format!("user{n}@example.test"), "x", smtp, imap)).collect();
    let reply = tenant.api.import(&format!("{HEADER}{rows}"), &[("skipConnectionTest", "true")]).await;
    assert_eq!(reply.data(200)["imported"], 30, "{}", reply.text);
    assert_eq!(tenant.api.count("status=pending&sendingEnabled=false").await, 30);
    assert_eq!(server.stats().connections(), 0);
    // Verified when it is to send.
    let id = tenant.api.list("limit=1").await["data"][0]["_id"].as_str().unwrap().to_owned();
    assert_eq!(tenant.api.connection_test(&id).await, json!({"status": "pending"}));
    tenant.api.patch(&format!("/v1/mailboxes/{id}"), &json!({"sendingEnabled": true})).await.data(200);
    tenant.api.active(&id).await;
}

/// A server that takes its time: verifications of it last a second and more.
fn slow_server(delay: u64) -> ScriptedServer {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    server.set(Listener::ALL, Behaviour { reply_delay: Duration::from_millis(delay), ..Behaviour::default() });
    server
}

fn many(server: &ScriptedServer, name: &str, count: usize) -> String {
    let (smtp, imap) = (server.addr(Listener::SmtpImplicit), server.addr(Listener::ImapImplicit));
    let rows: String = (0..count).map(|n| row(&format!("{name}{n}@example.test"), "x", smtp, imap)).collect();
    format!("{HEADER}{rows}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_mailbox_overtakes_an_import() {
    let server = slow_server(100);
    let system = setup().with("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", 100).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let import = tenant.api.start_import(&many(&server, "user", 140)).await;
    eventually("the import to be at work", || async {
        if server.stats().connections() > 0 { Ok(()) } else { Err("no connections".to_owned()) }
    })
    .await;
    let (smtp, imap) = (server.addr(Listener::SmtpImplicit), server.addr(Listener::ImapImplicit));
    let single = tenant.api.add(&mailbox("single@example.test", "x", smtp, imap)).await;
    tenant.api.active(&single).await;
    let progress = tenant.api.get(&format!("/v1/mailboxes/import/{import}")).await.data(200).clone();
    assert_eq!(progress["status"], "running", "{progress}");
    assert!(progress["processed"].as_i64().unwrap() < 100, "{progress}");
    tenant.api.import_finished(&import).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rows_of_an_import_are_tried_at_once() {
    let server = ScriptedServer::builder().start().unwrap();
    server.set(Listener::SMTP, Behaviour { greeting: Greeting::Scripted(Reply::Silent), ..Behaviour::default() });
    let system = setup().with("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", 100).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let file = many(&server, "user", 50);
    for lanes in [20, 40] {
        let import = tenant.api.start_import(&file.replace("user", &format!("of{lanes}-"))).await;
        let connections = || server.stats().connections();
        eventually("twenty more connections", || async {
            if connections() == lanes { Ok(()) } else { Err(format!("{} connections", connections())) }
        })
        .await;
        // All of them wait for a greeting; a row too many would have come by now.
        let progress = tenant.api.get(&format!("/v1/mailboxes/import/{import}")).await;
        assert_eq!((&progress.data(200)["processed"], connections()), (&json!(0), lanes));
    }
}

/// Follows the events of an import to their end; the names of the events and the data of the last.
async fn watched(system: &Deployment, tenant: &Tenant, import: &str) -> (Vec<String>, Value) {
    let request = tenant.api.request(reqwest::Method::GET, &format!("/v1/mailboxes/import/{import}/events"));
    let reply = tenant.api.send(request).await.unwrap_or_else(|error| panic!("{error}\n{}", system.log()));
    assert_eq!((reply.status, &reply.headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
    let lines = |name: &'static str| reply.text.lines().filter_map(move |line| line.strip_prefix(name));
    let last = lines("data: ").next_back().unwrap();
    (lines("event: ").map(str::to_owned).collect(), serde_json::from_str(last).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_as_it_happens() {
    let server = slow_server(20);
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let import = tenant.api.start_import(&many(&server, "user", 100)).await;
    let (names, last) = watched(&system, &tenant, &import).await;
    assert_eq!((names.last().map(String::as_str), &last["imported"]), (Some("finished"), &json!(100)));
    assert!(names.len() > 1 && names[..names.len() - 1].iter().all(|name| name == "progress"), "{names:?}");
    // Afterwards only the end is left to report.
    assert_eq!(watched(&system, &tenant, &import).await.0, ["finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_hangs_up_stops_nothing() {
    let server = slow_server(20);
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let waiting = tenant.api.upload(&many(&server, "user", 60), &[]).timeout(Duration::from_millis(400));
    assert!(tenant.api.send(waiting).await.unwrap_err().is_timeout());
    eventually("all rows", || async {
        match tenant.api.count("status=active").await {
            60 => Ok(()),
            count => Err(format!("{count} of 60")),
        }
    })
    .await;
}

/// A client that waits for work that goes on without it gets an answer that says so when the system stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_stops_keeps_nobody_waiting() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let busy = Behaviour { auth: Auth::Scripted("454 4.7.0 Try again".into()), ..Behaviour::default() };
    server.set(Listener::SMTP, busy);
    let mut system = setup().with("MAILMOOR__VERIFIER__RETRY_BASE_MS", 60_000).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let (coldsend, _) = system.coldsend(&tenant).await;
    let import = tenant.api.start_import(&many(&server, "watched", 3)).await;
    let (smtp, imap) = (server.addr(Listener::SmtpImplicit), server.addr(Listener::ImapImplicit));
    let account = json!({
        "email_address": "kim@example.test", "display_name": "Kim", "inbox_type": "CUSTOM_SMTP",
        "smtp_host": smtp.ip().to_string(), "smtp_port": smtp.port(), "smtp_username": "kim", "smtp_password": "x",
        "imap_host": imap.ip().to_string(), "imap_port": imap.port(), "imap_username": "kim", "imap_password": "x",
    });
    let requests = [
        tenant.api.upload(&many(&server, "waited-for", 3), &[]),
        tenant.api.request(reqwest::Method::GET, &format!("/v1/mailboxes/import/{import}/events")),
        coldsend.request(reqwest::Method::POST, "/api/public/v1/sender-accounts/smtp").json(&account),
    ];
    let waiting = requests.map(|request| {
        let api = tenant.api.clone();
        tokio::spawn(async move { api.send(request).await.unwrap() })
    });
    // Each was tried once, and waits for a second try.
    server.wait_until(|stats| stats.total_logins(Protocol::Smtp).attempts == 7).await;
    system.terminate().await;
    let mut replies = vec![];
    for reply in waiting {
        replies.push(reply.await.unwrap());
    }
    assert_eq!((replies[0].status, &replies[0].data(202)["status"]), (202, &json!("running")));
    assert!(replies[0].headers.contains_key("x-import-id"));
    assert!(replies[1].status == 200 && replies[1].text.starts_with("event: progress"), "{}", replies[1].text);
    assert_eq!(
        (replies[2].status, &replies[2].body["overall_status"]),
        (201, &json!("PENDING")),
        "{}",
        replies[2].text
    );
    // All of it goes on.
    server.set(Listener::SMTP, Behaviour::default());
    system.restart().await;
    assert_eq!(tenant.api.get(&format!("/v1/mailboxes/import/{import}")).await.data(200)["status"], "running");
}

const ROWS: usize = 200;
/// Rows of one import in work at once.
const LANES: u64 = 20;
const KILLS: u64 = 3;

/// Every tenth has a wrong password.
fn is_wrong(number: usize) -> bool {
    number % 10 == 7
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_row_and_imports_none_twice() {
    let email = |number: usize| format!("user{number}@example.test");
    let mut builder = ScriptedServer::builder();
    for number in 0..ROWS {
        builder = builder.account(&email(number), if is_wrong(number) { "another" } else { "right" });
    }
    let server = builder.start().unwrap();
    server.set(Listener::ALL, Behaviour { reply_delay: Duration::from_millis(30), ..Behaviour::default() });
    let (smtp, imap) = (server.addr(Listener::SmtpImplicit), server.addr(Listener::ImapImplicit));
    let rows: String = (0..ROWS).map(|n| row(&email(n), "right", smtp, imap)).collect();

    let mut system = setup().start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let import = tenant.api.start_import(&format!("{HEADER}{rows}")).await;
    for kill in 1..=KILLS {
        let enough = i64::try_from(kill).unwrap() * 40;
        eventually("some rows", || async {
            let reply = tenant.api.get(&format!("/v1/mailboxes/import/{import}")).await;
            if reply.data(200)["processed"].as_i64().unwrap() >= enough { Ok(()) } else { Err(reply.text) }
        })
        .await;
        system.kill9().await;
        system.restart().await;
    }
    let end = tenant.api.import_finished(&import).await;
    let wrong = (0..ROWS).filter(|number| is_wrong(*number)).count();
    assert_eq!((&end["imported"], &end["failed"], &end["skipped"]), (&json!(ROWS - wrong), &json!(wrong), &json!(0)));
    let told: Vec<&str> =
        end["errors"].as_array().unwrap().iter().map(|error| error["email"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..ROWS).filter(|number| is_wrong(*number)).map(email).collect();
    assert_eq!(told, expected, "in the order of the file");
    assert_eq!(tenant.api.count("status=active").await, (ROWS - wrong) as i64);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, (ROWS - wrong) as i64);
    let attempts: u64 = (0..ROWS).map(|n| server.logins(Protocol::Smtp, &email(n)).attempts).sum();
    let most = ROWS as u64 + KILLS * LANES;
    assert!((ROWS as u64..=most).contains(&attempts), "{attempts}: only logins in flight at a kill are made again");
}
