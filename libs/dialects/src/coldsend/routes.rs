//! The routes of this dialect.

use actix_web::middleware::from_fn;
use actix_web::web::{Path, ServiceConfig, delete, get, post, resource, route, scope};

use super::DIALECT;
use super::errors::ColdsendError;
use super::handlers::{accounts, bulk};
use crate::http::rate_limit;

/// A kind of inbox that exists elsewhere only. Its path looks like that of an inbox.
const NATIVE: &str = "coldsend-native";

pub(super) fn mount(services: &mut ServiceConfig) {
    let only = |allowed: &'static str| {
        route().to(move || async move { Err::<(), _>(ColdsendError::MethodNotAllowed(allowed)) })
    };
    services.service(
        scope(DIALECT.prefix)
            // An older way to add one, with this path and POST, is not offered.
            .service(resource("/sender-accounts").route(get().to(accounts::list)).default_service(only("GET")))
            .service(resource("/sender-accounts/smtp").route(post().to(accounts::create)).default_service(only("POST")))
            .service(
                resource("/sender-accounts/smtp/bulk").route(post().to(bulk::create)).default_service(only("POST")),
            )
            .service(
                resource("/sender-accounts/smtp/bulk/{job_id}/progress")
                    .route(get().to(bulk::progress))
                    .default_service(only("GET")),
            )
            .service(
                resource("/sender-accounts/bulk/delete").route(post().to(bulk::remove)).default_service(only("POST")),
            )
            .service(
                resource("/sender-accounts/bulk/delete/{job_id}/progress")
                    .route(get().to(bulk::removal_progress))
                    .default_service(only("GET")),
            )
            .service(
                resource("/sender-accounts/{inbox_id}")
                    .route(get().to(accounts::read))
                    .route(delete().to(accounts::remove))
                    .default_service(route().to(async |id: Path<String>| {
                        Err::<(), _>(match id.as_str() {
                            NATIVE => ColdsendError::UnknownPath,
                            _ => ColdsendError::MethodNotAllowed("GET, DELETE"),
                        })
                    })),
            )
            .service(
                resource("/sender-accounts/{inbox_id}/test-email")
                    .route(post().to(accounts::send_test_email))
                    .default_service(only("POST")),
            )
            .default_service(route().to(async || Err::<(), _>(ColdsendError::UnknownPath)))
            .wrap(from_fn(rate_limit::announced)),
    );
}
