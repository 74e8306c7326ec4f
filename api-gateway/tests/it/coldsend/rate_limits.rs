//! The two request limits of a key, and the headers that report them.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use super::{ACCOUNTS, account};
use crate::client::Answer;
use crate::document::Dialect;
use crate::world::{Options, PATIENT, World};

const HEADERS: [&str; 3] = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];

/// A minute, an hour.
async fn limited(minute: u32, hour: u32) -> World {
    World::with(Options { limits: (0, minute, hour), verification_wait_ms: 0, ..PATIENT }).await
}

fn number(answer: &Answer, header: &str) -> i64 {
    let value = answer.headers.get(header).unwrap_or_else(|| panic!("no {header}: {answer:?}"));
    value.to_str().unwrap().parse().unwrap()
}

/// Limit, requests left, and whether the window ends within the minute.
fn standing(answer: &Answer) -> (i64, i64, bool) {
    let [limit, remaining, reset] = HEADERS.map(|header| number(answer, header));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    assert!((now..=now + 3_601).contains(&reset), "{reset} at {now}");
    (limit, remaining, reset <= now + 61)
}

fn tells_nothing(answer: &Answer) {
    for header in HEADERS.iter().chain(&["retry-after"]) {
        assert!(!answer.headers.contains_key(*header), "{header}: {answer:?}");
    }
}

/// The headers report the limit with the fewest requests left; if both have as many, that of the hour.
#[tokio::test]
async fn the_minute_is_told_unless_the_hour_is_tighter() {
    for (minute, hour, told) in [
        (100, 1_000, (100, 99, true)),
        (100, 100, (100, 99, false)),
        (100, 50, (50, 49, false)),
        (100, 0, (100, 99, true)),
        (0, 50, (50, 49, false)),
    ] {
        let world = limited(minute, hour).await;
        assert_eq!(standing(&world.cs_get(ACCOUNTS).await), told, "{minute} {hour}");
    }
}

#[tokio::test]
async fn every_answer_to_a_good_key_tells_how_it_stands() {
    let world = limited(100, 1_000).await;
    let poor = world.scoped_key(&["campaigns:read"]).await;
    let create = format!("{ACCOUNTS}/smtp");
    let answers = [
        world.cs_create(&account("kim")).await,
        world.cs_get(ACCOUNTS).await,
        world.cs_create(&json!({})).await,
        world.cs_create(&account("kim")).await,
        world.cs_get(&format!("{ACCOUNTS}/nonsense")).await,
        world.cs_get(&format!("{ACCOUNTS}/{}", super::FOREIGN)).await,
        world.coldsend(Method::POST, &create).raw(None, vec![b' '; 300_000]).send().await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [201, 200, 422, 409, 422, 404, 413]);
    for (answer, left) in answers.iter().zip((0..100).rev()) {
        assert_eq!(standing(answer), (100, left, true), "{answer:?}");
        assert!(!answer.headers.contains_key("retry-after"));
    }
    let refused = world.client.call_with_key(Method::GET, ACCOUNTS, &poor).send().await;
    assert_eq!((refused.status, standing(&refused)), (403, (100, 99, true)), "counted for itself");
}

#[tokio::test]
async fn every_operation_counts_one_and_is_refused_at_the_end() {
    let world = limited(1, 0).await;
    for operation in world.client.document.operations_of(Dialect::Coldsend) {
        let path = operation.path.replace(['{', '}'], "");
        let key = world.scoped_key(&["*"]).await;
        let call =
            async || world.client.call_with_key(operation.method.clone(), &path, &key).json(&json!({})).send().await;
        assert_ne!(call().await.status, 429, "{path}");
        let second = call().await;
        assert_eq!((second.status, standing(&second)), (429, (1, 0, true)), "{path}");
    }
}

/// The number in the text is the real wait: of the minute, or of the hour.
#[tokio::test]
async fn the_next_request_waits_as_long_as_it_is_told() {
    for (minute, hour, waits) in [(2, 0, 1..=61), (2, 3, 1..=61), (0, 2, 3_000..=3_601), (3, 2, 3_000..=3_601)] {
        let world = limited(minute, hour).await;
        for _ in 0..2 {
            assert_eq!(world.cs_get(ACCOUNTS).await.status, 200);
        }
        let refused = world.cs_create(&account("kim")).await;
        let wait = number(&refused, "retry-after");
        assert!(waits.contains(&wait), "{minute} {hour} {wait}");
        let text = format!("Rate limit exceeded. Retry after {wait} seconds.");
        assert_eq!(refused.detail(), (429, text.as_str()));
        assert_eq!(refused.body.as_object().unwrap().len(), 1);
        assert_eq!(world.usage().await, 0);
        // Each key has its own.
        let other = world.scoped_key(&[]).await;
        assert_eq!(world.client.call_with_key(Method::GET, ACCOUNTS, &other).send().await.status, 200);
    }
}

#[tokio::test]
async fn what_comes_without_a_good_key_is_not_counted() {
    let world = limited(2, 2).await;
    for _ in 0..3 {
        for answer in [
            world.client.call(Method::GET, ACCOUNTS).send().await,
            world.client.call_with_key(Method::GET, ACCOUNTS, "cs_live_nobody").send().await,
            world.coldsend(Method::GET, "/api/public/v1/nothing").undocumented().send().await,
            world.coldsend(Method::PUT, ACCOUNTS).undocumented().send().await,
        ] {
            tells_nothing(&answer);
        }
    }
    let answer = world.cs_get(ACCOUNTS).await;
    assert_eq!((answer.status, standing(&answer).1), (200, 1));
}

#[tokio::test]
async fn the_limits_of_the_dialects_are_their_own() {
    let world = World::with(Options { limits: (1, 1, 0), ..PATIENT }).await;
    assert_eq!((world.cs_get(ACCOUNTS).await.status, world.get("/v1/mailboxes").await.status), (200, 200));
    assert_eq!((world.cs_get(ACCOUNTS).await.status, world.get("/v1/mailboxes").await.status), (429, 429));
    let free = World::start().await;
    for _ in 0..3 {
        tells_nothing(&free.cs_get(ACCOUNTS).await);
    }
}

#[tokio::test]
async fn the_document_knows_the_refusals_and_the_headers() {
    let world = World::start().await;
    let document: Value = reqwest::get(world.client.url("/openapi.json")).await.unwrap().json().await.unwrap();
    assert_eq!(document["components"]["securitySchemes"]["coldsend_key"]["name"], "X-API-Key");
    let limits = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
    for operation in world.client.document.operations_of(Dialect::Coldsend) {
        let described = &document["paths"][&operation.path][operation.method.as_str().to_lowercase()];
        assert_eq!(described["tags"], json!(["ColdSend sender accounts"]));
        assert_eq!(described["security"], json!([{"coldsend_key": []}]));
        assert!(described["operationId"].as_str().unwrap().starts_with("coldsend"));
        for status in ["401", "403", "422", "429", "500", "503"] {
            assert!(described["responses"][status].is_object(), "{} {status}", operation.path);
        }
        for (status, answer) in described["responses"].as_object().unwrap() {
            let none = serde_json::Map::new();
            let headers = answer["headers"].as_object().unwrap_or(&none);
            let expected: Vec<&str> = match status.as_str() {
                "401" => vec![],
                "429" | "503" => ["Retry-After"].into_iter().chain(limits).collect(),
                _ => limits.to_vec(),
            };
            assert_eq!(headers.keys().collect::<Vec<_>>(), expected, "{} {status}", operation.path);
            assert!(!answer["description"].as_str().unwrap().is_empty());
        }
    }
}
