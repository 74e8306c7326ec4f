//! How many providers there may be, and the wish for more.

use reqwest::Method;
use serde_json::json;
use shared_models::domain::tenancy::Plan;

use super::super::is_id;
use super::{minimal, with};
use crate::world::World;

const INCREASE: &str = "/providers/limits/sending-accounts/request-increase";

async fn plan(world: &World, max_mailboxes: Option<i64>) {
    let plan = Plan { subscription_active: true, max_mailboxes };
    world.store.set_plan("dana@tenant.example", plan).await.unwrap();
}

#[tokio::test]
async fn limits_tell_the_plan() {
    let world = World::start().await;
    let limits = async || world.sendmux(Method::GET, "/providers/limits").ask().await.ok(200).clone();
    let unlimited = limits().await;
    assert_eq!(unlimited["sending_accounts"]["max_allowed"], 10_000);
    assert_eq!(
        unlimited["shared_amazon_ses"],
        json!({"provider_id": null, "daily_limit": null, "sent_today": 0, "threshold_usage": null, "usage_ratio": null,
               "is_near_limit": false, "can_request_increase": false, "pending_request_id": null})
    );
    plan(&world, Some(5)).await;
    for number in 0..=5 {
        let near = number >= 4;
        let expected = json!({
            "resource_type": "sending_accounts", "usage": number, "reserved": 0, "max_allowed": 5, "threshold_usage": 4,
            "usage_ratio": f64::from(number) / 5.0, "is_near_limit": near, "is_at_limit": number == 5,
            "can_request_increase": near, "pending_request_id": null,
        });
        assert_eq!(limits().await["sending_accounts"], expected);
        let added = world.post_provider(&minimal("x")).await;
        assert_eq!(added.status, if number < 5 { 201 } else { 409 });
    }
    let full = world.post_provider(&minimal("x")).await;
    assert_eq!(full.error(), (409, "limit_exceeded", None));
    let also_broken = world.post_provider(&with(&minimal("x"), &json!({"smtp_host": "a b"}))).await;
    assert_eq!(also_broken.error(), (409, "limit_exceeded", None), "other conflicts come before rules");
    let malformed = world.post_provider(&with(&minimal("x"), &json!({"smtp_port": 0}))).await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn an_increase_is_asked_for_once() {
    let world = World::start().await;
    let ask = async || world.sendmux(Method::POST, INCREASE).ask().await;
    assert_eq!(ask().await.error(), (422, "validation_error", Some("sending_accounts")));
    plan(&world, Some(1)).await;
    world.add_provider("x").await;
    let keyed = async || world.sendmux(Method::POST, INCREASE).header("Idempotency-Key", "k").ask().await;
    let asked = keyed().await;
    let id = asked.ok(200)["request_id"].as_str().unwrap();
    assert!(is_id("trir_", id), "{id}");
    let limit = &asked.ok(200)["limit"];
    assert_eq!((&limit["pending_request_id"], &limit["can_request_increase"]), (&json!(id), &json!(false)));
    let limits = world.sendmux(Method::GET, "/providers/limits").ask().await;
    assert_eq!(limits.ok(200)["sending_accounts"], *limit);
    assert_eq!(keyed().await.body, asked.body);
    assert_eq!(ask().await.error(), (409, "conflict", None));
    // Granted.
    plan(&world, Some(2)).await;
    let limits = world.sendmux(Method::GET, "/providers/limits").ask().await;
    let limit = &limits.ok(200)["sending_accounts"];
    assert_eq!((&limit["pending_request_id"], &limit["max_allowed"]), (&json!(null), &json!(2)));
    assert_eq!(ask().await.error(), (422, "validation_error", Some("sending_accounts")));
}
