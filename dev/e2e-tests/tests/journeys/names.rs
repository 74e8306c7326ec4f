//! DNS: where mail servers are found, and the report on the records of a customer's domain.

use std::net::IpAddr;

use e2e_tests::{Client, Plan, mailbox};
use mail_lab::scripted::{Listener, Protocol, ScriptedServer};
use mail_lab::{DnsFault, DnsFront, Knot, free_loopback};
use serde_json::{Value, json};

use crate::setup;

const DKIM: &str = "v=DKIM1; k=ed25519; p=zcMY7ptyww1/PohVWcbpn0zD0uz5NK0aIkvPUvQrUB4=";

/// `example.test` has everything, `bare.test` exists and has nothing. `mail.example.test` is the mail server.
fn zones(mail: IpAddr) -> Knot {
    let good = format!(
        "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 203.0.113.1\nmx2 A 203.0.113.2\nmail A {mail}\n\
         @ TXT \"v=spf1 mx -all\"\n_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:d@example.test\"\n\
         selector1._domainkey TXT \"{DKIM}\"\n"
    );
    // `test` is there because DMARC is looked for up to the top (RFC 9989 section 4.10).
    Knot::start(&[("example.test", &good), ("bare.test", "www A 203.0.113.3\n"), ("test", "")]).unwrap()
}

fn server() -> ScriptedServer {
    ScriptedServer::builder().accept_all().ip(free_loopback()).start().unwrap()
}

/// A mailbox whose servers are found by name.
fn at_mail_example_test(email: &str, server: &ScriptedServer) -> Value {
    let mut body = mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    body["smtp"]["host"] = json!("mail.example.test");
    body["imap"]["host"] = json!("mail.example.test");
    body
}

fn statuses(parts: &Value) -> [&str; 4] {
    ["mx", "spf", "dkim", "dmarc"].map(|part| parts[part]["status"].as_str().unwrap())
}

async fn checked(api: &Client, body: &Value) -> (Value, Value) {
    let id = api.add(body).await;
    let health = api.health(&id).await;
    let mailbox = api.active(&id).await;
    assert_eq!(statuses(&mailbox["setupStatus"]), statuses(&health["dns"]));
    assert_eq!(mailbox["setupStatus"]["healthScore"], health["dns"]["healthScore"]);
    (mailbox, health["dns"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_domain_are_found_and_shown() {
    let server = server();
    let knot = zones(server.addr(Listener::SmtpStarttls).ip());
    let system = setup().with("MAILMOOR__DNS__SERVERS", knot.addr()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;

    let (mailbox, dns) = checked(&api, &at_mail_example_test("dana@example.test", &server)).await;
    assert_eq!(statuses(&dns), ["pass"; 4], "{dns}");
    assert_eq!(dns["healthScore"], 100);
    let records =
        json!([{"exchange": "mx1.example.test", "priority": 10}, {"exchange": "mx2.example.test", "priority": 20}]);
    assert_eq!(dns["mx"]["records"], records);
    assert_eq!(dns["spf"]["record"], "v=spf1 mx -all");
    assert_eq!((&dns["dkim"]["selector"], &dns["dkim"]["record"]), (&json!("selector1"), &json!(DKIM)));
    assert_eq!(dns["dmarc"]["record"], "v=DMARC1; p=reject; rua=mailto:d@example.test");
    assert!(dns["checkedAt"].is_string(), "{dns}");
    assert_eq!(mailbox["smtpHost"], "mail.example.test");

    // Neither of these domains has a single record, and the second does not even exist.
    for email in ["dana@bare.test", "dana@gone.example.test"] {
        let (_, dns) = checked(&api, &at_mail_example_test(email, &server)).await;
        assert_eq!(statuses(&dns), ["fail"; 4], "{email}: {dns}");
        assert_eq!(dns["healthScore"], 0);
        assert_eq!(dns["mx"]["records"], json!([]));
        assert!(dns["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{dns}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_does_not_answer_is_an_error_and_never_a_failure() {
    let server = server();
    let knot = zones(server.addr(Listener::SmtpStarttls).ip());
    let front = DnsFront::start(knot.addr()).unwrap();
    front.fault_suffix("bare.test", DnsFault::Drop);
    let system =
        setup().with("MAILMOOR__DNS__SERVERS", front.addr()).with("MAILMOOR__DNS__TIMEOUT_MS", 150).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let (mailbox, dns) = checked(&api, &at_mail_example_test("dana@bare.test", &server)).await;
    assert_eq!(statuses(&dns), ["error"; 4], "{dns}");
    assert_eq!(mailbox["status"], "active", "DNS never decides about a mailbox");
    assert!(front.count("bare.test", "MX") >= 2, "a query without answer is repeated");
}

/// Only the IMAP server of this provider is called imap.*, as the customer need not know.
#[tokio::test(flavor = "multi_thread")]
async fn imap_is_found_beside_smtp() {
    let smtp =
        ScriptedServer::builder().accept_all().ip(free_loopback()).listen(Listener::SmtpStarttls).start().unwrap();
    let imap =
        ScriptedServer::builder().accept_all().ip(free_loopback()).listen(Listener::ImapImplicit).start().unwrap();
    let (smtp_addr, imap_addr) = (smtp.addr(Listener::SmtpStarttls), imap.addr(Listener::ImapImplicit));
    let zone = format!("smtp A {}\nimap A {}\n", smtp_addr.ip(), imap_addr.ip());
    let knot = Knot::start(&[("example.test", &zone)]).unwrap();
    let system = setup().with("MAILMOOR__DNS__SERVERS", knot.addr()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;

    let body = json!({"email": "dana@example.test",
        "smtp": {"host": "SMTP.example.test", "port": smtp_addr.port(), "password": "x"}, "imap": {"port": imap_addr.port()}});
    let created = api.create(&body).await.data(201).clone();
    assert_eq!(created["imapHost"], "smtp.example.test", "the first guess");
    let active = api.active(created["_id"].as_str().unwrap()).await;
    assert_eq!((&active["imapHost"], &active["lastError"]), (&json!("imap.example.test"), &json!(null)));
    assert_eq!(imap.logins(Protocol::Imap, "dana@example.test").accepted, 1);
}
