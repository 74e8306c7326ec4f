//! Several copies of each service: any of them will do, and one that dies is not missed.

use std::time::Duration;

use e2e_tests::{Answer, Plan, Receiver, eventually, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, Reply, ScriptedServer};
use serde_json::json;

use crate::setup;

const ERIK: &str = "erik@example.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_is_not_missed() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let body = |email| mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let system = e2e_tests::SERVICES.into_iter().fold(setup(), |setup, service| setup.with_copies(service, 2));
    let mut system = system.start().await;
    let key = system.tenant(Plan::Unlimited).await.key;
    let [first, second] = [0, 1].map(|gateway| system.client_of(gateway).with_header("X-Api-Key", &key));

    // A mailbox that one gateway has accepted is known to the other.
    let id = first.add(&body("dana@example.test")).await;
    second.active(&id).await;
    second.create(&body("dana@example.test")).await.error(409, "CONFLICT");

    // A verification in the hands of the only verifier that there is, which dies when another one is there.
    system.kill9_one("verifier-service", 1).await;
    server.set_auth(Protocol::Smtp, ERIK, Auth::Scripted(Reply::Silent));
    let id = first.add(&body(ERIK)).await;
    server.wait_until(|stats| stats.logins(Protocol::Smtp, ERIK).attempts == 1).await;
    system.start_one("verifier-service", 1);
    system.ready().await;
    server.clear_auth(Protocol::Smtp, ERIK);
    system.kill9_one("verifier-service", 0).await;
    first.active(&id).await;
    assert_eq!(server.logins(Protocol::Smtp, ERIK).attempts, 2);

    system.kill9_one("api-gateway", 0).await;
    system.kill9_one("dns-checker-service", 0).await;
    system.kill9_one("webhook-service", 0).await;
    assert!(first.try_get("/v1/mailboxes").await.is_err());
    let id = second.add(&body("faye@example.test")).await;
    second.active(&id).await;
    second.health(&id).await;

    for service in e2e_tests::SERVICES {
        system.start_one(service, 0);
    }
    system.ready().await;
    first.active(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_outlives_its_gateway_and_a_verifier() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    server.set(Listener::ALL, Behaviour { reply_delay: Duration::from_millis(30), ..Behaviour::default() });
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let mut file = "email,password,smtphost,smtpport,imaphost,imapport\n".to_owned();
    for n in 0..150 {
        file += &format!("user{n}@example.test,x,{},{},{},{}\n", smtp.ip(), smtp.port(), imap.ip(), imap.port());
    }
    let mut system = setup().with_copies("api-gateway", 2).with_copies("verifier-service", 2).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let [first, second] = [0, 1].map(|gateway| system.client_of(gateway).with_header("X-Api-Key", &tenant.key));

    // Somebody waits for the answer of a gateway that dies.
    let waiting = tokio::spawn({
        let (api, file) = (first.clone(), file.clone());
        async move { api.send(api.upload(&file, &[])).await.map(|reply| reply.text) }
    });
    eventually("some rows", || async {
        let count = second.count("status=active").await;
        if count >= 20 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
    system.kill9_one("api-gateway", 0).await;
    system.kill9_one("verifier-service", 1).await;
    assert!(waiting.await.unwrap().is_err());

    // Sent again, as anybody would, to the other gateway: what is there is skipped, the rest may race.
    let reply = second.import(&file, &[]).await;
    let data = reply.data(200);
    assert_eq!(data["failed"], 0, "{data}");
    assert_eq!(data["imported"].as_i64().unwrap() + data["skipped"].as_i64().unwrap(), 150, "{data}");
    eventually("every row", || async {
        let count = second.count("status=active").await;
        if count == 150 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
    system.start_one("api-gateway", 0);
    system.start_one("verifier-service", 1);
    system.ready().await;
    assert_eq!(first.count("").await, 150);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 150);
}

/// The only copy that there is dies while it waits for the answer to its post, when another copy is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_without_an_answer_is_made_again_by_another_copy() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut receiver = Receiver::start().await;
    receiver.answers(Answer::Silence);
    let mut system = setup().with_copies("webhook-service", 2).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let webhook = json!({"name": "CRM", "url": receiver.url, "events": ["mailbox.activated"]});
    api.post("/v1/webhooks", &webhook).await.data(201);
    system.kill9_one("webhook-service", 1).await;
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let id = api.add(&mailbox(ERIK, "x", smtp, imap)).await;
    let first = receiver.post().await;
    system.start_one("webhook-service", 1);
    system.ready().await;
    receiver.answers(Answer::Accept);
    system.kill9_one("webhook-service", 0).await;
    let second = receiver.post().await;
    assert_eq!(second.json(), first.json());
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"), "so that the receiver can drop one");
    assert_eq!(second.json()["data"]["mailbox"]["_id"], json!(id));
}
