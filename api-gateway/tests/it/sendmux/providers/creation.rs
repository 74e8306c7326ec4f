//! `POST /providers`.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::is_id;
use super::{minimal, with};
use crate::world::World;

#[tokio::test]
async fn a_created_provider_has_every_member() {
    let world = World::start().await;
    let answer = world.post_provider(&minimal("Acme")).await;
    let created = answer.ok(201);
    let id = created["id"].as_str().unwrap();
    assert!(is_id("dprov_", id), "{id}");
    assert_eq!(answer.header("location"), format!("/api/v1/providers/{id}"));
    let at = created["created_at"].clone();
    let expected = json!({
        "id": id, "name": "Acme", "type": "smtp", "status": "pending", "status_reason": null, "is_active": true,
        "is_shared": false, "is_editable": true, "has_smtp_password": true, "has_refresh_token": false,
        "allowed_actions": {"update": true, "delete": true, "activate": false, "deactivate": true, "test": true,
                            "update_variables": true},
        "quotas": {"per_second": null, "per_minute": null, "per_hour": null, "per_day": null}, "percentage": 100,
        "smtp_host": "smtp.mail.example", "smtp_port": 587, "smtp_protocol": "starttls", "smtp_username": "dana",
        "from_email": null, "from_name": null, "reply_to_email": null, "reply_to_name": null, "oauth_email": null,
        "tracking_domain": null, "variables": {}, "last_tested_at": null, "last_used_at": null,
        "created_at": at, "updated_at": at,
    });
    assert_eq!(*created, expected);
    assert!(at.as_str().unwrap().ends_with('Z'));
    assert_eq!(world.get_provider(id).await, expected);
}

#[tokio::test]
async fn everything_that_may_be_said_is_kept() {
    let world = World::start().await;
    let said = json!({
        "smtp_host": "SMTP.Mail.example.", "smtp_port": 465, "smtp_protocol": "ssl", "from_email": "Dana@Mail.example",
        "from_name": "Dána", "reply_to_email": "r@mail.example", "reply_to_name": "", "percentage": 0,
        "quotas": {"per_second": 1, "per_minute": {"min": 2, "max": 9007199254740991_i64}, "per_hour": null},
        "tracking_domain": "Links.Mail.example", "variables": {"a": "", "b.c": "ü\n".repeat(2048)},
    });
    let answer = world.post_provider(&with(&minimal("x"), &said)).await;
    let created = answer.ok(201);
    for (name, value) in said.as_object().unwrap() {
        let kept = match name.as_str() {
            "smtp_host" => json!("smtp.mail.example"),
            "tracking_domain" => json!("links.mail.example"),
            "quotas" => {
                json!({"per_second": {"min": 1, "max": 1}, "per_minute": {"min": 2, "max": 9007199254740991_i64},
                               "per_hour": null, "per_day": null})
            }
            _ => value.clone(),
        };
        assert_eq!(created[name], kept, "{name}");
    }
    for protocol in ["tls", "ssl", "none", "starttls"] {
        let answer = world.post_provider(&with(&minimal("x"), &json!({"smtp_protocol": protocol}))).await;
        assert_eq!(answer.ok(201)["smtp_protocol"], protocol);
    }
    let nulls = json!({"from_email": null, "from_name": null, "reply_to_email": null, "reply_to_name": null,
                       "tracking_domain": null, "quotas": {"per_day": null}});
    assert_eq!(world.post_provider(&with(&minimal("x"), &nulls)).await.status, 201);
    let longest = json!({"name": "ü".repeat(255), "smtp_username": "u".repeat(255), "smtp_password": "p".repeat(500),
                         "from_name": "n".repeat(255), "smtp_port": 65535});
    assert_eq!(world.post_provider(&with(&minimal("x"), &longest)).await.status, 201);
}

#[tokio::test]
async fn the_password_is_told_nowhere() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    for answer in [
        world.post_provider(&minimal("y")).await,
        world.patch_provider(&id, &json!({"smtp_password": "sesame two", "name": "z"})).await,
        world.sendmux(Method::GET, "/providers").ask().await,
        world.post_provider(&with(&minimal("y"), &json!({"smtp_password": "sesame\n", "smtp_port": 0}))).await,
        world.post_provider(&with(&minimal("y"), &json!({"smtp_password": "sesame\n"}))).await,
    ] {
        assert!(!answer.body.to_string().contains("sesame"), "{answer:?}");
    }
}

#[tokio::test]
async fn every_fault_of_the_schema_is_named() {
    let world = World::start().await;
    let long = "x".repeat(256);
    for (changes, faults) in [
        (json!({"name": ""}), &[("name", "too_small")][..]),
        (json!({"name": long}), &[("name", "too_big")]),
        (json!({"name": 5}), &[("name", "invalid_type")]),
        (json!({"name": null}), &[("name", "invalid_type")]),
        (json!({"smtp_host": ""}), &[("smtp_host", "too_small")]),
        (json!({"smtp_host": long}), &[("smtp_host", "too_big")]),
        (json!({"smtp_port": 0}), &[("smtp_port", "too_small")]),
        (json!({"smtp_port": 65536}), &[("smtp_port", "too_big")]),
        (json!({"smtp_port": "587"}), &[("smtp_port", "invalid_type")]),
        (json!({"smtp_port": 587.5}), &[("smtp_port", "invalid_type")]),
        (json!({"smtp_protocol": "TLS"}), &[("smtp_protocol", "invalid_enum_value")]),
        (json!({"smtp_protocol": null}), &[("smtp_protocol", "invalid_type")]),
        (json!({"smtp_username": ""}), &[("smtp_username", "too_small")]),
        (json!({"smtp_password": ""}), &[("smtp_password", "too_small")]),
        (json!({"smtp_password": "p".repeat(501)}), &[("smtp_password", "too_big")]),
        (json!({"from_email": "dana"}), &[("from_email", "invalid_string")]),
        (json!({"reply_to_email": " r@mail.example"}), &[("reply_to_email", "invalid_string")]),
        (
            json!({"from_name": long, "reply_to_name": 1}),
            &[("from_name", "too_big"), ("reply_to_name", "invalid_type")],
        ),
        (json!({"percentage": 101}), &[("percentage", "too_big")]),
        (json!({"percentage": -1}), &[("percentage", "too_small")]),
        (json!({"percentage": null}), &[("percentage", "invalid_type")]),
        (json!({"quotas": null}), &[("quotas", "invalid_type")]),
        (json!({"quotas": []}), &[("quotas", "invalid_type")]),
        (json!({"quotas": {"per_second": 0}}), &[("quotas.per_second", "too_small")]),
        (json!({"quotas": {"per_second": 1.5}}), &[("quotas.per_second", "invalid_type")]),
        (json!({"quotas": {"per_second": "1"}}), &[("quotas.per_second", "invalid_type")]),
        (
            json!({"quotas": {"per_day": {"min": 0, "max": -5}}}),
            &[("quotas.per_day.min", "too_small"), ("quotas.per_day.max", "too_small")],
        ),
        (json!({"quotas": {"per_day": {"min": 1}}}), &[("quotas.per_day.max", "invalid_type")]),
        (
            json!({"quotas": {"per_day": {"min": 1, "max": 2, "mid": 1}}}),
            &[("quotas.per_day.mid", "unrecognized_keys")],
        ),
        (json!({"quotas": {"per_week": 1}}), &[("quotas.per_week", "unrecognized_keys")]),
        (json!({"tracking_domain": long}), &[("tracking_domain", "too_big")]),
        (json!({"variables": null}), &[("variables", "invalid_type")]),
        (
            json!({"variables": {"a": 1, "b": "x".repeat(4097)}}),
            &[("variables.a", "invalid_type"), ("variables.b", "too_big")],
        ),
        (json!({"type": "smtp", "id": "x"}), &[("id", "unrecognized_keys"), ("type", "unrecognized_keys")]),
        (json!({"variables": [], "name": 1}), &[("name", "invalid_type"), ("variables", "invalid_type")]),
    ] {
        let answer = world.post_provider(&with(&minimal("x"), &changes)).await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some(faults[0].0)), "{changes}");
        assert_eq!(answer.faults(), faults, "{changes}");
    }
    let required = ["name", "smtp_host", "smtp_port", "smtp_protocol", "smtp_username", "smtp_password"];
    let answer = world.post_provider(&json!({})).await;
    assert_eq!(answer.faults(), required.map(|name| (name, "invalid_type")));
    for body in ["", "{", "[]", "null", "\"x\""] {
        let call = world.sendmux(Method::POST, "/providers").raw(Some("application/json"), body);
        assert_eq!(call.ask().await.error(), (400, "invalid_parameter", None), "{body}");
    }
    let page = world.sendmux(Method::GET, "/providers").ask().await;
    assert_eq!(*page.ok(200), json!([]));
}

#[tokio::test]
async fn what_breaks_a_rule_is_a_fault_of_another_kind() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    let before = world.get_provider(&id).await;
    for (changes, fields) in [
        (json!({"smtp_host": "https://mail.example"}), &["smtp_host"][..]),
        (json!({"smtp_host": "mail.example:587"}), &["smtp_host"]),
        (json!({"smtp_username": "da\r\nna", "name": "a\nb"}), &["name", "smtp_username"]),
        (json!({"smtp_password": "a\u{1}b"}), &["smtp_password"]),
        (json!({"from_name": "a\r\nBcc: x", "reply_to_name": "\t"}), &["from_name", "reply_to_name"]),
        (
            json!({"quotas": {"per_hour": {"min": 3, "max": 2}, "per_day": {"min": 2, "max": 2}}}),
            &["quotas.per_hour.min"],
        ),
        (json!({"tracking_domain": "https://x.example/y"}), &["tracking_domain"]),
        (json!({"tracking_domain": ""}), &["tracking_domain"]),
    ] {
        for answer in
            [world.post_provider(&with(&minimal("x"), &changes)).await, world.patch_provider(&id, &changes).await]
        {
            assert_eq!(answer.error(), (422, "validation_error", Some(fields[0])), "{changes}");
            assert_eq!(answer.faults().iter().map(|(field, _)| *field).collect::<Vec<_>>(), fields);
        }
    }
    assert_eq!(world.get_provider(&id).await, before);
}

#[tokio::test]
async fn a_repeated_request_adds_nothing() {
    let world = World::start().await;
    let post = async |key: &str, body: &Value| {
        world.sendmux(Method::POST, "/providers").header("Idempotency-Key", key).json(body).ask().await
    };
    let first = post("one", &minimal("x")).await;
    let again = post("one", &minimal("x")).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(post("one", &minimal("y")).await.error(), (409, "idempotency_conflict", None));
    assert_ne!(post("two", &minimal("x")).await.ok(201)["id"], first.ok(201)["id"]);
    // A request that failed leaves its key free, even for another body.
    let bad = with(&minimal("x"), &json!({"smtp_host": "a b"}));
    assert_eq!(post("three", &bad).await.status, 422);
    assert_eq!(post("three", &minimal("x")).await.status, 201);
    assert_eq!(world.sendmux(Method::GET, "/providers").ask().await.ok(200).as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let world = World::start().await;
    let body = with(&minimal("x"), &json!({"variables": {"a": "x".repeat(1 << 20)}}));
    assert_eq!(world.post_provider(&body).await.error(), (413, "payload_too_large", None));
    let many: serde_json::Map<String, Value> = (0..200).map(|n| (format!("v{n}"), json!("x".repeat(4000)))).collect();
    assert_eq!(world.post_provider(&with(&minimal("x"), &json!({"variables": many}))).await.status, 201);
}
