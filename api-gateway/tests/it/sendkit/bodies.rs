//! Bodies that are no JSON object, or too much of one.

use reqwest::Method;
use serde_json::json;

use crate::world::{World, minimal};

/// Operations that read a body, with keys that may.
fn with_bodies(world: &World, id: &str) -> Vec<(Method, String, String)> {
    let (workspace, platform) = (world.key.clone(), world.platform_key.clone());
    vec![
        (Method::POST, "/v1/mailboxes".to_owned(), workspace.clone()),
        (Method::PATCH, format!("/v1/mailboxes/{id}"), workspace),
        (Method::POST, "/v1/workspaces".to_owned(), platform.clone()),
        (Method::PATCH, format!("/v1/workspaces/{}", world.workspace), platform.clone()),
        (Method::PATCH, "/v1/account".to_owned(), platform),
    ]
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await.to_string();
    for (method, path, key) in with_bodies(&world, &id) {
        for body in [
            "{",
            "{\"email\":",
            "[]",
            "\"text\"",
            "5",
            "null",
            "{'email': 1}",
            "{\"a\": 1,}",
            "\u{feff}{}",
            "{} x",
            "planted-secret",
        ] {
            let call = world.client.call_with_key(method.clone(), &path, &key);
            let answer = call.raw(Some("application/json"), body).send().await;
            assert_eq!(answer.bad_fields(), ["body"], "{method} {path} {body}");
            assert!(!answer.body.to_string().contains("planted-secret"));
        }
    }
    assert_eq!(world.usage().await, 1);
}

#[tokio::test]
async fn invalid_utf8_is_refused() {
    let world = World::start().await;
    let body = b"{\"email\": \"d\xff@mail.example\"}".to_vec();
    let answer = world.call(Method::POST, "/v1/mailboxes").raw(Some("application/json"), body).send().await;
    assert_eq!(answer.bad_fields(), ["body"]);
}

#[tokio::test]
async fn only_json_is_read() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await.to_string();
    for (method, path, key) in with_bodies(&world, &id) {
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "json"]
        {
            let call = world.client.call_with_key(method.clone(), &path, &key);
            call.raw(Some(kind), "{}").send().await.is_failure(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    for (n, kind) in
        [Some("application/json; charset=utf-8"), Some("Application/JSON"), Some("application/vnd.x+json"), None]
            .into_iter()
            .enumerate()
    {
        let body = minimal(&format!("m{n}")).to_string();
        assert_eq!(world.call(Method::POST, "/v1/mailboxes").raw(kind, body).send().await.status, 201, "{kind:?}");
    }
}

#[tokio::test]
async fn too_much_is_refused_and_the_connection_lives() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await.to_string();
    for (method, path, key) in with_bodies(&world, &id) {
        let body = json!({"name": "x", "signature": "x".repeat(300 * 1024)});
        let call = world.client.call_with_key(method.clone(), &path, &key);
        call.json(&body).send().await.is_failure(413, "PAYLOAD_TOO_LARGE");
    }
    let huge = vec![b' '; 10 * 1024 * 1024];
    let answer = world.call(Method::POST, "/v1/mailboxes").raw(Some("application/json"), huge).send().await;
    answer.is_failure(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(world.get("/v1/mailboxes").await.status, 200);
    assert_eq!(world.usage().await, 1);
}

/// Much nesting is no way to exhaust the stack.
#[tokio::test]
async fn deep_nesting_is_refused() {
    let world = World::start().await;
    let body = format!("{{\"tags\": {}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let answer = world.call(Method::POST, "/v1/mailboxes").raw(Some("application/json"), body).send().await;
    assert_eq!(answer.bad_fields(), ["body"]);
}

/// Numbers are limited before anything is kept.
#[tokio::test]
async fn too_many_members_and_items_are_refused() {
    let world = World::start().await;
    let members: Vec<String> = (0..1_001).map(|n| format!("\"m{n}\":0")).collect();
    let too_many = "The request body has an object with more than 1000 members";
    for (body, field, message) in [
        (format!("{{{}}}", members.join(",")), "body", too_many),
        (format!("{{\"nonsense\":[{{{}}}]}}", members.join(",")), "body", too_many),
        (format!("{{\"tags\":[{}]}}", vec!["\"\""; 1_001].join(",")), "tags", "must have at most 1000 entries"),
    ] {
        let call = world.call(Method::POST, "/v1/mailboxes").raw(Some("application/json"), body);
        let details = call.send().await.body["error"]["details"].clone();
        assert!(details.as_array().unwrap().contains(&json!({"field": field, "message": message})), "{details}");
    }
}

/// Without a valid key, the body is not validated. A missing workspace header is reported before faults of the body.
#[tokio::test]
async fn the_key_comes_before_the_body() {
    let world = World::start().await;
    for body in ["{", "[]", "planted"] {
        let call = world.client.call_with_key(Method::POST, "/v1/mailboxes", "sk_nobody");
        call.raw(Some("text/plain"), body).send().await.is_failure(401, "UNAUTHORIZED");
    }
    let call = world.platform(Method::POST, "/v1/mailboxes").json(&json!({}));
    assert_eq!(call.send().await.bad_fields(), ["X-Workspace-Id"]);
}
