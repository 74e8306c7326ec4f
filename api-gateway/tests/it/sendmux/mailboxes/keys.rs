//! `POST` and `DELETE` of keys.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{at, is_id};
use super::{NOT_FOUND, text};
use crate::client::{Answer, members};
use crate::world::World;

impl World {
    async fn post_key(&self, mailbox: &str, body: &Value) -> Answer {
        self.sendmux(Method::POST, &format!("/mailboxes/{mailbox}/keys")).json(body).ask().await
    }
}

#[tokio::test]
async fn each_program_has_a_key_of_its_own() {
    let world = World::with_acme().await;
    let made = world.mailbox("kim@acme.example").await;
    let (id, first) = (text(&made["mailbox"]["id"]), &made["credential"]);
    let answer = world.post_key(id, &json!({"app_name": "Telephone"})).await;
    let data = answer.ok(201);
    assert_eq!(members(data), ["api_key", "credential", "imap_smtp_credentials"]);
    let second = &data["credential"];
    let public_id = text(&second["public_id"]);
    assert!(is_id("smx_", public_id), "{public_id}");
    assert_eq!(answer.header("location"), at(&format!("/mailboxes/{id}/keys/{public_id}")));
    assert_eq!(
        (&data["api_key"]["key"], &data["imap_smtp_credentials"]["password"]),
        (&second["secret"], &second["secret"])
    );
    assert_eq!((&second["username"], &second["server"]), (&first["username"], &first["server"]));

    let revoke = async |key: &Value| world.of_mailbox(Method::DELETE, id, &format!("/keys/{}", text(key))).await;
    for _ in 0..2 {
        let revoked = revoke(&first["public_id"]).await;
        assert_eq!(revoked.ok(200), &json!({"id": first["public_id"], "deleted": true}));
    }
    assert!(!world.lets_in(text(&first["secret"])).await);
    assert!(world.lets_in(text(&second["secret"])).await);
    for unknown in [json!("smx_cl00000000000000000000000"), json!("mine"), made["mailbox"]["id"].clone()] {
        assert_eq!(revoke(&unknown).await.error(), NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_against_a_key_is_told() {
    let world = World::with_acme().await;
    let id = world.mailbox_id("kim@acme.example").await;
    for (body, fault) in [
        (json!({}), ("app_name", "invalid_type")),
        (json!({"app_name": ""}), ("app_name", "too_small")),
        (json!({"app_name": "x".repeat(256)}), ("app_name", "too_big")),
        (json!({"app_name": "x", "scopes": []}), ("scopes", "unrecognized_keys")),
    ] {
        let answer = world.post_key(&id, &body).await;
        assert_eq!((answer.status, answer.faults()), (400, vec![fault]), "{body}");
    }
    for number in 2..=25 {
        world.post_key(&id, &json!({"app_name": format!("app {number}")})).await.ok(201);
    }
    let full = world.post_key(&id, &json!({"app_name": "one more"})).await;
    assert_eq!(full.error(), (409, "limit_exceeded", None));
    assert_eq!(world.post_key(&id, &json!({"app_name": "a\nb"})).await.error(), (409, "limit_exceeded", None));

    let other = world.mailbox_id("ben@acme.example").await;
    world.of_mailbox(Method::POST, &other, "/suspend").await.ok(200);
    let bad = world.post_key(&other, &json!({"app_name": "a\nb"})).await;
    assert_eq!((bad.status, bad.faults()), (422, vec![("app_name", "custom"), ("status", "custom")]));
    let suspended = world.post_key(&other, &json!({"app_name": "x"})).await;
    assert_eq!((suspended.error().0, suspended.error().1), (422, "validation_error"));
    world.of_mailbox(Method::DELETE, &other, "").await.ok(200);
    assert_eq!(world.post_key(&other, &json!({"app_name": "x"})).await.error(), NOT_FOUND);
}

#[tokio::test]
async fn a_repetition_makes_no_other_key() {
    let world = World::with_acme().await;
    let [kim, ben] = [world.mailbox_id("kim@acme.example").await, world.mailbox_id("ben@acme.example").await];
    let post = async |id: &str| {
        let call = world.sendmux(Method::POST, &format!("/mailboxes/{id}/keys")).header("Idempotency-Key", "once");
        call.json(&json!({"app_name": "Telephone"})).ask().await
    };
    let first = post(&kim).await;
    assert_eq!(post(&kim).await.body, first.body);
    assert_eq!(post(&ben).await.error(), (409, "idempotency_conflict", None));
}
