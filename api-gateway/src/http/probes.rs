//! Liveness and readiness for orchestrators.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::App;

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /readyz`: the database (and with it the embedded broker) answers too.
pub(crate) async fn readyz(app: web::Data<App>) -> HttpResponse {
    let database = app.store.ping().await;
    let state = |up: bool| if up { "up" } else { "down" };
    if let Err(error) = &database {
        log::warn!("not ready: {error}");
    }
    let up = database.is_ok();
    let body = json!({
        "status": if up { "ready" } else { "unavailable" },
        "database": state(up),
        "broker": state(up),
    });
    if up {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).json(body)
    }
}
