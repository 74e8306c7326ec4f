//! Webhook deliveries: their content, signatures, retries and log.

use openssl::hash::{MessageDigest, hash};
use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::Timestamp;

use super::super::is_id;
use super::{body, with};
use crate::client::encode;
use crate::webhooks::{Does, Post, Receiver, hex, signature};
use crate::world::World;

/// Checks both signatures as a receiver would.
fn is_signed(post: &Post, secret: &str) -> bool {
    post.is_standard(secret) && post.header("x-sendmux-signature") == signature(secret, &post.body)
}

fn is(members: &Value, of: &Value) {
    for (name, value) in members.as_object().unwrap() {
        assert_eq!(of[name], *value, "{name} of {of}");
    }
}

#[tokio::test]
async fn a_test_event_arrives_signed() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (id, secret) = world.add_webhook(&receiver.url()).await;
    let me = world.sendmux(Method::GET, "/me").ask().await;
    let event_id = world.test_webhook(&id).await;
    assert!(is_id("evt_", &event_id), "{event_id}");
    let post = receiver.post().await;
    assert_eq!(post.line, "POST /in?team=1 HTTP/1.1");
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-sendmux-event-id", event_id.as_str()),
        ("webhook-id", event_id.as_str()),
        ("x-sendmux-event-type", "sendmux.test"),
        ("x-sendmux-delivery-attempt", "1"),
    ] {
        assert_eq!(post.header(name), value, "{name}");
    }
    assert!(post.header("user-agent").starts_with("Mailmoor/"));
    assert!(is_signed(&post, &secret));
    assert!(!is_signed(&post, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let event = post.json();
    let expected = json!({
        "id": event_id, "type": "sendmux.test", "occurred_at": event["occurred_at"], "team_public_id": me.ok(200)["team"]["id"],
        "data": {"recipients": [], "sender": null, "message_id": null, "message_id_kind": null,
                 "sendmux_message_id": null, "mailbox_id": null, "webhook_id": id, "is_spam": null, "bounce_type": null,
                 "bounce_subtype": null, "complaint_type": null, "complaint_subtype": null, "delay_type": null,
                 "delay_expires_at": null, "reject_reason": null},
    });
    assert_eq!(event, expected);
    let log = world.until_log(&id, |log| !log.is_empty()).await;
    let [delivery] = &log[..] else { panic!("{log:?}") };
    assert!(is_id("whda_", delivery["id"].as_str().unwrap()));
    let facts = json!({
        "event_id": event_id, "event_type": "sendmux.test", "delivery_attempt": 1, "max_attempts": 2,
        "result": "success", "response_status": 200, "response_body": "thanks", "error_message": null,
        "next_retry_at": null, "request_payload_bytes": post.body.len(), "payload_available": true,
        "request_payload_sha256": hex(&hash(MessageDigest::sha256(), &post.body).unwrap()),
    });
    is(&facts, delivery);
    let path = format!("/webhooks/{id}/deliveries/{}/payload", delivery["id"].as_str().unwrap());
    let payload = world.sendmux(Method::GET, &path).ask().await;
    let expected = json!({"id": delivery["id"], "event_id": event_id, "event_type": "sendmux.test", "delivery_attempt": 1,
                          "created_at": delivery["created_at"], "expires_at": delivery["payload_expires_at"],
                          "payload": event});
    assert_eq!(*payload.ok(200), expected);
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn what_is_not_taken_comes_again_until_it_is() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("0,0,0,0", None);
    let mut receiver = Receiver::start().await;
    let (id, secret) = world.add_webhook(&receiver.url()).await;
    let answers = [
        Does::Answer(500, "no\0t yet".to_owned()),
        Does::Redirect(receiver.url()),
        Does::Drop,
        Does::Answer(404, "x".repeat(10_000)),
    ];
    receiver.will(answers);
    let event_id = world.test_webhook(&id).await;
    let mut bodies = vec![];
    for attempt in 1..=5 {
        let post = receiver.post().await;
        assert_eq!(post.header("x-sendmux-delivery-attempt"), attempt.to_string());
        assert_eq!((post.header("x-sendmux-event-id"), post.header("webhook-id")), (&*event_id, &*event_id));
        assert!(is_signed(&post, &secret));
        bodies.push(post.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    let log = world.until_log(&id, |log| log.len() == 5).await;
    let told = |index: usize| {
        let delivery = &log[index];
        (
            delivery["delivery_attempt"].as_i64().unwrap(),
            delivery["result"].as_str().unwrap(),
            &delivery["response_status"],
        )
    };
    assert_eq!(told(0), (5, "success", &json!(200)));
    assert_eq!(told(1), (4, "failed", &json!(404)));
    assert_eq!(told(2), (3, "failed", &json!(null)));
    assert_eq!(told(3), (2, "failed", &json!(302)));
    assert_eq!(told(4), (1, "failed", &json!(500)));
    assert_eq!(log[1]["response_body"], "x".repeat(4096));
    assert_eq!(log[4]["response_body"], "no\u{fffd}t yet");
    assert!(log[2]["error_message"].is_string() && log[2]["response_body"].is_null());
    assert!(log.iter().all(|delivery| delivery["next_retry_at"].is_null() && delivery["max_attempts"] == 5));
    assert_eq!(world.get_webhook(&id).await["failing"], false);
}

#[tokio::test]
async fn after_the_last_try_nothing_more_is_told_until_it_is_enabled_anew() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("0", None);
    let mut receiver = Receiver::start().await;
    let (id, _) = world.add_webhook(&receiver.url()).await;
    receiver.will([Does::Answer(500, String::new()), Does::Answer(503, String::new())]);
    world.test_webhook(&id).await;
    let log = world.until_log(&id, |log| log.len() == 2).await;
    is(&json!({"delivery_attempt": 2, "result": "permanent_failure", "response_status": 503}), &log[0]);
    is(&json!({"delivery_attempt": 1, "result": "failed", "response_status": 500}), &log[1]);
    is(&json!({"failing": true, "enabled": true}), &world.get_webhook(&id).await);
    assert_eq!(world.bid_webhook(&id, "test").await.error(), (409, "conflict", None));
    assert_eq!(world.patch_webhook(&id, &json!({"enabled": true})).await.ok(200)["failing"], true);
    assert_eq!(world.patch_webhook(&id, &json!({"enabled": false})).await.ok(200)["failing"], true);
    assert_eq!(world.bid_webhook(&id, "test").await.error(), (409, "conflict", None));
    assert_eq!(world.patch_webhook(&id, &json!({"enabled": true})).await.ok(200)["failing"], false);
    receiver.post().await;
    receiver.post().await;
    let event_id = world.test_webhook(&id).await;
    assert_eq!(receiver.post().await.header("x-sendmux-event-id"), event_id);
}

#[tokio::test]
async fn a_retry_waits_for_its_time() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("3600", None);
    let mut receiver = Receiver::start().await;
    let (id, _) = world.add_webhook(&receiver.url()).await;
    receiver.will([Does::Wait]);
    let before = Timestamp::now();
    world.test_webhook(&id).await;
    let log = world.until_log(&id, |log| !log.is_empty()).await;
    is(&json!({"result": "retrying", "response_status": null, "error_message": "no answer within 1 seconds"}), &log[0]);
    assert!(log[0]["response_ms"].as_i64().unwrap() >= 1000);
    let hour = std::time::Duration::from_secs(3600);
    let due = log[0]["next_retry_at"].as_str().unwrap();
    assert!(*before.plus(hour).to_rfc3339() < *due && *due < *Timestamp::now().plus(hour).to_rfc3339(), "{due}");
    receiver.post().await;
    // Nothing of it is left when the webhook goes.
    let path = format!("/webhooks/{id}");
    world.sendmux(Method::DELETE, &path).ask().await;
    assert_eq!(world.store.next_webhook_delivery_at().await.unwrap(), None);
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_new_secret_replaces_the_old_one_which_still_counts_for_a_day() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let (id, old) = world.add_webhook(&receiver.url()).await;
    let path = format!("/webhooks/{id}/rotate-secret");
    let rotate = async || world.sendmux(Method::POST, &path).header("Idempotency-Key", "k").ask().await;
    let rotated = rotate().await;
    let new = rotated.ok(200)["secret"].as_str().unwrap();
    assert!(new != old && new.starts_with("whsec_"));
    assert_eq!(with(&world.get_webhook(&id).await, &json!({"secret": new})), *rotated.ok(200));
    assert_eq!(rotate().await.body, rotated.body, "the same secret again");
    world.test_webhook(&id).await;
    let post = receiver.post().await;
    assert!(is_signed(&post, new) && post.is_standard(&old));
    assert_ne!(post.header("x-sendmux-signature"), signature(&old, &post.body), "this one only with the new secret");
    assert_eq!(post.header("webhook-signature").split(' ').count(), 2);
    // Another rotation: the first secret counts no more.
    let newest = world.bid_webhook(&id, "rotate-secret").await.ok(200)["secret"].as_str().unwrap().to_owned();
    world.test_webhook(&id).await;
    let post = receiver.post().await;
    assert!(is_signed(&post, &newest) && post.is_standard(new) && !post.is_standard(&old));
    let (other, _) = world.add_webhook(&receiver.url()).await;
    let path = format!("/webhooks/{other}/rotate-secret");
    let reused = world.sendmux(Method::POST, &path).header("Idempotency-Key", "k").ask().await;
    assert_eq!(reused.error(), (409, "idempotency_conflict", None));
}

#[tokio::test]
async fn a_test_needs_its_type_and_is_made_once() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let mut receiver = Receiver::start().await;
    let deaf = json!({"url": receiver.url(), "event_types": ["message.bounced"]});
    let deaf = world.post_webhook(&deaf).await.ok(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(world.bid_webhook(&deaf, "test").await.error(), (409, "conflict", None));
    let off = world.post_webhook(&with(&body(&receiver.url()), &json!({"enabled": false}))).await;
    let off = off.ok(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(world.bid_webhook(&off, "test").await.error(), (409, "conflict", None));
    let (id, _) = world.add_webhook(&receiver.url()).await;
    let path = format!("/webhooks/{id}/test");
    let test = async |key: &str| world.sendmux(Method::POST, &path).header("Idempotency-Key", key).ask().await;
    let first = test("k").await;
    assert_eq!(test("k").await.body, first.body);
    let second = test("l").await;
    assert_ne!(second.ok(200)["event_id"], first.ok(200)["event_id"]);
    let log = world.until_log(&id, |log| log.len() == 2).await;
    assert_eq!(log.iter().filter(|delivery| delivery["event_id"] == first.ok(200)["event_id"]).count(), 1);
    receiver.post().await;
    receiver.post().await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_receiver_that_sleeps_holds_up_nobody() {
    let world = World::start().await;
    // Five at a time are posted to the sleeping one, so it takes three times as long as the other has to answer.
    let _deliveries = world.start_patient_deliveries(5000, "3600", None);
    let (mut slow, mut quick) = (Receiver::start().await, Receiver::start().await);
    let ((sleepy, _), (awake, _)) = (world.add_webhook(&slow.url()).await, world.add_webhook(&quick.url()).await);
    // More than the 10 deliveries that this process makes at most at the same time.
    slow.will(vec![Does::Wait; 12]);
    for _ in 0..12 {
        world.test_webhook(&sleepy).await;
    }
    world.test_webhook(&awake).await;
    quick.post().await;
    assert!(world.deliveries(&sleepy).await.len() < 12, "they were not waited for");
    let log = world.until_log(&sleepy, |log| log.len() == 12).await;
    assert!(log.iter().all(|delivery| delivery["delivery_attempt"] == 1));
    for _ in 0..12 {
        slow.post().await;
    }
    assert!(slow.is_quiet());
}

#[tokio::test]
async fn the_log_has_pages_and_filters() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("3600", None);
    let receiver = Receiver::start().await;
    let (id, _) = world.add_webhook(&receiver.url()).await;
    receiver.will([Does::Answer(500, String::new())]);
    for number in 1..=3 {
        world.test_webhook(&id).await;
        world.until_log(&id, |log| log.len() == number).await;
    }
    let all = world.deliveries(&id).await;
    let list =
        async |query: &str| world.sendmux(Method::GET, &format!("/webhooks/{id}/deliveries?{query}")).ask().await;
    let first = list("limit=2").await;
    assert_eq!(*first.ok(200), json!(all[..2]));
    let cursor = encode(first.body["pagination"]["next_cursor"].as_str().unwrap());
    let second = list(&format!("limit=2&cursor={cursor}")).await;
    assert_eq!((second.ok(200), &second.body["pagination"]), (&json!(all[2..]), &json!({"has_more": false})));
    assert_eq!(*list("result=retrying").await.ok(200), json!(all[2..]));
    assert_eq!(*list("result=success&event_type=sendmux.test").await.ok(200), json!(all[..2]));
    assert_eq!(*list("event_type=message.bounced").await.ok(200), json!([]));
    for (query, field) in
        [("result=ok", "result"), ("event_type=x", "event_type"), ("limit=101", "limit"), ("cursor=x", "cursor")]
    {
        assert_eq!(list(query).await.error(), (400, "invalid_parameter", Some(field)), "{query}");
    }
}
