//! Several copies of each service: any of them will do, and one that dies is not missed.

use e2e_tests::{Plan, mailbox};
use mail_lab::scripted::{Auth, Listener, Protocol, Reply, ScriptedServer};

use crate::setup;

const ERIK: &str = "erik@example.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_is_not_missed() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let body = |email| mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let mut system = setup().with_copies(2, 2, 2).start().await;
    let key = system.tenant(Plan::Unlimited).await.key;
    let [first, second] = [0, 1].map(|gateway| system.client_of(gateway).with_header("X-Api-Key", &key));

    // What one gateway has accepted the other one knows.
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
