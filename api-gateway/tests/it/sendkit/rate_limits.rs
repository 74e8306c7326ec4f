//! The request limit of a key, and the headers that report it.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Answer;
use crate::document::Dialect;
use crate::world::{World, minimal};

const HEADERS: [&str; 3] = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];

fn number(answer: &Answer, header: &str) -> i64 {
    let value = answer.headers.get(header).unwrap_or_else(|| panic!("no {header}: {answer:?}"));
    value.to_str().unwrap().parse().unwrap()
}

/// Limit and requests left, after a look at the window's end.
fn standing(answer: &Answer) -> (i64, i64) {
    let [limit, remaining, reset] = HEADERS.map(|header| number(answer, header));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    assert!((now..=now + 61).contains(&reset), "{reset} at {now}");
    (limit, remaining)
}

fn tells_nothing(answer: &Answer) {
    for header in HEADERS.iter().chain(&["retry-after"]) {
        assert!(!answer.headers.contains_key(*header), "{header}: {answer:?}");
    }
}

#[tokio::test]
async fn every_answer_to_a_good_key_tells_how_it_stands() {
    let world = World::limited(100).await;
    let unknown = "66c0ffee12ab34cd56ef7890";
    let answers = [
        world.post("/v1/mailboxes", &minimal("dana")).await,
        world.get("/v1/mailboxes").await,
        world.get(&format!("/v1/mailboxes/{unknown}")).await,
        world.post("/v1/mailboxes", &json!({})).await,
        world.post("/v1/mailboxes", &minimal("dana")).await,
        world.get("/v1/account").await,
        world.call(Method::POST, "/v1/mailboxes").raw(Some("text/plain"), "{}").send().await,
        world.call(Method::POST, "/v1/mailboxes").raw(None, vec![b' '; 300_000]).send().await,
        world.call(Method::GET, "/v1/mailboxes").header("X-Workspace-Id", unknown).send().await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [201, 200, 404, 400, 409, 403, 415, 413, 403]);
    for (answer, left) in answers.iter().zip((0..100).rev()) {
        assert_eq!(standing(answer), (100, left), "{answer:?}");
        assert!(!answer.headers.contains_key("retry-after"));
    }
    let windows: BTreeSet<i64> = answers.iter().map(|answer| number(answer, "x-ratelimit-reset")).collect();
    assert_eq!(windows.len(), 1, "{windows:?}");
}

#[tokio::test]
async fn every_operation_counts_one_and_is_refused_at_the_end() {
    let world = World::limited(1).await;
    for (method, path) in operations(&world) {
        let key = world.make_key("sendkit-platform", world.owner, None).await;
        let call = async || world.client.call_with_key(method.clone(), &path, &key).json(&json!({})).send().await;
        let first = call().await;
        assert_ne!(first.status, 429, "{method} {path}");
        assert_eq!(standing(&first), (1, 0), "{method} {path}");
        let second = call().await;
        second.is_failure(429, "RATE_LIMITED");
        assert_eq!(standing(&second), (1, 0), "{method} {path}");
    }
}

fn operations(world: &World) -> Vec<(Method, String)> {
    let operations = world.client.document.operations_of(Dialect::Sendkit);
    operations.map(|operation| (operation.method.clone(), operation.path.replace(['{', '}'], ""))).collect()
}

#[tokio::test]
async fn a_burst_of_the_whole_number_passes_and_the_next_request_waits() {
    let world = World::limited(3).await;
    for left in [2, 1, 0] {
        let answer = world.get("/v1/mailboxes").await;
        assert_eq!((answer.status, standing(&answer)), (200, (3, left)));
    }
    let refused = world.get("/v1/mailboxes").await;
    let wait = number(&refused, "retry-after");
    assert!((1..=61).contains(&wait), "{wait}");
    let message = format!("Rate limit exceeded. Retry after {wait} seconds.");
    let body = json!({"success": false, "error": {"code": "RATE_LIMITED", "message": message}});
    assert_eq!((refused.status, &refused.body, standing(&refused)), (429, &body, (3, 0)));
    // The same key in the other header, and another key.
    let bearer =
        world.client.call(Method::GET, "/v1/mailboxes").header("Authorization", &format!("Bearer {}", world.key));
    bearer.send().await.is_failure(429, "RATE_LIMITED");
    let other = world.platform(Method::GET, "/v1/account").send().await;
    assert_eq!((other.status, standing(&other)), (200, (3, 2)));
}

/// 401 before 429 before everything else.
#[tokio::test]
async fn the_limit_is_judged_after_the_key_and_before_the_request() {
    let world = World::limited(1).await;
    assert_eq!(world.get("/v1/mailboxes").await.status, 200);
    world.get("/v1/mailboxes/nonsense").await.is_failure(429, "RATE_LIMITED");
    world.call(Method::POST, "/v1/mailboxes").raw(Some("text/plain"), "{").send().await.is_failure(429, "RATE_LIMITED");
    let foreign = world.call(Method::GET, "/v1/mailboxes").header("X-Workspace-Id", "66c0ffee12ab34cd56ef7890");
    foreign.send().await.is_failure(429, "RATE_LIMITED");
    world.post("/v1/mailboxes", &minimal("dana")).await.is_failure(429, "RATE_LIMITED");
    assert_eq!(world.usage().await, 0);
    let keys = world.store.list_api_keys().await.unwrap();
    for key in keys {
        world.store.revoke_api_key(key.key.id).await.unwrap();
    }
    let revoked = world.get("/v1/mailboxes").await;
    revoked.is_failure(401, "UNAUTHORIZED");
    tells_nothing(&revoked);
}

#[tokio::test]
async fn what_comes_without_a_good_key_is_not_counted() {
    let world = World::limited(2).await;
    for _ in 0..5 {
        let bad = world.client.call_with_key(Method::GET, "/v1/mailboxes", "sk_000000000000000000000000").send().await;
        bad.is_failure(401, "UNAUTHORIZED");
        tells_nothing(&bad);
        let none = world.client.call(Method::GET, "/v1/mailboxes").send().await;
        none.is_failure(401, "UNAUTHORIZED");
        tells_nothing(&none);
        // Nobody asks for the key where there is nothing to open.
        tells_nothing(&world.call(Method::GET, "/v1/nothing").undocumented().send().await);
        tells_nothing(&world.call(Method::PUT, "/v1/mailboxes").undocumented().send().await);
    }
    assert_eq!(standing(&world.get("/v1/mailboxes").await), (2, 1));
}

#[tokio::test]
async fn requests_at_the_same_time_are_all_counted() {
    let world = World::limited(20).await;
    let mut asked = JoinSet::new();
    for _ in 0..50 {
        asked.spawn(world.call(Method::GET, "/v1/workspaces").send());
    }
    let answers = asked.join_all().await;
    let mut left: Vec<i64> = answers.iter().filter(|a| a.status == 200).map(|a| standing(a).1).collect();
    left.sort_unstable();
    assert_eq!(left, (0..20).collect::<Vec<_>>());
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 30);
}

#[tokio::test]
async fn switched_off_there_is_neither_limit_nor_header() {
    let world = World::limited(0).await;
    for _ in 0..5 {
        let answer = world.get("/v1/mailboxes").await;
        assert_eq!(answer.status, 200);
        tells_nothing(&answer);
    }
}

#[tokio::test]
async fn the_document_knows_the_refusal_and_the_headers() {
    let world = World::start().await;
    let document: Value = reqwest::get(world.client.url("/openapi.json")).await.unwrap().json().await.unwrap();
    let limits = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
    for (method, template) in world.client.document.operations().iter().map(|o| (&o.method, &o.path)) {
        let answers = &document["paths"][template][method.as_str().to_lowercase()]["responses"];
        assert!(answers["429"].is_object(), "{method} {template}");
        for (status, answer) in answers.as_object().unwrap() {
            let none = serde_json::Map::new();
            let headers = answer["headers"].as_object().unwrap_or(&none);
            let expected: Vec<&str> = match status.as_str() {
                "401" => vec![],
                "429" | "503" => ["Retry-After"].into_iter().chain(limits).collect(),
                "500" if Dialect::of(template) == Dialect::Sendmux => {
                    ["Retry-After"].into_iter().chain(limits).collect()
                }
                _ => limits.to_vec(),
            };
            let of_limits = |name: &&String| name.starts_with("X-RateLimit") || *name == "Retry-After";
            let told: Vec<&String> = headers.keys().filter(of_limits).collect();
            assert_eq!(told, expected, "{method} {template} {status}");
            for header in told.into_iter().map(|name| &headers[name]) {
                let definition = header["$ref"].as_str().unwrap().trim_start_matches('#');
                let definition = document.pointer(definition).unwrap();
                assert_eq!(definition["schema"]["type"], "integer", "{definition}");
            }
        }
    }
}
