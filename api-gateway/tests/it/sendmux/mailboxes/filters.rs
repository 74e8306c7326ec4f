//! `GET` and `PUT` of filters.

use reqwest::Method;
use serde_json::json;

use super::CONFLICT;
use crate::world::World;

#[tokio::test]
async fn rules_are_replaced_as_a_whole() {
    let world = World::with_acme().await;
    let id = world.mailbox_id("kim@acme.example").await;
    let path = format!("/mailboxes/{id}/filters");
    let none = world.of_mailbox(Method::GET, &id, "/filters").await;
    assert_eq!(none.ok(200), &json!({"mode": "off", "rules": []}));
    let rules = json!([
        {"type": "deny", "pattern": "*@Z.example", "note": "a note"}, {"type": "deny", "pattern": "Eve@B.example"},
    ]);
    let put = async |mode: &str, tag: Option<&str>| {
        let call = world.sendmux(Method::PUT, &path).json(&json!({"mode": mode, "rules": rules}));
        tag.into_iter().fold(call, |call, tag| call.header("If-Match", tag)).ask().await
    };
    let answer = put("denylist", Some(none.header("etag"))).await;
    let expected = json!({"mode": "denylist", "rules": [
        {"type": "deny", "pattern": "eve@b.example", "note": null},
        {"type": "deny", "pattern": "z.example", "note": "a note"},
    ]});
    assert_eq!(answer.ok(200), &expected);
    let read = world.of_mailbox(Method::GET, &id, "/filters").await;
    assert_eq!((read.ok(200), read.header("etag")), (&expected, answer.header("etag")));
    let late = put("off", Some(none.header("etag"))).await;
    assert_eq!((late.error(), late.header("etag")), (CONFLICT, read.header("etag")));
    let contradiction = put("allowlist", None).await;
    assert_eq!((contradiction.status, contradiction.error().2), (422, Some("rules.0.type")));
    assert_eq!(world.of_mailbox(Method::GET, &id, "/filters").await.ok(200), &expected);
    assert!(!world.store.lets_through("x@z.example", "kim@acme.example").await.unwrap());
}
