//! A customer of SendKit is notified of what becomes of mailboxes instead of polling.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use e2e_tests::{Answer, Client, Plan, Post, Receiver, eventually, mailbox};
use mail_lab::scripted::{Listener, Protocol};
use mail_lab::{Dovecot, DovecotOptions, Knot};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setup;

const DANA: &str = "dana@example.test";
const ERIK: &str = "erik@example.test";
const FAYE: &str = "faye@example.test";
const GUS: &str = "gus@example.test";
const PASSWORD: &str = "s3same";

/// Everything that was posted, by type and address.
struct Told {
    receiver: Receiver,
    secret: String,
    posts: BTreeMap<(String, String), Vec<Value>>,
}

impl Told {
    /// Waits for the next event of this type about this mailbox; its data.
    async fn of(&mut self, event_type: &str, email: &str) -> Value {
        let wanted = (event_type.to_owned(), email.to_owned());
        loop {
            if let Some(found) = self.posts.get_mut(&wanted).and_then(Vec::pop) {
                return found;
            }
            let post = self.receiver.post().await;
            self.note(&post);
        }
    }

    fn note(&mut self, post: &Post) {
        assert!(post.is_standard(&self.secret) && post.is_signed("x-sendkit-signature", &self.secret), "{post:?}");
        let event = post.json();
        assert_eq!(
            (&event["id"], &event["type"]),
            (&json!(post.header("webhook-id")), &json!(post.header("x-sendkit-event")))
        );
        let data = &event["data"];
        let email = data["email"].as_str().or(data["mailbox"]["email"].as_str()).unwrap_or_default();
        let key = (event["type"].as_str().unwrap().to_owned(), email.to_owned());
        self.posts.entry(key).or_default().push(data.clone());
    }
}

async fn add_webhook(api: &Client, url: &str) -> (String, String) {
    let events = ["mailbox.activated", "mailbox.failed", "mailbox.dns_changed", "webhook.test"];
    let body = json!({"name": "CRM", "url": url, "events": events, "retryAttempts": 10});
    let made = api.post("/v1/webhooks", &body).await;
    let made = made.data(201);
    (made["_id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

async fn bid(api: &Client, id: &str, what: &str) -> Value {
    let reply = api.send(api.request(Method::POST, &format!("/v1/webhooks/{id}/{what}"))).await.unwrap();
    reply.data(200).clone()
}

/// With everything that a domain should have.
fn name_server() -> Knot {
    let zone = "@ MX 10 mx1\nmx1 A 203.0.113.1\n@ TXT \"v=spf1 mx -all\"\n_dmarc TXT \"v=DMARC1; p=reject\"\n";
    Knot::start(&[("example.test", zone), ("test", "")]).unwrap()
}

fn csv_row(email: &str, password: &str, smtp: SocketAddr, imap: SocketAddr) -> String {
    format!("{email},{password},{},{},true,{},{}\n", smtp.ip(), smtp.port(), imap.ip(), imap.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_to_poll() {
    let dovecot = Dovecot::start(DovecotOptions::users(&[DANA, ERIK, FAYE, GUS].map(|user| (user, PASSWORD)))).unwrap();
    let (smtp, imap) = (dovecot.addr(Listener::SmtpStarttls), dovecot.addr(Listener::ImapImplicit));
    let knot = name_server();
    let system = setup().with("MAILMOOR__DNS__SERVERS", knot.addr()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let receiver = Receiver::start().await;
    let (webhook, secret) = add_webhook(&api, &receiver.url).await;
    let mut told = Told { receiver, secret, posts: BTreeMap::new() };

    let dana = api.add(&mailbox(DANA, PASSWORD, smtp, imap)).await;
    let mailbox_told = told.of("mailbox.activated", DANA).await["mailbox"].clone();
    assert_eq!((&mailbox_told["_id"], &mailbox_told["status"]), (&json!(dana), &json!("active")));
    let dns = told.of("mailbox.dns_changed", DANA).await;
    assert_eq!((&dns["mailboxId"], &dns["dns"]["healthScore"]), (&json!(dana), &json!(75)), "{dns}");
    assert_eq!(dns["dns"], api.health(&dana).await["dns"]);
    // Members that a later event may have changed aside, it is what is read.
    let read = api.mailbox(&dana).await.data(200).clone();
    for member in read.as_object().unwrap().keys().filter(|name| !["setupStatus", "updatedAt"].contains(&name.as_str()))
    {
        assert_eq!(mailbox_told[member], read[member], "{member}");
    }

    let erik = api.add(&mailbox(ERIK, "wrong", smtp, imap)).await;
    let failed = told.of("mailbox.failed", ERIK).await;
    assert_eq!((&failed["mailboxId"], &failed["deleted"]), (&json!(erik), &json!(true)));
    let test = api.connection_test(&erik).await;
    assert_eq!((&test["status"], &test["code"]), (&json!("failed"), &json!("AUTH_BAD_CREDENTIALS")));
    for (member, value) in test.as_object().unwrap() {
        assert_eq!(&failed[member], value, "{member}");
    }
    dovecot.wait_login_log(|log| log.refused(ERIK) == 2).await;

    let rows = [csv_row(FAYE, PASSWORD, smtp, imap), csv_row(GUS, "wrong", smtp, imap)].concat();
    let file = format!("email,password,smtphost,smtpport,smtpsecure,imaphost,imapport\n{rows}");
    let imported = api.import(&file, &[]).await;
    assert_eq!((&imported.data(200)["imported"], &imported.data(200)["failed"]), (&json!(1), &json!(1)));
    assert_eq!(told.of("mailbox.activated", FAYE).await["mailbox"]["status"], "active");
    told.of("mailbox.dns_changed", FAYE).await;
    dovecot.wait_login_log(|log| log.accepted(Protocol::Smtp, FAYE) == 1).await;

    // Whatever was on its way is here when what comes behind it is taken.
    bid(&api, &webhook, "test").await;
    told.of("webhook.test", "").await;
    let rest: Vec<_> = told.posts.iter().filter(|(_, posts)| !posts.is_empty()).map(|(key, _)| key).collect();
    assert!(
        rest.iter().all(|(event_type, email)| (event_type.as_str(), email.as_str()) == ("mailbox.dns_changed", ERIK)),
        "{rest:?}"
    );
    assert!(told.receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_can_be_replaced_while_events_come_in() {
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let mut receiver = Receiver::start().await;
    let (webhook, first) = add_webhook(&api, &receiver.url).await;
    bid(&api, &webhook, "test").await;
    let post = receiver.post().await;
    assert!(post.is_standard(&first) && post.is_signed("x-sendkit-signature", &first));
    let second = bid(&api, &webhook, "rotate-secret").await["secret"].as_str().unwrap().to_owned();
    let event = bid(&api, &webhook, "test").await["eventId"].clone();
    let post = receiver.post().await;
    assert_eq!(json!(post.header("webhook-id")), event);
    assert!(post.is_standard(&second) && post.is_standard(&first), "whoever has the old one is not shut out at once");
    assert!(post.is_signed("x-sendkit-signature", &second) && !post.is_signed("x-sendkit-signature", &first));
    let third = bid(&api, &webhook, "rotate-secret").await["secret"].as_str().unwrap().to_owned();
    bid(&api, &webhook, "test").await;
    let post = receiver.post().await;
    assert!(post.is_standard(&third) && post.is_standard(&second) && !post.is_standard(&first));
    eventually("the tries in the log", async || {
        let log = api.get(&format!("/v1/webhooks/{webhook}/deliveries")).await;
        match log.data(200).as_array().map(|log| log.iter().filter(|try_| try_["result"] == "success").count()) {
            Some(3) => Ok(()),
            _ => Err(log.text),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_before_a_kill_is_told_after_it() {
    let dovecot = Dovecot::start(DovecotOptions::users(&[(DANA, PASSWORD)])).unwrap();
    let (smtp, imap) = (dovecot.addr(Listener::SmtpStarttls), dovecot.addr(Listener::ImapImplicit));
    let mut system = setup().with("MAILMOOR__WEBHOOKS__RETRY_SECONDS", "2").start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let mut receiver = Receiver::start().await;
    receiver.answers(Answer::Refuse);
    let (_, secret) = add_webhook(&api, &receiver.url).await;
    let dana = api.add(&mailbox(DANA, PASSWORD, smtp, imap)).await;
    api.active(&dana).await;
    system.kill9().await;
    receiver.answers(Answer::Accept);
    // Tried before, perhaps.
    receiver.rest();
    system.restart().await;
    let activated = loop {
        let post = receiver.post().await;
        assert!(post.is_standard(&secret));
        if post.header("x-sendkit-event") == "mailbox.activated" {
            break post.json();
        }
    };
    assert_eq!(activated["data"]["mailbox"]["_id"], json!(dana));
}
