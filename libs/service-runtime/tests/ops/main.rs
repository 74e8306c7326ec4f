//! The endpoints for orchestrators and monitoring.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod address;
mod scrape;
mod world;

use std::time::{Duration, Instant};

use mail_lab::Postgres;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use shared_models::store::DatabaseSettings;

use world::{Mood, Moody, Service, Sqlite, open};

/// Longer than the limit of a part, shorter than the timeout of any probe.
const QUICK: Duration = Duration::from_secs(4);

fn state(status: &str, database: &str, broker: &str) -> Value {
    json!({"status": status, "database": database, "broker": broker})
}

async fn embedded(sqlite: &Sqlite) -> Service {
    let store = sqlite.open().await;
    Service::start(store.clone(), EmbeddedBroker::new(store, Sharing::Alone))
}

#[tokio::test]
async fn alive_and_ready() {
    let service = embedded(&Sqlite::new()).await;
    assert_eq!(service.json("/healthz").await, (StatusCode::OK, json!({"status": "ok"})));
    assert_eq!(service.json("/readyz").await, (StatusCode::OK, state("ready", "up", "up")));
    for path in ["/healthz", "/readyz", "/metrics"] {
        let head = service.request(Method::HEAD, path).await;
        assert_eq!((head.status(), head.bytes().await.unwrap().len()), (StatusCode::OK, 0), "{path}");
    }
    for path in ["/", "/healthz/x", "/v1/mailboxes"] {
        let (status, body) = service.json(path).await;
        assert_eq!((status, body["error"].is_string()), (StatusCode::NOT_FOUND, true), "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_broker_that_fails_or_hangs_is_down() {
    let store = Sqlite::new().open().await;
    for mood in [Mood::Failing, Mood::Hanging] {
        let service = Service::start(store.clone(), Moody::new(mood));
        let begun = Instant::now();
        let answer = service.request(Method::GET, "/readyz").await;
        assert!(begun.elapsed() < QUICK, "{mood:?}: {:?}", begun.elapsed());
        assert_eq!(
            (answer.status(), &answer.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
        );
        assert_eq!(answer.json::<Value>().await.unwrap(), state("unavailable", "up", "down"), "{mood:?}");
        // Restarting the process would not bring the broker back.
        assert_eq!(service.json("/healthz").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_broker_that_comes_back_makes_ready_again() {
    let broker = Moody::new(Mood::Failing);
    let service = Service::start(Sqlite::new().open().await, broker.clone());
    assert_eq!(service.json("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    broker.turn(Mood::Well);
    assert_eq!(service.json("/readyz").await, (StatusCode::OK, state("ready", "up", "up")));
}

#[tokio::test]
async fn a_database_that_is_stopped_is_down() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.database().unwrap();
    let store = open(DatabaseSettings::Postgres { url: database.url(), max_connections: 4 }).await;
    let service = Service::start(store, Moody::new(Mood::Well));
    assert_eq!(service.json("/readyz").await, (StatusCode::OK, state("ready", "up", "up")));
    drop(postgres);
    for _ in 0..2 {
        let begun = Instant::now();
        let answer = service.json("/readyz").await;
        assert_eq!(answer, (StatusCode::SERVICE_UNAVAILABLE, state("unavailable", "down", "up")));
        assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
    }
    assert_eq!(service.json("/healthz").await.0, StatusCode::OK);
}
