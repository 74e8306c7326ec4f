//! A customer of ColdSend moves over.

use e2e_tests::{Client, Plan, eventually};
use mail_lab::scripted::{Auth, Listener, Protocol, Reply, ScriptedServer};
use mail_lab::{Dovecot, DovecotOptions};
use serde_json::{Value, json};

use crate::setup;

const BASE: &str = "/api/public/v1/sender-accounts";
const PASSWORD: &str = "p\"w\\d {x}:%u";

fn account(email: &str, password: &str, (smtp, imap): (std::net::SocketAddr, std::net::SocketAddr)) -> Value {
    json!({
        "email_address": email, "display_name": "Kim Vale", "inbox_type": "CUSTOM_SMTP",
        "smtp_host": smtp.ip().to_string(), "smtp_port": smtp.port(), "smtp_username": email.to_lowercase(),
        "smtp_password": password, "imap_host": imap.ip().to_string(), "imap_port": imap.port(),
        "imap_username": email.to_lowercase(), "imap_password": password, "daily_limit": 40,
    })
}

async fn create(api: &Client, body: &Value) -> e2e_tests::Reply {
    api.post(&format!("{BASE}/smtp"), body).await
}

async fn listed(api: &Client, query: &str) -> Vec<String> {
    let reply = api.get(&format!("{BASE}?{query}")).await;
    let accounts = reply.body["sender_accounts"].as_array().unwrap_or_else(|| panic!("{}", reply.text));
    accounts.iter().map(|account| account["email_address"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_a_real_mail_server() {
    let users = ["kim@example.test", "lou@example.test", "max@example.test"];
    let dovecot = Dovecot::start(DovecotOptions::users(&users.map(|user| (user, PASSWORD)))).unwrap();
    let servers = (dovecot.addr(Listener::SmtpStarttls), dovecot.addr(Listener::ImapImplicit));
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let (api, _) = system.coldsend(&tenant).await;

    let made = create(&api, &account("Kim@Example.test", PASSWORD, servers)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["inbox_id"].as_str().unwrap().to_owned();
    for (member, expected) in [
        ("success", json!(true)),
        ("message", json!("SMTP inbox created successfully")),
        ("email_address", json!("Kim@Example.test")),
        ("overall_status", json!("ACTIVE")),
        ("daily_limit", json!(40)),
    ] {
        assert_eq!(made.body[member], expected, "{member}");
    }
    let again = create(&api, &account("kim@example.test", PASSWORD, servers)).await;
    assert_eq!((again.status, &again.body["detail"]), (409, &json!("Email account already exists")));
    let refused = create(&api, &account("lou@example.test", "wrong", servers)).await;
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(refused.status == 400 && detail.starts_with("SMTP connection failed: "), "{}", refused.text);
    assert_eq!(listed(&api, "").await, ["Kim@Example.test"], "nothing is left of the refused one");
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 1);

    // The same mailbox in the other dialect of the workspace.
    let item = tenant.api.list("").await["data"][0].clone();
    assert_eq!((&item["email"], &item["status"]), (&json!("kim@example.test"), &json!("active")));
    assert_ne!(item["_id"], json!(id));

    // A real message arrives where the server relays it to.
    let sent = api.post(&format!("{BASE}/{id}/test-email"), &json!({"recipient_email": "someone@lab.test"})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let mails = dovecot.relay().stats().messages;
    let [mail] = &mails.iter().collect::<Vec<_>>()[..] else { panic!("{mails:?}") };
    assert_eq!((mail.from.as_str(), &mail.to[..]), ("kim@example.test", &["someone@lab.test".to_owned()][..]));
    assert!(String::from_utf8_lossy(&mail.data).contains(sent.body["message_id"].as_str().unwrap()));
    let account_now = api.get(&format!("{BASE}/{id}")).await;
    assert_eq!(account_now.body["sent_today"], 1, "{}", account_now.text);

    let rows =
        [account(users[1], PASSWORD, servers), account(users[2], "wrong", servers), account(users[0], "x", servers)];
    let bulk = api.post(&format!("{BASE}/smtp/bulk"), &json!({"inboxes": rows})).await;
    assert_eq!((bulk.status, &bulk.body["total"]), (201, &json!(3)), "{}", bulk.text);
    let job = api.coldsend_job(&format!("{BASE}/smtp/bulk/{}/progress", bulk.body["job_id"].as_str().unwrap())).await;
    let results: Vec<(&str, bool)> = job["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["email_address"].as_str().unwrap(), row["success"].as_bool().unwrap()))
        .collect();
    assert_eq!(results, [(users[1], true), (users[2], false), (users[0], false)]);
    assert_eq!(
        listed(&api, "status=ACTIVE&sort_by=email_address&sort_order=asc").await,
        ["Kim@Example.test", users[1]]
    );

    let lou = job["results"][0]["inbox_id"].as_str().unwrap();
    let gone = api.delete(&format!("{BASE}/{lou}")).await;
    assert_eq!((gone.status, &gone.body["inbox_id"]), (200, &json!(lou)));
    let all = json!({"inbox_ids": [id, lou], "confirm_deletion": true});
    let bulk = api.post(&format!("{BASE}/bulk/delete"), &all).await;
    let progress = format!("{BASE}/bulk/delete/{}/progress", bulk.body["job_id"].as_str().unwrap());
    let job = api.coldsend_job(&progress).await;
    assert_eq!((&job["success_count"], &job["skipped_count"]), (&json!(1), &json!(1)), "{job}");
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 0);
}

/// Servers that do not answer in time: the account is there and settled later, whatever comes out.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_pending_and_stays() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let first = |then: &str| Auth::Sequence(vec!["454 4.7.0 Try again".into(), then.into()]);
    server.set_auth(Protocol::Smtp, "kim@example.test", first("235 2.7.0 Go ahead"));
    server.set_auth(Protocol::Smtp, "lou@example.test", first("535 5.7.8 No"));
    let system = setup()
        .with("MAILMOOR__HTTP__VERIFICATION_WAIT_MS", 300)
        .with("MAILMOOR__VERIFIER__RETRY_BASE_MS", 1500)
        .start()
        .await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let (api, _) = system.coldsend(&tenant).await;
    let servers = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    for (email, end) in [("kim@example.test", "ACTIVE"), ("lou@example.test", "DISABLED")] {
        let made = create(&api, &account(email, "right", servers)).await;
        assert_eq!((made.status, &made.body["overall_status"]), (201, &json!("PENDING")), "{}", made.text);
        let path = format!("{BASE}/{}", made.body["inbox_id"].as_str().unwrap());
        let account = eventually("the end of the verification", || async {
            let reply = api.get(&path).await;
            if reply.body["overall_status"] == end { Ok(reply.body) } else { Err(reply.text) }
        })
        .await;
        assert_eq!(account["last_error"].is_string(), end == "DISABLED", "{account}");
    }
}

/// A customer who goes away while the logins are tried has no answer, so a refusal leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_hangs_up_leaves_nothing_bad_behind() {
    let server = ScriptedServer::builder().account("kim@example.test", "right").start().unwrap();
    server.set_auth(Protocol::Smtp, "kim@example.test", Auth::Scripted(Reply::Silent));
    let system = setup().with("MAILMOOR__VERIFIER__LEG_TIMEOUT_MS", 1500).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let (api, _) = system.coldsend(&tenant).await;
    let servers = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let body = account("kim@example.test", "wrong", servers);
    let waiting = api.request(reqwest::Method::POST, &format!("{BASE}/smtp")).json(&body);
    let waiting = tokio::spawn({
        let api = api.clone();
        async move { api.send(waiting.timeout(std::time::Duration::from_secs(1))).await.is_err() }
    });
    server.wait_until(|stats| stats.logins(Protocol::Smtp, "kim@example.test").attempts == 1).await;
    assert!(waiting.await.unwrap());
    server.clear_auth(Protocol::Smtp, "kim@example.test");
    eventually("nothing to be left", || async {
        let left = listed(&api, "").await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 0);
}
