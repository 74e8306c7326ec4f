//! The endpoints for orchestrators and monitoring in every process: `/healthz` (alive), `/readyz` (database and broker
//! answer) and `/metrics`. The gateway mounts them beside its own paths; the other services [`serve`] nothing else.

mod gauges;
mod server;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Route, guard};
use serde_json::json;
use shared_models::domain::CoreError;
use shared_models::store::Store;

pub use server::{OpsServer, run_until, serve, write_address};

use crate::bus::Broker;
use crate::metrics;

/// The paths of [`configure`].
pub const PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A part that does not answer within this time is down. Shorter than the usual timeout of a probe or load balancer.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// A gauge whose source does not answer within this time keeps its value: a late scrape would lose all the others.
const SCRAPE_WITHIN: Duration = Duration::from_secs(1);

/// The parts that a process needs to work.
pub struct Ops {
    /// The database.
    pub store: Store,
    /// The broker.
    pub broker: Arc<dyn Broker>,
}

/// Mounts [`PATHS`].
pub fn configure(services: &mut ServiceConfig, ops: Data<Ops>) {
    let [healthz_path, readyz_path, metrics_path] = PATHS;
    services
        .app_data(ops)
        .route(healthz_path, read().to(healthz))
        .route(readyz_path, read().to(readyz))
        .route(metrics_path, read().to(show_metrics));
}

/// The response for a path that belongs to no dialect.
pub async fn nothing_here() -> HttpResponse {
    HttpResponse::NotFound().json(json!({"error": "There is nothing at this path"}))
}

/// GET, and HEAD, which some health checks use.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

async fn readyz(ops: Data<Ops>) -> HttpResponse {
    let (database, broker) = tokio::join!(
        answer("not ready: database", READY_WITHIN, ops.store.ping()),
        answer("not ready: broker", READY_WITHIN, ops.broker.ping()),
    );
    let state = |up: bool| if up { "up" } else { "down" };
    let ready = database.is_some() && broker.is_some();
    let body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "database": state(database.is_some()),
        "broker": state(broker.is_some()),
    });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, "1")).json(body)
    }
}

async fn show_metrics(ops: Data<Ops>) -> HttpResponse {
    gauges::refresh(&ops).await;
    match metrics::text() {
        Ok(text) => {
            HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(text)
        }
        Err(error) => {
            log::error!("the metrics cannot be shown: {error}");
            HttpResponse::InternalServerError().json(json!({"error": "The metrics cannot be shown"}))
        }
    }
}

/// The answer of a part within the limit. `None` if there is none; the cause is logged.
async fn answer<T>(what: &str, limit: Duration, part: impl Future<Output = Result<T, CoreError>>) -> Option<T> {
    let why = match tokio::time::timeout(limit, part).await {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", limit.as_secs()),
    };
    log::warn!("{what}: {why}");
    None
}
