//! `GET`, `PATCH` and `DELETE` of one, and switching it on and off.

use reqwest::Method;
use serde_json::json;
use shared_models::domain::sending_accounts::TestOutcome;

use super::{minimal, with};
use crate::world::World;

#[tokio::test]
async fn only_what_is_named_changes() {
    let world = World::start().await;
    let said = json!({"from_email": "a@mail.example", "from_name": "A", "variables": {"a": "1", "b": "2"},
                      "quotas": {"per_second": 1, "per_day": {"min": 2, "max": 3}}, "percentage": 7});
    let created = world.post_provider(&with(&minimal("x"), &said)).await.ok(201).clone();
    let id = created["id"].as_str().unwrap();
    let same = world.patch_provider(id, &json!({})).await;
    assert_eq!(*same.ok(200), created);
    for (change, shown) in [
        (json!({"name": "y"}), json!({"name": "y"})),
        (json!({"from_email": null}), json!({"from_email": null})),
        (json!({"variables": {"c": "3"}}), json!({"variables": {"c": "3"}})),
        (json!({"variables": {}}), json!({"variables": {}})),
        (
            json!({"percentage": 0, "tracking_domain": "t.example"}),
            json!({"percentage": 0, "tracking_domain": "t.example"}),
        ),
        (json!({"tracking_domain": null}), json!({"tracking_domain": null})),
        (
            json!({"quotas": {"per_second": null, "per_hour": 5}}),
            json!({"quotas": {"per_second": null, "per_minute": null, "per_hour": {"min": 5, "max": 5}, "per_day": {"min": 2, "max": 3}}}),
        ),
        (json!({"quotas": {}}), json!({})),
        (json!({"smtp_port": 465, "smtp_protocol": "ssl"}), json!({"smtp_port": 465, "smtp_protocol": "ssl"})),
    ] {
        let before = world.get_provider(id).await;
        let answer = world.patch_provider(id, &change).await;
        let expected = with(&before, &with(&shown, &json!({"updated_at": answer.ok(200)["updated_at"]})));
        assert_eq!(*answer.ok(200), expected, "{change}");
        let read = world.sendmux(Method::GET, &format!("/providers/{id}")).ask().await;
        assert_eq!(*read.ok(200), expected);
        assert_eq!(answer.header("etag"), read.header("etag"), "{change}");
    }
    let faulty = world.patch_provider(id, &json!({"name": null, "quotas": null, "new": 1})).await;
    assert_eq!(faulty.faults(), [("name", "invalid_type"), ("quotas", "invalid_type"), ("new", "unrecognized_keys")]);
}

#[tokio::test]
async fn a_change_may_depend_on_what_is_there() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    let path = format!("/providers/{id}");
    let read = world.sendmux(Method::GET, &path).ask().await;
    let tag = read.header("etag");
    let patch = async |tag: &str, name: &str| {
        world.sendmux(Method::PATCH, &path).header("If-Match", tag).json(&json!({"name": name})).ask().await
    };
    let changed = patch(tag, "y").await;
    assert_eq!(changed.ok(200)["name"], "y");
    let refused = patch(tag, "z").await;
    assert_eq!(refused.error(), (409, "conflict", None));
    assert_eq!(refused.header("etag"), changed.header("etag"));
    assert_eq!(world.get_provider(&id).await["name"], "y");
    assert_eq!(patch("*", "z").await.ok(200)["name"], "z");
    let latest = world.sendmux(Method::GET, &path).ask().await.header("etag").to_owned();
    let known = world.sendmux(Method::GET, &path).header("If-None-Match", &latest).ask().await;
    assert_eq!((known.status, known.header("etag")), (304, latest.as_str()));
}

#[tokio::test]
async fn a_deleted_provider_is_unknown() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    let path = format!("/providers/{id}");
    assert_eq!(*world.sendmux(Method::DELETE, &path).ask().await.ok(200), json!({"id": id, "deleted": true}));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(world.sendmux(method, &path).ask().await.error(), (404, "not_found", None));
    }
    assert_eq!(world.patch_provider(&id, &json!({"name": "y"})).await.error(), (404, "not_found", None));
    for what in ["activate", "deactivate", "test"] {
        assert_eq!(world.bid_provider(&id, what).await.error(), (404, "not_found", None));
    }
}

#[tokio::test]
async fn switching_off_and_on() {
    let world = World::start().await;
    let verifier = world.provider_verifier(TestOutcome::Accepted);
    let id = world.add_provider("x").await;
    world.until_status(&id, "active").await;
    verifier.abort();
    for _ in 0..2 {
        let off = world.bid_provider(&id, "deactivate").await;
        assert_eq!((&off.ok(200)["status"], &off.ok(200)["is_active"]), (&json!("inactive"), &json!(false)));
        let actions = &off.ok(200)["allowed_actions"];
        assert_eq!((&actions["activate"], &actions["deactivate"]), (&json!(true), &json!(false)));
    }
    assert_eq!(world.get_provider(&id).await["status"], "inactive");
    for _ in 0..2 {
        let on = world.bid_provider(&id, "activate").await;
        assert_eq!((&on.ok(200)["status"], &on.ok(200)["is_active"]), (&json!("active"), &json!(true)));
    }
    // A repetition is answered, and not done.
    let bid = async |what: &str, key: &str| {
        let path = format!("/providers/{id}/{what}");
        world.sendmux(Method::POST, &path).header("Idempotency-Key", key).ask().await
    };
    let first = bid("deactivate", "k").await;
    bid("activate", "k").await;
    assert_eq!(bid("deactivate", "k").await.body, first.body);
    assert_eq!(world.get_provider(&id).await["status"], "active");
    let other = world.add_provider("y").await;
    let path = format!("/providers/{other}/deactivate");
    let reused = world.sendmux(Method::POST, &path).header("Idempotency-Key", "k").ask().await;
    assert_eq!(reused.error(), (409, "idempotency_conflict", None));
    // Of what nobody has tried yet nobody knows whether it works.
    world.bid_provider(&other, "deactivate").await.ok(200);
    let on = world.bid_provider(&other, "activate").await;
    assert_eq!((&on.ok(200)["status"], &on.ok(200)["is_active"]), (&json!("pending"), &json!(true)));
}

#[tokio::test]
async fn a_refused_login_is_not_made_good_by_switching() {
    let world = World::start().await;
    let refused = TestOutcome::Refused { reason: "Wrong password.".to_owned(), of_password: true };
    let verifier = world.provider_verifier(refused);
    let id = world.add_provider("x").await;
    let provider = world.until_status(&id, "error").await;
    assert_eq!(provider["status_reason"], "Wrong password.");
    assert!(provider["last_tested_at"].is_string());
    assert_eq!(world.bid_provider(&id, "deactivate").await.ok(200)["status"], "inactive");
    let on = world.bid_provider(&id, "activate").await;
    assert_eq!((&on.ok(200)["status"], &on.ok(200)["is_active"]), (&json!("error"), &json!(true)));
    verifier.abort();
    let _verifier = world.provider_verifier(TestOutcome::Accepted);
    let changed = world.patch_provider(&id, &json!({"smtp_password": "other"})).await;
    assert_eq!((&changed.ok(200)["status"], &changed.ok(200)["status_reason"]), (&json!("pending"), &json!(null)));
    world.until_status(&id, "active").await;
}
