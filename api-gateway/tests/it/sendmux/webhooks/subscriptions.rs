//! `/webhooks` and `/webhooks/{id}`.

use reqwest::Method;
use serde_json::json;

use super::super::domains::COMPLETE;
use super::super::is_id;
use super::{body, with};
use crate::world::World;

const URL: &str = "https://hooks.example/in";
const ALL: [&str; 8] = [
    "message.delivered",
    "message.bounced",
    "message.complained",
    "message.rejected",
    "message.delivery_delayed",
    "message.received",
    "message.received.spam",
    "sendmux.test",
];

#[tokio::test]
async fn a_created_webhook_tells_its_secret_once() {
    let world = World::start().await;
    let answer = world.post_webhook(&json!({"url": URL, "event_types": ALL, "name": "n"})).await;
    let created = answer.ok(201);
    let id = created["id"].as_str().unwrap();
    assert!(is_id("whk_", id), "{id}");
    assert_eq!(answer.header("location"), format!("/api/v1/webhooks/{id}"));
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let at = &created["created_at"];
    let shown = json!({"id": id, "url": URL, "event_types": ALL, "name": "n", "enabled": true, "failing": false,
                       "filters": {"mailbox_ids": []}, "created_at": at, "updated_at": at});
    assert_eq!(*created, with(&shown, &json!({"secret": secret})));
    assert_eq!(world.get_webhook(id).await, shown);
    let list = world.sendmux(Method::GET, "/webhooks").ask().await;
    assert_eq!(*list.ok(200), json!([shown]));
    let least = world.post_webhook(&body(URL)).await;
    assert_eq!((&least.ok(201)["name"], &least.ok(201)["enabled"]), (&json!(null), &json!(true)));
    let off = world.post_webhook(&with(&body(URL), &json!({"enabled": false, "name": null, "filters": {}}))).await;
    assert_eq!(off.ok(201)["enabled"], false);
}

#[tokio::test]
async fn faults_of_the_schema_and_broken_rules_differ() {
    let world = World::start().await;
    let (id, _) = world.add_webhook(URL).await;
    let long = "x".repeat(256);
    for (changes, faults) in [
        (json!({"url": null}), &[("url", "invalid_type")][..]),
        (json!({"url": ""}), &[("url", "too_small")]),
        (json!({"url": format!("https://x.example/{}", "x".repeat(2048))}), &[("url", "too_big")]),
        (json!({"event_types": null}), &[("event_types", "invalid_type")]),
        (json!({"event_types": "sendmux.test"}), &[("event_types", "invalid_type")]),
        (json!({"event_types": ["sendmux.test", 1]}), &[("event_types.1", "invalid_type")]),
        (json!({"name": long}), &[("name", "too_big")]),
        (json!({"enabled": "yes"}), &[("enabled", "invalid_type")]),
        (json!({"enabled": null}), &[("enabled", "invalid_type")]),
        (json!({"filters": null}), &[("filters", "invalid_type")]),
        (json!({"filters": {"mailbox_ids": null}}), &[("filters.mailbox_ids", "invalid_type")]),
        (
            json!({"filters": {"mailbox_ids": [1], "x": 1}}),
            &[("filters.mailbox_ids.0", "invalid_type"), ("filters.x", "unrecognized_keys")],
        ),
        (json!({"secret": "whsec_x"}), &[("secret", "unrecognized_keys")]),
    ] {
        for answer in [world.post_webhook(&with(&body(URL), &changes)).await, world.patch_webhook(&id, &changes).await]
        {
            assert_eq!(answer.error(), (400, "invalid_parameter", Some(faults[0].0)), "{changes}");
            assert_eq!(answer.faults(), faults, "{changes}");
        }
    }
    let missing = world.post_webhook(&json!({"name": ""})).await;
    assert_eq!(missing.faults(), [("url", "invalid_type"), ("event_types", "invalid_type"), ("name", "too_small")]);
    for (changes, fields) in [
        (json!({"url": "http://hooks.example/in"}), &["url"][..]),
        (json!({"url": "ftp://hooks.example"}), &["url"]),
        (json!({"url": "hooks.example"}), &["url"]),
        (json!({"url": "https://"}), &["url"]),
        (json!({"url": "https://dana:sesame@hooks.example"}), &["url"]),
        (json!({"event_types": []}), &["event_types"]),
        (json!({"event_types": ["message.opened"]}), &["event_types.0"]),
        (json!({"event_types": ["sendmux.test", "SENDMUX.TEST"], "url": "x"}), &["url", "event_types.1"]),
        (json!({"url": " https://hooks.example"}), &["url"]),
        (json!({"url": "https://hooks.example/a\nb"}), &["url"]),
        (json!({"url": "https:///hooks"}), &["url"]),
        (json!({"name": "a\nb"}), &["name"]),
        (json!({"filters": {"mailbox_ids": ["mbx_x"]}}), &["filters.mailbox_ids.0"]),
        (json!({"filters": {"mailbox_ids": vec!["mbx_x"; 101]}}), &["filters.mailbox_ids"]),
    ] {
        for answer in [world.post_webhook(&with(&body(URL), &changes)).await, world.patch_webhook(&id, &changes).await]
        {
            assert_eq!(answer.error(), (422, "validation_error", Some(fields[0])), "{changes}");
            let named: Vec<&str> = answer.faults().iter().map(|(field, _)| *field).collect();
            assert_eq!(named, fields, "{changes}");
            assert!(!answer.body.to_string().contains("sesame"));
        }
    }
    assert_eq!(world.sendmux(Method::GET, "/webhooks").ask().await.ok(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn filters_name_mailboxes_of_the_team() {
    let world = World::start().await;
    world.domain("acme.example", "send_receive").await;
    world.find_records(COMPLETE).await;
    let made = world.sendmux(Method::POST, "/mailboxes").json(&json!({"email": "dana@acme.example"})).ask().await;
    let mailbox = made.ok(201)["mailbox"]["id"].as_str().unwrap();
    let filters = json!({"filters": {"mailbox_ids": [mailbox]}});
    let created = world.post_webhook(&with(&body(URL), &filters)).await;
    assert_eq!(created.ok(201)["filters"], filters["filters"]);
    let id = created.ok(201)["id"].as_str().unwrap();
    assert_eq!(world.get_webhook(id).await["filters"], filters["filters"]);
    // A test event does not depend on the mailboxes that the webhook is limited to.
    assert_eq!(world.bid_webhook(id, "test").await.status, 200);
    let (_, stranger) = world.sendmux_stranger().await;
    let theirs = world.sendmux_with(Method::POST, "/webhooks", &stranger).json(&with(&body(URL), &filters)).ask().await;
    assert_eq!(theirs.error(), (422, "validation_error", Some("filters.mailbox_ids.0")));
}

#[tokio::test]
async fn only_what_is_named_changes() {
    let world = World::start().await;
    let (id, secret) = world.add_webhook(URL).await;
    let unchanged = world.patch_webhook(&id, &json!({})).await;
    assert_eq!(*unchanged.ok(200), world.get_webhook(&id).await);
    for (change, shown) in [
        (json!({"url": "https://other.example/?a=b"}), None),
        (
            json!({"event_types": ["message.bounced", "sendmux.test", "message.bounced"]}),
            Some(json!({"event_types": ["message.bounced", "sendmux.test"]})),
        ),
        (json!({"name": "n"}), None),
        (json!({"name": ""}), None),
        (json!({"name": null}), None),
        (json!({"enabled": false}), None),
        (json!({"filters": {"mailbox_ids": []}}), None),
    ] {
        let before = world.get_webhook(&id).await;
        let answer = world.patch_webhook(&id, &change).await;
        let updated = json!({"updated_at": answer.ok(200)["updated_at"]});
        let expected = with(&with(&before, shown.as_ref().unwrap_or(&change)), &updated);
        assert_eq!(*answer.ok(200), expected, "{change}");
        let read = world.sendmux(Method::GET, &format!("/webhooks/{id}")).ask().await;
        assert_eq!((read.ok(200), read.header("etag")), (&expected, answer.header("etag")));
        assert!(!answer.body.to_string().contains(&secret));
    }
}

#[tokio::test]
async fn a_change_may_depend_on_what_is_there() {
    let world = World::start().await;
    let (id, _) = world.add_webhook(URL).await;
    let path = format!("/webhooks/{id}");
    let read = world.sendmux(Method::GET, &path).ask().await;
    let tag = read.header("etag");
    let known = world.sendmux(Method::GET, &path).header("If-None-Match", tag).ask().await;
    assert_eq!(known.status, 304);
    let patch = async |name: &str| {
        world.sendmux(Method::PATCH, &path).header("If-Match", tag).json(&json!({"name": name})).ask().await
    };
    assert_eq!(patch("a").await.ok(200)["name"], "a");
    let refused = patch("b").await;
    assert_eq!(refused.error(), (409, "conflict", None));
    assert_ne!(refused.header("etag"), tag);
    assert_eq!(world.get_webhook(&id).await["name"], "a");
}

#[tokio::test]
async fn pages_and_deletions() {
    let world = World::start().await;
    let mut ids = vec![];
    for _ in 0..3 {
        ids.insert(0, world.add_webhook(URL).await.0);
    }
    let page = async |query: &str| world.sendmux(Method::GET, &format!("/webhooks?{query}")).ask().await;
    let first = page("limit=2").await;
    let cursor = first.body["pagination"]["next_cursor"].as_str().unwrap();
    let second = page(&format!("limit=2&cursor={cursor}")).await;
    let shown: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page.ok(200).as_array().unwrap())
        .map(|webhook| webhook["id"].as_str().unwrap())
        .collect();
    assert_eq!(shown, ids);
    assert_eq!(second.body["pagination"], json!({"has_more": false}));
    assert_eq!(page("limit=0").await.error(), (400, "invalid_parameter", Some("limit")));
    let path = format!("/webhooks/{}", ids[0]);
    assert_eq!(*world.sendmux(Method::DELETE, &path).ask().await.ok(200), json!({"id": ids[0], "deleted": true}));
    assert_eq!(world.sendmux(Method::DELETE, &path).ask().await.error(), (404, "not_found", None));
    assert_eq!(page("limit=9").await.ok(200).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_repeated_creation_tells_the_same_secret() {
    let world = World::start().await;
    let post = async |key: &str, url: &str| {
        world.sendmux(Method::POST, "/webhooks").header("Idempotency-Key", key).json(&body(url)).ask().await
    };
    let first = post("k", URL).await;
    let again = post("k", URL).await;
    assert_eq!((again.status, &again.body, again.header("location")), (201, &first.body, first.header("location")));
    assert_eq!(post("k", "https://other.example").await.error(), (409, "idempotency_conflict", None));
    assert_eq!(world.sendmux(Method::GET, "/webhooks").ask().await.ok(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn there_are_at_most_fifty() {
    let world = World::start().await;
    for _ in 0..50 {
        world.add_webhook(URL).await;
    }
    assert_eq!(world.post_webhook(&body(URL)).await.error(), (409, "limit_exceeded", None));
}
