//! `/v1/webhooks` and `/v1/webhooks/{webhookId}`.

use serde_json::{Value, json};

use super::body;
use crate::world::{World, with};

const URL: &str = "https://hooks.example/in";

fn minimal() -> Value {
    body(URL)
}

/// As many letters.
fn long(length: usize) -> String {
    "x".repeat(length)
}

#[tokio::test]
async fn a_created_webhook_tells_its_secret_once() {
    let world = World::start().await;
    let given = json!({"name": "  CRM ", "url": format!(" {URL}?a=b "), "retryAttempts": 0, "timeoutMs": 30000,
                       "secret": "sixteen letters!", "events": ["mailbox.failed", "mailbox.failed", "webhook.test"]});
    let answer = world.post_hook(&given).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let created = answer.data();
    let (id, at) = (created["_id"].as_str().unwrap(), &created["createdAt"]);
    let shown = json!({"_id": id, "workspaceId": world.workspace, "name": "CRM", "url": format!("{URL}?a=b"),
                       "events": ["mailbox.failed", "webhook.test"], "retryAttempts": 0, "timeoutMs": 30000,
                       "status": "active", "createdBy": world.owner, "createdAt": at, "updatedAt": at});
    assert_eq!(*created, with(shown.clone(), &json!({"secret": "sixteen letters!"})));
    assert_eq!(world.hook(id).await, shown);
    assert_eq!(*world.get("/v1/webhooks").await.data(), json!([shown]));

    let least = world.post_hook(&minimal()).await;
    let least = least.data();
    assert_eq!((&least["retryAttempts"], &least["timeoutMs"]), (&json!(3), &json!(10000)));
    let secret = least["secret"].as_str().unwrap();
    assert!(secret.len() == 64 && secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{secret}");
    let null = json!({"secret": null, "retryAttempts": null, "timeoutMs": null, "other": 1});
    assert_eq!(world.post_hook(&with(minimal(), &json!({}))).await.status, 201);
    let mut nulls = minimal();
    nulls.as_object_mut().unwrap().extend(null.as_object().unwrap().clone());
    assert_eq!(world.post_hook(&nulls).await.data()["retryAttempts"], 3, "null is as good as absence");
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let world = World::start().await;
    let (id, _) = world.add_hook(&minimal()).await;
    for (changes, field) in [
        (json!({"name": "  "}), "name"),
        (json!({"name": 1}), "name"),
        (json!({"name": long(256)}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"url": 1}), "url"),
        (json!({"url": ""}), "url"),
        (json!({"url": "hooks.example"}), "url"),
        (json!({"url": "http://hooks.example/in"}), "url"),
        (json!({"url": "https://"}), "url"),
        (json!({"url": "https://dana:sesame@hooks.example"}), "url"),
        (json!({"url": "https://hooks.example/\u{0}"}), "url"),
        (json!({"url": format!("https://hooks.example/{}", long(2048))}), "url"),
        (json!({"events": "webhook.test"}), "events"),
        (json!({"events": []}), "events"),
        (json!({"events": [1]}), "events"),
        (json!({"events": ["webhook.test", "email.replied"]}), "events"),
        (json!({"events": ["WEBHOOK.TEST"]}), "events"),
        (json!({"secret": 1}), "secret"),
        (json!({"secret": long(15)}), "secret"),
        (json!({"secret": long(256)}), "secret"),
        (json!({"secret": "sesame sesame sesame\n"}), "secret"),
        (json!({"retryAttempts": -1}), "retryAttempts"),
        (json!({"retryAttempts": 11}), "retryAttempts"),
        (json!({"retryAttempts": 1.5}), "retryAttempts"),
        (json!({"retryAttempts": "3"}), "retryAttempts"),
        (json!({"timeoutMs": 999}), "timeoutMs"),
        (json!({"timeoutMs": 30001}), "timeoutMs"),
        (json!({"timeoutMs": 5_000_000_000_u64}), "timeoutMs"),
    ] {
        for answer in [world.post_hook(&with(minimal(), &changes)).await, world.patch_hook(&id, &changes).await] {
            assert_eq!(answer.bad_fields(), [field], "{changes}");
            assert!(!answer.body.to_string().contains("sesame"), "{answer:?}");
        }
    }
    let missing = world.post_hook(&json!({"retryAttempts": 99})).await;
    assert_eq!(missing.bad_fields(), ["name", "url", "events", "retryAttempts"]);
    // Only a rotation replaces it.
    assert_eq!(world.patch_hook(&id, &json!({"secret": "sixteen letters!"})).await.bad_fields(), ["secret"]);
    for status in [json!("failing"), json!("on"), json!(true)] {
        assert_eq!(world.patch_hook(&id, &json!({"status": status})).await.bad_fields(), ["status"]);
    }
    for edge in [
        json!({"name": long(255)}),
        json!({"retryAttempts": 10}),
        json!({"timeoutMs": 1000}),
        json!({"secret": long(16)}),
        json!({"secret": long(255)}),
    ] {
        assert_eq!(world.post_hook(&with(minimal(), &edge)).await.status, 201, "{edge}");
    }
}

#[tokio::test]
async fn only_what_is_named_changes() {
    let world = World::start().await;
    let (id, secret) = world.add_hook(&minimal()).await;
    let before = world.hook(&id).await;
    for nothing in [json!({}), json!({"name": null, "url": null, "status": null, "other": true})] {
        assert_eq!(*world.patch_hook(&id, &nothing).await.data(), before);
    }
    for (change, shown) in [
        (json!({"name": " other "}), json!({"name": "other"})),
        (json!({"url": "https://other.example/?a=b"}), json!({})),
        (json!({"events": ["webhook.test", "webhook.test"]}), json!({"events": ["webhook.test"]})),
        (json!({"retryAttempts": 10}), json!({})),
        (json!({"timeoutMs": 1000}), json!({})),
        (json!({"status": "disabled"}), json!({})),
        (json!({"status": "active"}), json!({})),
    ] {
        let before = world.hook(&id).await;
        let answer = world.patch_hook(&id, &change).await;
        let expected = with(with(before, &change), &shown);
        let expected = with(expected, &json!({"updatedAt": answer.data()["updatedAt"]}));
        assert_eq!(*answer.data(), expected, "{change}");
        assert_eq!(world.hook(&id).await, expected);
        assert!(!answer.body.to_string().contains(&secret));
    }
}

#[tokio::test]
async fn pages_and_deletions() {
    let world = World::start().await;
    let mut ids = vec![];
    for _ in 0..3 {
        ids.insert(0, world.add_hook(&minimal()).await.0);
    }
    let page = async |query: &str| {
        let answer = world.get(&format!("/v1/webhooks?{query}")).await;
        let shown: Vec<String> =
            answer.data().as_array().unwrap().iter().map(|hook| hook["_id"].as_str().unwrap().to_owned()).collect();
        (shown, answer.body["pagination"].clone())
    };
    let (shown, block) = page("limit=2").await;
    assert_eq!(shown, ids[..2]);
    assert_eq!(block, json!({"limit": 2, "total": 3, "hasMore": true, "nextCursor": ids[1]}));
    let (shown, block) = page(&format!("limit=2&cursor={}", ids[1])).await;
    assert_eq!(shown, ids[2..]);
    assert_eq!(block, json!({"limit": 2, "total": 3, "hasMore": false, "nextCursor": null}));
    let (shown, block) = page("limit=1&page=2").await;
    assert_eq!(shown, ids[1..2]);
    assert_eq!(block, json!({"limit": 1, "total": 3, "hasMore": true, "nextCursor": ids[1], "page": 2, "pages": 3}));
    assert_eq!(page("limit=500").await.1["limit"], 100);
    for (query, field) in [("limit=0", "limit"), ("limit=x", "limit"), ("cursor=x", "cursor"), ("page=0", "page")] {
        assert_eq!(world.get(&format!("/v1/webhooks?{query}")).await.bad_fields(), [field], "{query}");
    }
    let path = format!("/v1/webhooks/{}", ids[0]);
    assert_eq!(*world.delete(&path).await.data(), json!({"message": "Webhook removed"}));
    world.delete(&path).await.is_failure(404, "NOT_FOUND");
    assert_eq!(
        page("").await,
        (ids[1..].to_vec(), json!({"limit": 25, "total": 2, "hasMore": false, "nextCursor": null}))
    );
}

#[tokio::test]
async fn there_are_at_most_fifty() {
    let world = World::start().await;
    for _ in 0..50 {
        world.add_hook(&minimal()).await;
    }
    let refused = world.post_hook(&minimal()).await;
    assert_eq!(refused.failure(), (409, "CONFLICT", "The workspace has as many webhooks as it can have"));
}
