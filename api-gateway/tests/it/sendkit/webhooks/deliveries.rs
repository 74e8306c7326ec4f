//! Webhook deliveries: their content, signatures, retries and log.

use serde_json::{Value, json};

use super::body;
use crate::webhooks::{Does, Receiver, signature};
use crate::world::{World, with};

/// A webhook at this receiver with these members of its own.
async fn at(world: &World, receiver: &Receiver, changes: &Value) -> (String, String) {
    world.add_hook(&with(body(&receiver.url()), changes)).await
}

fn no() -> Does {
    Does::Answer(500, "no".to_owned())
}

#[tokio::test]
async fn a_test_event_arrives_signed() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (id, secret) = at(&world, &receiver, &json!({})).await;
    let event_id = world.test_hook(&id).await;
    let post = receiver.post().await;
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", event_id.as_str()),
        ("x-sendkit-event", "webhook.test"),
        ("x-sendkit-signature", signature(&secret, &post.body).as_str()),
    ] {
        assert_eq!(post.header(name), value, "{name}");
    }
    assert!(!post.headers.keys().any(|name| name.starts_with("x-sendmux")));
    assert!(post.is_standard(&secret));
    assert_eq!(post.header("webhook-signature").split(' ').count(), 1);
    let event = post.json();
    let expected = json!({"id": event_id, "type": "webhook.test", "createdAt": event["createdAt"],
                          "workspaceId": world.workspace, "data": {"webhookId": id}});
    assert_eq!(event, expected);
    let log = world.until_told(&id, |log| !log.is_empty()).await;
    let expected = json!([{
        "_id": log[0]["_id"], "eventId": event_id, "event": "webhook.test", "attempt": 1, "maxAttempts": 4,
        "result": "success", "responseStatus": 200, "responseBody": "thanks", "responseMs": log[0]["responseMs"],
        "error": null, "nextRetryAt": null, "createdAt": log[0]["createdAt"],
    }]);
    assert_eq!(json!(log), expected);
}

#[tokio::test]
async fn a_given_secret_signs_as_it_is() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let standard = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for (secret, encoded) in [("no base64, just words", false), (standard, true), ("QmFzZTY0IHdpdGhvdXQ=", true)] {
        let (id, told) = at(&world, &receiver, &json!({"secret": secret})).await;
        assert_eq!(told, secret);
        world.test_hook(&id).await;
        let post = receiver.post().await;
        assert_eq!(post.header("x-sendkit-signature"), signature(secret, &post.body));
        assert!(if encoded { post.is_standard(secret) } else { post.is_standard_raw(secret) });
    }
}

#[tokio::test]
async fn each_webhook_has_its_number_of_tries() {
    let world = World::start().await;
    // Three more tries than one are everybody's; the third of five would have no time set.
    let _deliveries = world.start_deliveries("0,0,0", None);
    let mut receiver = Receiver::start().await;
    for (retries, tries) in [(0, 1), (2, 3), (5, 6)] {
        let (id, _) = at(&world, &receiver, &json!({"retryAttempts": retries})).await;
        receiver.will(vec![no(); tries]);
        let event_id = world.test_hook(&id).await;
        let log = world.until_told(&id, |log| log.len() == tries).await;
        for (index, delivery) in log.iter().enumerate() {
            assert_eq!(receiver.post().await.header("webhook-id"), event_id);
            let result = if index == 0 { "permanent_failure" } else { "failed" };
            assert_eq!((&delivery["result"], &delivery["maxAttempts"]), (&json!(result), &json!(tries)));
            assert_eq!(delivery["attempt"], json!(tries - index));
        }
        assert_eq!(world.hook(&id).await["status"], "failing");
        assert!(receiver.is_quiet());
    }
}

#[tokio::test]
async fn a_failing_webhook_is_told_nothing_until_it_is_made_active() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("0", None);
    let mut receiver = Receiver::start().await;
    let (id, _) = at(&world, &receiver, &json!({"retryAttempts": 0})).await;
    let refused = async || world.bid_hook(&id, "test").await.is_failure(409, "CONFLICT");
    receiver.will([no()]);
    world.test_hook(&id).await;
    world.until_told(&id, |log| !log.is_empty()).await;
    refused().await;
    let set = async |status: &str| world.patch_hook(&id, &json!({"status": status})).await.data()["status"].clone();
    assert_eq!(world.patch_hook(&id, &json!({"name": "other"})).await.data()["status"], "failing");
    assert_eq!(set("disabled").await, "disabled");
    refused().await;
    assert_eq!(set("active").await, "active");
    receiver.will([no()]);
    world.test_hook(&id).await;
    world.until_told(&id, |log| log.len() == 2).await;
    assert_eq!(world.hook(&id).await["status"], "failing");
    assert_eq!(set("active").await, "active", "without switching it off before");
    let event_id = world.test_hook(&id).await;
    receiver.post().await;
    receiver.post().await;
    assert_eq!(receiver.post().await.header("webhook-id"), event_id);
    assert_eq!(set("disabled").await, "disabled");
    refused().await;
    let deaf = at(&world, &receiver, &json!({"events": ["mailbox.failed"]})).await.0;
    world.bid_hook(&deaf, "test").await.is_failure(409, "CONFLICT");
}

#[tokio::test]
async fn each_webhook_has_its_time() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("3600", None);
    let receiver = Receiver::start().await;
    for (millis, told) in [(1000, "no answer within 1 seconds"), (1250, "no answer within 1.25 seconds")] {
        let (id, _) = at(&world, &receiver, &json!({"timeoutMs": millis})).await;
        receiver.will([Does::Wait]);
        world.test_hook(&id).await;
        let log = world.until_told(&id, |log| !log.is_empty()).await;
        assert_eq!((&log[0]["result"], &log[0]["error"]), (&json!("retrying"), &json!(told)));
        assert!(log[0]["responseMs"].as_i64().unwrap() >= millis && log[0]["nextRetryAt"].is_string());
    }
}

#[tokio::test]
async fn a_replaced_secret_still_counts_beside_the_new_one() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (id, first) = at(&world, &receiver, &json!({})).await;
    let rotate = async || {
        let rotated = world.bid_hook(&id, "rotate-secret").await;
        let secret = rotated.data()["secret"].as_str().unwrap().to_owned();
        assert_eq!(with(world.hook(&id).await, &json!({"secret": secret})), *rotated.data());
        secret
    };
    let second = rotate().await;
    assert!(second != first && second.len() == 64);
    world.test_hook(&id).await;
    let post = receiver.post().await;
    assert!(post.is_standard(&second) && post.is_standard(&first));
    assert_eq!(post.header("x-sendkit-signature"), signature(&second, &post.body));
    let signatures: Vec<&str> = post.header("webhook-signature").split(' ').collect();
    let library = standardwebhooks::Webhook::new(&second).unwrap();
    let seconds = post.header("webhook-timestamp").parse().unwrap();
    let expected = library.sign(post.header("webhook-id"), seconds, &post.body).unwrap();
    assert_eq!((signatures.len(), signatures[0]), (2, expected.as_str()), "the new one first");

    let third = rotate().await;
    world.test_hook(&id).await;
    let post = receiver.post().await;
    assert!(post.is_standard(&third) && post.is_standard(&second) && !post.is_standard(&first));
}

#[tokio::test]
async fn the_log_has_pages() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("3600", None);
    let receiver = Receiver::start().await;
    let (id, _) = at(&world, &receiver, &json!({})).await;
    for number in 1..=3 {
        world.test_hook(&id).await;
        world.until_told(&id, |log| log.len() == number).await;
    }
    let all = world.until_told(&id, |log| log.len() == 3).await;
    let list = async |query: &str| world.get(&format!("/v1/webhooks/{id}/deliveries?{query}")).await;
    let first = list("limit=2").await;
    assert_eq!(*first.data(), json!(all[..2]));
    let block = json!({"limit": 2, "total": 3, "hasMore": true, "nextCursor": all[1]["_id"]});
    assert_eq!(first.body["pagination"], block);
    let second = list(&format!("limit=2&cursor={}", all[1]["_id"].as_str().unwrap())).await;
    assert_eq!((second.data(), &second.body["pagination"]["hasMore"]), (&json!(all[2..]), &json!(false)));
    assert_eq!(*list("limit=1&page=2").await.data(), json!(all[1..2]));
    assert_eq!(list("cursor=x").await.bad_fields(), ["cursor"]);
}
