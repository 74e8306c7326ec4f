//! `GET /v1/mailboxes`: items and pages.

use serde_json::{Value, json};
use shared_models::domain::MailboxId;

use crate::client::{Answer, members};
use crate::world::{World, minimal};

fn names(answer: &Answer) -> Vec<&str> {
    let items = answer.data().as_array().unwrap();
    items.iter().map(|item| item["email"].as_str().unwrap().split('@').next().unwrap()).collect()
}

/// A gateway with mailboxes m0, m1, ...
async fn filled(count: usize) -> World {
    let world = World::start().await;
    for n in 0..count {
        world.add(&minimal(&format!("m{n}"))).await;
    }
    world
}

#[tokio::test]
async fn an_empty_list() {
    let world = World::start().await;
    let answer = world.get("/v1/mailboxes").await;
    let pagination = json!({"limit": 25, "total": 0, "hasMore": false, "nextCursor": null});
    assert_eq!((answer.status, answer.body), (200, json!({"success": true, "data": [], "pagination": pagination})));
}

#[tokio::test]
async fn items_have_no_hosts_and_no_secrets() {
    let world = filled(1).await;
    let answer = world.get("/v1/mailboxes").await;
    let item = &answer.data()[0];
    let expected = [
        "_id",
        "bounceRate",
        "connectionType",
        "createdAt",
        "dailySendLimit",
        "displayName",
        "email",
        "lastError",
        "provider",
        "sendingEnabled",
        "sentToday",
        "signature",
        "status",
        "tags",
        "totalSent",
        "warmup",
    ];
    assert_eq!(members(item), expected);
    let warmup = json!({"enabled": false, "status": "not_started", "currentDay": 0, "currentVolume": 0, "metrics": {}});
    assert_eq!(item["warmup"], warmup);
    assert!(!answer.body.to_string().contains("sesame"));
    let other = world.stranger().await.1;
    let theirs = world.client.call_with_key(reqwest::Method::GET, "/v1/mailboxes", &other).send().await;
    assert_eq!(theirs.data(), &json!([]));
}

#[tokio::test]
async fn cursors_lead_through_all_pages() {
    let world = filled(7).await;
    let (mut walked, mut cursor) = (vec![], String::new());
    for (page, count) in [3, 3, 1].into_iter().enumerate() {
        let answer = world.get(&format!("/v1/mailboxes?limit=3&cursor={cursor}")).await;
        let last = answer.data()[count - 1]["_id"].clone();
        let has_more = page < 2;
        let next = if has_more { last } else { Value::Null };
        assert_eq!(answer.body["pagination"], json!({"limit": 3, "total": 7, "hasMore": has_more, "nextCursor": next}));
        walked.extend(names(&answer).into_iter().map(str::to_owned));
        cursor = next.as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(walked, ["m6", "m5", "m4", "m3", "m2", "m1", "m0"], "newest first");
    let beyond = world.get(&format!("/v1/mailboxes?cursor={}", "0".repeat(24))).await;
    assert_eq!((names(&beyond).len(), &beyond.body["pagination"]["total"]), (0, &json!(7)));
}

#[tokio::test]
async fn numbered_pages_of_older_clients() {
    let world = filled(5).await;
    for (page, expected, has_more) in
        [(1, &["m4", "m3"][..], true), (2, &["m2", "m1"], true), (3, &["m0"], false), (4, &[], false)]
    {
        let answer = world.get(&format!("/v1/mailboxes?page={page}&limit=2")).await;
        assert_eq!(names(&answer), expected);
        let pagination = &answer.body["pagination"];
        assert_eq!(members(pagination), ["hasMore", "limit", "nextCursor", "page", "pages", "total"]);
        assert_eq!(
            (&pagination["page"], &pagination["pages"], &pagination["total"]),
            (&json!(page), &json!(3), &json!(5))
        );
        assert_eq!(pagination["hasMore"], has_more);
    }
}

#[tokio::test]
async fn limits() {
    let world = filled(27).await;
    for (query, limit, count) in [
        ("", 25, 25),
        ("?limit=1", 1, 1),
        ("?limit=100", 100, 27),
        ("?limit=101", 100, 27),
        ("?limit=200", 100, 27),
        ("?limit=", 25, 25),
    ] {
        let answer = world.get(&format!("/v1/mailboxes{query}")).await;
        assert_eq!((&answer.body["pagination"]["limit"], names(&answer).len()), (&json!(limit), count), "{query}");
    }
}

#[tokio::test]
async fn pages_that_cannot_be() {
    let world = filled(1).await;
    for (query, fields) in [
        ("limit=0", &["limit"][..]),
        ("limit=-1", &["limit"]),
        ("limit=ten", &["limit"]),
        ("limit=2.5", &["limit"]),
        ("page=0", &["page"]),
        ("page=x", &["page"]),
        ("page=99999999999", &["page"]),
        ("cursor=nonsense", &["cursor"]),
        ("cursor=66C0FFEE12AB34CD56EF7890", &["cursor"]),
        ("limit=0&page=0&cursor=x", &["limit", "page", "cursor"]),
    ] {
        assert_eq!(world.get(&format!("/v1/mailboxes?{query}")).await.bad_fields(), fields, "{query}");
    }
    let foreign = MailboxId::new();
    assert_eq!(
        world.get(&format!("/v1/mailboxes?cursor={foreign}")).await.status,
        200,
        "any id is a place in the list"
    );
}
