//! Webhook events that report what happens to mailboxes, and the webhooks that receive them.

use serde_json::{Value, json};
use shared_models::domain::diagnosis::DnsStatus;
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::{FailureCode, Finding};
use shared_models::events::WEBHOOK_QUEUE;

use super::super::settled::{accepted, dns, finding, refused, wrong_password};
use super::body;
use crate::webhooks::{Post, Receiver, signature};
use crate::world::{World, minimal, with};

/// The data of an event, whose frame is as it should be.
fn data(post: &Post, world: &World, event_type: &str, secret: &str) -> Value {
    assert!(post.is_standard(secret));
    assert_eq!(post.header("x-sendkit-signature"), signature(secret, &post.body));
    assert_eq!(post.header("x-sendkit-event"), event_type);
    let event = post.json();
    let expected = json!({"id": post.header("webhook-id"), "type": event_type, "createdAt": event["createdAt"],
                          "workspaceId": world.workspace, "data": event["data"]});
    assert_eq!(event, expected);
    assert!(event["id"].as_str().is_some_and(|id| id.len() == 24) && event["createdAt"].is_string());
    event["data"].clone()
}

/// Everything that was noted is dealt with.
async fn until_quiet(world: &World) {
    let quiet = async {
        while world.store.queue_depth(WEBHOOK_QUEUE).await.unwrap() != (0, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), quiet).await.expect("events stay in the queue");
}

#[tokio::test]
async fn an_active_mailbox_is_told_as_it_is_read() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (_, secret) = world.add_hook(&body(&receiver.url())).await;
    let note = finding(FailureCode::NetConnectTimeout, Leg::Imap, Stage::Connect);
    for (name, note) in [("dana", None), ("otto", Some(note))] {
        let id = world.add(&minimal(name)).await;
        world.settle(id, accepted(note)).await;
        let told = data(&receiver.post().await, &world, "mailbox.activated", &secret);
        let mailbox = world.get(&format!("/v1/mailboxes/{id}")).await;
        assert_eq!(mailbox.data()["status"], "active");
        assert_eq!(told, json!({"mailbox": mailbox.data()}));
    }
    until_quiet(&world).await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_refused_mailbox_is_told_as_the_connection_test_tells_it() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (_, secret) = world.add_hook(&body(&receiver.url())).await;
    let why = finding(FailureCode::AuthBadCredentials, Leg::Imap, Stage::Auth);
    let why = Finding { server_reply: Some("NO [AUTHENTICATIONFAILED]".to_owned()), ..why };
    for (name, keep) in [("Dana", false), ("otto", true)] {
        let id = world.add(&minimal(name)).await;
        if keep {
            assert!(world.store.keep_when_refused(world.workspace, id).await.unwrap());
        }
        world.settle(id, refused(why.clone())).await;
        let told = data(&receiver.post().await, &world, "mailbox.failed", &secret);
        let test = world.get(&format!("/v1/mailboxes/{id}/connection-test")).await.data().clone();
        assert_eq!((&test["stage"], &test["serverReply"]), (&json!("imap"), &json!("NO [AUTHENTICATIONFAILED]")));
        let email = format!("{}@mail.example", name.to_lowercase());
        let own = json!({"mailboxId": id, "email": email, "deleted": !keep});
        assert_eq!(told, with(test, &own));
        let status = world.get(&format!("/v1/mailboxes/{id}")).await.status;
        assert_eq!(status, if keep { 200 } else { 404 });
    }
}

#[tokio::test]
async fn other_records_are_told_as_the_health_tells_them() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (_, secret) = world.add_hook(&body(&receiver.url())).await;
    let id = world.add(&minimal("dana")).await;
    let (good, bad) = ([DnsStatus::Pass; 4], [DnsStatus::Pass, DnsStatus::Fail, DnsStatus::Pass, DnsStatus::Warn]);
    for report in [dns(bad), dns(good)] {
        for _ in 0..2 {
            // The second time it is no news.
            world.store.record_dns_check(id, report.clone()).await.unwrap();
        }
        let told = data(&receiver.post().await, &world, "mailbox.dns_changed", &secret);
        until_quiet(&world).await;
        let health = world.get(&format!("/v1/mailboxes/{id}/health")).await.data().clone();
        let mut expected = json!({"mailboxId": id, "email": "dana@mail.example", "dns": health["dns"]});
        // The second check changes only `checkedAt`, and the event may be built before or after it.
        expected["dns"]["checkedAt"] = told["dns"]["checkedAt"].clone();
        assert!(told["dns"]["checkedAt"].is_string());
        assert_eq!(told, expected);
    }
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn only_those_who_asked_are_told() {
    let world = World::start().await;
    let mut receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let wanted = |receiver: &Receiver, events: &[&str]| with(body(&receiver.url()), &json!({"events": events}));
    let (_, failed) = world.add_hook(&wanted(&receivers[0], &["mailbox.failed"])).await;
    let (_, both) = world.add_hook(&wanted(&receivers[1], &["mailbox.activated", "mailbox.failed"])).await;
    let (off, _) = world.add_hook(&wanted(&receivers[2], &["mailbox.activated", "mailbox.failed"])).await;
    world.patch_hook(&off, &json!({"status": "disabled"})).await.data();
    // Another tenant's, and one of another dialect.
    let (_, stranger) = world.stranger().await;
    let theirs = world.client.call_with_key(reqwest::Method::POST, "/v1/webhooks", &stranger);
    theirs.json(&body(&receivers[2].url())).send().await.data();
    let (active, gone) = (world.add(&minimal("active")).await, world.add(&minimal("gone")).await);
    let _deliveries = world.start_deliveries("60", None);
    world.settle(active, accepted(None)).await;
    world.settle(gone, wrong_password()).await;
    world.store.record_dns_check(active, dns([DnsStatus::Pass; 4])).await.unwrap();
    until_quiet(&world).await;
    assert_eq!(data(&receivers[0].post().await, &world, "mailbox.failed", &failed)["mailboxId"], json!(gone));
    let posts = [receivers[1].post().await, receivers[1].post().await];
    for event_type in ["mailbox.activated", "mailbox.failed"] {
        let post = posts.iter().find(|post| post.header("x-sendkit-event") == event_type).unwrap();
        data(post, &world, event_type, &both);
    }
    assert!(receivers.iter_mut().all(Receiver::is_quiet));
}
