//! Suspended, resumed, deleted.

use reqwest::Method;
use serde_json::json;

use super::super::domains::COMPLETE;
use super::{CONFLICT, NOT_FOUND, text};
use crate::world::{Options, PATIENT, World};

#[tokio::test]
async fn suspending_and_resuming_can_be_repeated() {
    let world = World::with_acme().await;
    let made = world.mailbox("kim@acme.example").await;
    let (id, secret) = (text(&made["mailbox"]["id"]), text(&made["credential"]["secret"]));
    for (what, status) in [("/suspend", "suspended"), ("/resume", "active")] {
        for _ in 0..2 {
            let answer = world.of_mailbox(Method::POST, id, what).await;
            let mut expected = made["mailbox"].clone();
            expected["status"] = json!(status);
            assert_eq!(answer.ok(200), &expected);
            assert_eq!(world.lets_in(secret).await, status == "active");
        }
    }
    let path = format!("/mailboxes/{id}/suspend");
    let body = world.sendmux(Method::POST, &path).json(&json!({"why": "so"})).ask().await;
    assert_eq!(body.error(), (400, "invalid_parameter", Some("why")));
    world.sendmux(Method::POST, &path).json(&json!({})).ask().await.ok(200);
}

#[tokio::test]
async fn a_deleted_mailbox_is_gone() {
    let world = World::with_acme().await;
    let made = world.mailbox("kim@acme.example").await;
    let (id, secret) = (text(&made["mailbox"]["id"]), text(&made["credential"]["secret"]));
    let key = text(&made["credential"]["public_id"]);
    assert_eq!(world.of_mailbox(Method::DELETE, id, "").await.ok(200), &json!({"id": id, "deleted": true}));
    assert!(!world.lets_in(secret).await);
    assert_eq!(world.usage().await, 0);
    for (method, what) in
        [(Method::DELETE, ""), (Method::GET, ""), (Method::GET, "/filters"), (Method::DELETE, &format!("/keys/{key}"))]
    {
        assert_eq!(world.of_mailbox(method, id, what).await.error(), NOT_FOUND, "{what}");
    }
    for what in ["/suspend", "/resume"] {
        assert_eq!(world.of_mailbox(Method::POST, id, what).await.error(), CONFLICT);
    }
    assert_eq!(world.patch_mailbox(id, &json!({"display_name": "x"})).await.error(), NOT_FOUND);
    assert_ne!(world.mailbox_id("kim@acme.example").await, id);
}

#[tokio::test]
async fn another_teams_mailbox_is_unknown() {
    let world = World::with_acme().await;
    let made = world.mailbox("kim@acme.example").await;
    let (id, key) = (text(&made["mailbox"]["id"]), text(&made["credential"]["public_id"]));
    let (_, stranger) = world.sendmux_stranger().await;
    for (method, what, body) in [
        (Method::GET, "", None),
        (Method::DELETE, "", None),
        (Method::PATCH, "", Some(json!({}))),
        (Method::POST, "/suspend", None),
        (Method::POST, "/resume", None),
        (Method::POST, "/keys", Some(json!({"app_name": "x"}))),
        (Method::DELETE, &format!("/keys/{key}"), None),
        (Method::GET, "/filters", None),
        (Method::PUT, "/filters", Some(json!({"mode": "off", "rules": []}))),
    ] {
        for id in [id, "mbx_cl00000000000000000000000"] {
            let call = world.sendmux_with(method.clone(), &format!("/mailboxes/{id}{what}"), &stranger);
            let call = body.iter().fold(call, |call, body| call.json(body));
            assert_eq!(call.ask().await.error(), NOT_FOUND, "{method} {what}");
        }
    }
    assert_eq!(world.of_mailbox(Method::GET, id, "").await.ok(200)["status"], "active");
}

/// That comes before whether an `Idempotency-Key` was used for something else.
#[tokio::test]
async fn what_is_unknown_is_not_looked_up_among_repetitions() {
    let world = World::with_acme().await;
    let id = world.mailbox_id("kim@acme.example").await;
    let (workspace, stranger) = world.sendmux_stranger().await;
    let theirs = world.sendmux_with(Method::POST, "/domains", &stranger).json(&json!({"domain": "theirs.example"}));
    theirs.ask().await.ok(201);
    world.find_records_of(workspace, COMPLETE).await;
    let theirs = world.sendmux_with(Method::POST, "/mailboxes", &stranger).json(&json!({"email": "x@theirs.example"}));
    let theirs = theirs.ask().await.ok(201)["mailbox"]["id"].clone();
    let resume = async |id: &str| {
        let call = world.sendmux(Method::POST, &format!("/mailboxes/{id}/resume"));
        call.header("Idempotency-Key", "once").ask().await
    };
    resume(&id).await.ok(200);
    assert_eq!(resume(text(&theirs)).await.error(), NOT_FOUND);
    let another = world.mailbox_id("ben@acme.example").await;
    assert_eq!(resume(&another).await.error(), (409, "idempotency_conflict", None));
}

#[tokio::test]
async fn the_key_of_a_mailbox_is_no_team_key() {
    let world = World::with(Options { sendmux_per_minute: 600, ..PATIENT }).await;
    world.receiving("acme.example").await;
    let made = world.mailbox("kim@acme.example").await;
    let (id, secret) = (text(&made["mailbox"]["id"]), text(&made["credential"]["secret"]));
    let list = async || world.sendmux_with(Method::GET, "/mailboxes", secret).ask().await;
    for left in ["599", "598"] {
        let refused = list().await;
        assert_eq!(refused.error(), (403, "insufficient_permissions", None));
        assert_eq!(refused.header("x-ratelimit-remaining"), left);
    }
    world.of_mailbox(Method::POST, id, "/suspend").await.ok(200);
    assert_eq!(list().await.error(), (401, "authentication_required", None));
}
