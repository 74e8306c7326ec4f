//! A dialect is a folder and one line in a list. This one stands beside those that Mailmoor speaks; nothing else
//! knows it.

mod dialect;

use std::sync::LazyLock;

use dialects::{DIALECTS, Dialect};
use reqwest::Response;
use serde_json::{Value, json};
use service_runtime::settings::RateLimitSettings;
use shared_models::store::NewApiKey;

use crate::world::{Options, PATIENT, World, start_error};

/// Its one route.
const ROUTE: &str = "/fourth/v1/team";

static WITH_A_FOURTH: LazyLock<Vec<&'static Dialect>> = LazyLock::new(|| {
    [
        DIALECTS,
        &[&dialect::DIALECT], // The one line.
    ]
    .concat()
});

async fn world() -> World {
    World::with(Options { dialects: &WITH_A_FOURTH, ..PATIENT }).await
}

/// Makes a key as `admin key create --kind` does, and returns its text.
async fn make_key(world: &World) -> String {
    let kind = *dialects::key_kinds(&WITH_A_FOURTH).find(|kind| kind.name == "fourth-team").unwrap();
    let refused = dialects::check_scopes(&WITH_A_FOURTH, &kind, &["a".to_owned()]);
    assert_eq!(refused, Err("there are no scopes".to_owned()));
    let new = NewApiKey { kind, owner: world.owner, workspace: Some(world.workspace), scopes: vec![] };
    let (key, text) = world.store.create_api_key(new).await.unwrap();
    assert_eq!((&*key.kind, text.expose().len()), ("fourth-team", "fourth_".len() + 70));
    text.expose().to_owned()
}

async fn team(world: &World, key: &str) -> Response {
    let request = reqwest::Client::new().get(world.client.url(ROUTE));
    request.header("fourth-key", key).send().await.unwrap()
}

#[tokio::test]
async fn its_key_opens_it_and_nothing_else() {
    let world = world().await;
    let key = make_key(&world).await;
    let answer = team(&world, &key).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"name": "default"}));

    let altered = key.replace("fourth_", "fourth_A");
    for bad in ["", "fourth_", &altered, &world.key, &world.coldsend_key, &world.sendmux_key] {
        let answer = team(&world, bad).await;
        assert_eq!(answer.status(), 401);
        assert!(!answer.headers().contains_key("x-ratelimit-limit"));
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"refused_because": "not authenticated"}));
    }
    let elsewhere = world.client.call_with_key(reqwest::Method::GET, "/v1/mailboxes", &key).send().await;
    let message = "An API key that begins with fourth_ is for /fourth/v1; here it opens nothing";
    assert_eq!(elsewhere.failure(), (401, "UNAUTHORIZED", message));
    // The others are served as ever.
    assert_eq!(world.get("/v1/mailboxes").await.status, 200);
}

#[tokio::test]
async fn its_requests_are_limited() {
    let world = world().await;
    let key = make_key(&world).await;
    for remaining in ["2", "1", "0", "0"] {
        let answer = team(&world, &key).await;
        assert_eq!(
            (&answer.headers()["x-ratelimit-limit"], &answer.headers()["x-ratelimit-remaining"]),
            (&"3".parse().unwrap(), &remaining.parse().unwrap())
        );
    }
    let refused = team(&world, &key).await;
    assert_eq!(refused.status(), 429);
    let text = refused.json::<Value>().await.unwrap()["refused_because"].to_string();
    assert!(text.starts_with("\"Rate limit exceeded."), "{text}");
    assert_eq!(world.get("/v1/mailboxes").await.status, 200);
}

#[tokio::test]
async fn its_limit_is_a_setting() {
    let limits = |names: &[&str]| RateLimitSettings::from_iter(names.iter().map(|name| (*name, 0)));
    assert_eq!(start_error(&WITH_A_FOURTH, &limits(&["fourth_per_second", "sendkit_per_minute"])).await, None);
    for (dialects, name) in [(&**WITH_A_FOURTH, "fourth_per_minute"), (DIALECTS, "fourth_per_second")] {
        let error = start_error(dialects, &limits(&[name])).await.unwrap();
        let expected = format!("rate_limit.{name}: unknown field, expected one of sendkit_per_minute,");
        assert!(error.starts_with(&expected), "{error}");
    }
    static TWICE: &[&Dialect] = &[&dialect::DIALECT, &dialect::DIALECT];
    let error = start_error(TWICE, &limits(&[])).await.unwrap();
    assert_eq!(error, "names of dialects have to be distinct: fourth");
}

#[tokio::test]
async fn metrics_and_document_name_it() {
    let world = world().await;
    team(&world, &make_key(&world).await).await;
    reqwest::get(world.client.url("/fourth/v1/nothing")).await.unwrap();
    let metrics = reqwest::get(world.client.url("/metrics")).await.unwrap().text().await.unwrap();
    for (route, status) in [(ROUTE, 200), ("unmatched", 404)] {
        let labels = format!(r#"{{dialect="fourth",route="{route}",status="{status}"}}"#);
        assert!(metrics.contains(&labels), "{labels}\n{metrics}");
    }
    let document: Value = reqwest::get(world.client.url("/openapi.json")).await.unwrap().json().await.unwrap();
    let operation = &document["paths"][ROUTE]["get"];
    assert_eq!(
        (&operation["operationId"], &operation["security"]),
        (&json!("fourthTeam"), &json!([{"fourth_key": []}]))
    );
    assert!(document["paths"]["/v1/mailboxes"].is_object());
}
