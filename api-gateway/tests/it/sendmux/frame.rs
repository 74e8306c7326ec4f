//! The frame of every answer: keys, request ids, limits, unknown paths, internal errors.

use std::collections::BTreeSet;

use mail_lab::Postgres;
use reqwest::Method;
use shared_models::store::DatabaseSettings;
use tokio::task::JoinSet;

use crate::document::Dialect;
use crate::world::{Options, PATIENT, World};

const UNKNOWN: (u16, &str, Option<&str>) = (401, "authentication_required", None);

#[tokio::test]
async fn the_scheme_goes_in_any_case() {
    let world = World::start().await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let call = world.client.call(Method::GET, "/api/v1/me");
        let answer = call.header("authorization", &format!("{scheme} {}", world.sendmux_key)).ask().await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    assert!(world.sendmux_key.starts_with("smx_root_"));
}

#[tokio::test]
async fn bad_keys_are_all_the_same() {
    let world = World::start().await;
    let revoked = world.make_key("sendmux-root", world.owner, Some(world.workspace)).await;
    let keys = world.store.list_api_keys().await.unwrap();
    world.store.revoke_api_key(keys.last().unwrap().key.id).await.unwrap();
    let good = world.sendmux_key.as_str();
    let altered = format!("{}{}", &good[..good.len() - 1], if good.ends_with('a') { 'b' } else { 'a' });
    for header in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(good.to_owned()),
        Some(format!("Basic {good}")),
        Some(format!("Bearer{good}")),
        Some(format!("Bearer {revoked}")),
        Some(format!("Bearer {altered}")),
        Some(format!("Bearer {good} {good}")),
        Some(format!("Bearer {}", good.to_uppercase())),
        Some(format!("Bearer {}", world.key)),
        Some(format!("Bearer {}", world.platform_key)),
        Some(format!("Bearer {}", world.coldsend_key)),
        Some("Bearer smx_mbx_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
        Some("Bearer smx_agent_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
        Some("Bearer schlüssel".to_owned()),
    ] {
        let call = world.client.call(Method::GET, "/api/v1/me").header("X-Api-Key", good);
        let answer = header.iter().fold(call, |call, header| call.header("Authorization", header)).ask().await;
        assert_eq!(answer.error(), UNKNOWN, "{header:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.headers.contains_key("x-ratelimit-limit"));
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let world = World::start().await;
    let mut ids = BTreeSet::new();
    for path in ["/me", "/me", "/nothing", "/nothing", ""] {
        let call = world.sendmux(Method::GET, path);
        let call = if path == "/me" { call } else { call.undocumented() };
        assert!(ids.insert(call.header("X-Request-Id", "mine").ask().await.header("x-request-id").to_owned()));
    }
}

#[tokio::test]
async fn the_limit_is_told_and_kept() {
    let world = World::with(Options { sendmux_per_minute: 2, ..PATIENT }).await;
    let other = world.make_key("sendmux-root", world.owner, Some(world.workspace)).await;
    for (path, status, left) in [("/me", 200, "1"), ("/me", 200, "0"), ("/me", 429, "0")] {
        let answer = world.sendmux(Method::GET, path).ask().await;
        assert_eq!(answer.status, status);
        assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("2", left));
        let reset: i64 = answer.header("x-ratelimit-reset").parse().unwrap();
        let now = shared_models::domain::Timestamp::now().millis() / 1_000;
        assert!((now..=now + 61).contains(&reset));
    }
    let refused = world.sendmux(Method::GET, "/me").ask().await;
    assert_eq!(refused.error(), (429, "rate_limit_exceeded", None));
    assert_eq!(world.sendmux_with(Method::GET, "/me", &other).ask().await.status, 200, "each key has its own");
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_envelope() {
    let world = World::start().await;
    for (method, path) in [(Method::GET, ""), (Method::POST, "/nothing"), (Method::GET, "/me/too")] {
        let answer = world.sendmux(method, path).undocumented().ask().await;
        assert_eq!(answer.error(), (404, "not_found", None), "{path}");
    }
    let answer = world.sendmux(Method::DELETE, "/me").undocumented().ask().await;
    assert_eq!((answer.error(), answer.header("allow")), ((405, "not_found", None), "GET"));
    // To strangers nothing is said of what there is.
    for (method, path) in [(Method::GET, "/nothing"), (Method::DELETE, "/me")] {
        assert_eq!(world.sendmux_with(method, path, "smx_root_x").undocumented().ask().await.error(), UNKNOWN);
    }
}

/// Clients join a base URL that ends in a slash with a path that begins with one.
#[tokio::test]
async fn slashes_too_many_do_no_harm() {
    let world = World::start().await;
    for path in ["//api/v1/me", "/api/v1//me", "/api//v1///me", "/api/v1/me/"] {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = client.get(world.client.url(path)).bearer_auth(&world.sendmux_key);
        assert_eq!(call.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn without_its_database_everything_is_unavailable_for_now() {
    let server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    let world = World::over(DatabaseSettings::Postgres { url: database.url(), max_connections: 1 }).await;
    drop(server);
    // At the same time, for each of them waits a while for a connection.
    let mut asked = JoinSet::new();
    for operation in world.client.document.operations_of(Dialect::Sendmux) {
        let path = operation.path.strip_prefix("/api/v1").unwrap().replace(['{', '}'], "");
        asked.spawn(world.sendmux(operation.method.clone(), &path).ask());
    }
    assert!(asked.len() > 30);
    for answer in asked.join_all().await {
        assert_eq!(answer.error(), (503, "service_unavailable", None));
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_internal_error() {
    let database = Postgres::shared().unwrap().database().unwrap();
    let world = World::over(DatabaseSettings::Postgres { url: database.url(), max_connections: 2 }).await;
    database.execute("UPDATE api_keys SET kind = 'planted'").unwrap();
    let answer = world.sendmux(Method::GET, "/me").ask().await;
    assert_eq!(answer.error(), (500, "internal_error", None));
    assert!(!answer.body.to_string().contains("planted"));
}
