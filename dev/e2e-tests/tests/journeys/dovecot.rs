//! A customer connects mailboxes of a real mail server.

use e2e_tests::{Client, Plan, mailbox};
use mail_lab::scripted::{Listener, Protocol};
use mail_lab::{Dovecot, DovecotOptions, free_loopback};
use serde_json::{Value, json};

use crate::setup;

const DANA: &str = "dana@example.test";
const ERIK: &str = "erik@example.test";
const FAYE: &str = "faye@example.test";
const PASSWORD: &str = "p\"w\\d {x}:%u";

fn options() -> DovecotOptions {
    DovecotOptions::users(&[(DANA, PASSWORD), (ERIK, PASSWORD), (FAYE, PASSWORD)])
}

/// Two ways in: STARTTLS, and TLS from the first byte.
const WAYS: [(Listener, Listener); 2] =
    [(Listener::SmtpStarttls, Listener::ImapStarttls), (Listener::SmtpImplicit, Listener::ImapImplicit)];

async fn becomes_active(api: &Client, body: &Value) -> Value {
    let reply = api.create(body).await;
    let created = reply.data(201);
    assert_eq!((&created["status"], &created["sendingEnabled"]), (&json!("inactive"), &json!(false)));
    assert!(reply.body["message"].as_str().unwrap().starts_with("Mailbox queued for SMTP verification."));
    let active = api.active(created["_id"].as_str().unwrap()).await;
    for member in ["email", "smtpHost", "smtpPort", "smtpSecure", "imapPort", "imapSecure"] {
        assert_eq!(active[member], created[member], "{member}");
    }
    active
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_makes_a_mailbox_active() {
    let dovecot = Dovecot::start(options()).unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    for (email, (smtp, imap)) in [DANA, ERIK].into_iter().zip(WAYS) {
        let body = mailbox(email, PASSWORD, dovecot.addr(smtp), dovecot.addr(imap));
        assert_eq!(becomes_active(&tenant.api, &body).await["lastError"], json!(null));
    }
    assert_eq!(tenant.api.count("status=active&sendingEnabled=true").await, 2);
    dovecot.wait_login_log(|log| [DANA, ERIK].iter().all(|user| log.accepted(Protocol::Imap, user) == 1)).await;
    dovecot.wait_login_log(|log| [DANA, ERIK].iter().all(|user| log.accepted(Protocol::Smtp, user) == 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_ports_need_nothing_but_host_and_password() {
    // On 587, 465, 143 and 993 of an address of its own, which takes root.
    let dovecot = Dovecot::start(DovecotOptions { standard_ports: true, ..options() }).unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let host = dovecot.ip().to_string();
    // 587 with STARTTLS; without an imap block the SMTP credentials serve, at the same host.
    let body = json!({"email": DANA, "smtp": {"host": host, "password": PASSWORD}});
    let active = becomes_active(&tenant.api, &body).await;
    assert_eq!((&active["smtpPort"], &active["smtpSecure"]), (&json!(587), &json!(true)));
    assert_eq!(
        (&active["imapHost"], &active["imapPort"], &active["imapSecure"], &active["lastError"]),
        (&json!(host), &json!(993), &json!(true), &json!(null))
    );
    // 465 is TLS from the first byte whatever `secure` says, 143 is STARTTLS.
    let body = json!({"email": ERIK, "smtp": {"host": host, "port": 465, "secure": false, "password": PASSWORD},
        "imap": {"host": host, "port": 143}});
    becomes_active(&tenant.api, &body).await;
    dovecot.wait_login_log(|log| [DANA, ERIK].iter().all(|user| log.accepted(Protocol::Imap, user) == 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_leaves_nothing_behind() {
    let dovecot = Dovecot::start(options()).unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Mailboxes(2)).await;
    let api = &tenant.api;
    let body = |email, password, (smtp, imap)| mailbox(email, password, dovecot.addr(smtp), dovecot.addr(imap));
    becomes_active(api, &body(DANA, PASSWORD, WAYS[0])).await;

    // Twice the same address: the first refusal must leave neither the address nor the place taken.
    for way in WAYS {
        let id = api.add(&body(ERIK, "wrong", way)).await;
        let test = api.refused(&id).await;
        assert_eq!(test["error"], "Authentication failed. Check username/password.");
        assert_eq!((&test["stage"], &test["code"]), (&json!("smtp"), &json!("AUTH_BAD_CREDENTIALS")));
        assert!(test["remedy"].as_str().is_some_and(|remedy| remedy.contains("password")), "{test}");
        assert!(test["serverReply"].as_str().is_some_and(|reply| reply.contains("535")), "{test}");
        assert_eq!(api.connection_test(&id).await, test, "it says so as often as asked");
        let emails: Vec<Value> =
            api.list("").await["data"].as_array().unwrap().iter().map(|item| item["email"].clone()).collect();
        assert_eq!(emails, [DANA]);
    }
    becomes_active(api, &body(ERIK, PASSWORD, WAYS[0])).await;
    let reply = api.create(&body(FAYE, PASSWORD, WAYS[0])).await;
    let error = reply.error(403, "LIMIT_REACHED");
    assert_eq!(error["message"], "Mailbox limit reached for your plan");
    let numbers = [&error["currentUsage"], &error["maxMailboxes"], &error["requested"]];
    assert_eq!(numbers, [&json!(2), &json!(2), &json!(1)]);

    // A deleted mailbox gives its place back too, once.
    let dana = api.list("search=dana").await["data"][0]["_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/mailboxes/{dana}");
    assert_eq!(api.delete(&path).await.data(200), &json!({"message": "Mailbox removed"}));
    api.delete(&path).await.error(404, "NOT_FOUND");
    becomes_active(api, &body(FAYE, PASSWORD, WAYS[0])).await;
    assert_eq!(system.usage(&tenant, Plan::Mailboxes(2)).await, 2);

    // One attempt for each leg of the two refused mailboxes, and no more until now.
    dovecot.wait_login_log(|log| log.accepted(Protocol::Imap, FAYE) == 1).await;
    assert_eq!(dovecot.login_log().refused(ERIK), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_the_imap_server_named_in_the_request_is_final() {
    let dovecot = Dovecot::start(options()).unwrap();
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let (smtp, imap) = (dovecot.addr(Listener::SmtpStarttls), dovecot.addr(Listener::ImapImplicit));
    let mut body = mailbox(DANA, PASSWORD, smtp, imap);
    body["imap"]["password"] = json!("wrong");
    let test = api.refused(&api.add(&body).await).await;
    assert_eq!((&test["stage"], &test["code"]), (&json!("imap"), &json!("AUTH_BAD_CREDENTIALS")));
    assert_eq!(test["error"], "Authentication failed. Check username/password.");
    dovecot.wait_login_log(|log| (log.refused(DANA), log.accepted(Protocol::Smtp, DANA)) == (1, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guessed_imap_server_that_fails_is_only_noted() {
    // An address of its own: nobody listens on port 993 there.
    let dovecot = Dovecot::start(DovecotOptions { ip: Some(free_loopback()), ..options() }).unwrap();
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let (smtp, imap) = (dovecot.addr(Listener::SmtpStarttls), dovecot.addr(Listener::ImapImplicit));
    let mut unreachable = mailbox(DANA, PASSWORD, smtp, imap);
    unreachable.as_object_mut().unwrap().remove("imap");
    let mut refused = mailbox(ERIK, PASSWORD, smtp, imap);
    refused["imap"] = json!({"port": imap.port(), "password": "wrong"});
    for body in [unreachable, refused] {
        let active = becomes_active(&api, &body).await;
        assert_eq!(active["imapHost"], json!(dovecot.ip().to_string()));
        assert!(active["lastError"].as_str().is_some_and(|text| text.len() > 10), "{active}");
    }
    dovecot.wait_login_log(|log| log.refused(ERIK) == 1).await;
}
