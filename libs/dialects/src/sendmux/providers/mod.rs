//! Sending accounts: `/providers`.

mod handlers;
mod requests;
mod responses;
mod schemas;

use actix_web::web::{ServiceConfig, delete, get, patch, post, resource};

use super::only;

/// Mounts the routes. What has a name of its own comes before `{id}`.
pub(super) fn configure(services: &mut ServiceConfig) {
    services
        .service(
            resource("/providers")
                .route(post().to(handlers::create))
                .route(get().to(handlers::list))
                .default_service(only("GET, POST")),
        )
        .service(resource("/providers/limits").route(get().to(handlers::limits)).default_service(only("GET")))
        .service(resource("/providers/stats").route(get().to(handlers::stats)).default_service(only("GET")))
        .service(resource("/providers/usage").route(get().to(handlers::usage)).default_service(only("GET")))
        .service(
            resource("/providers/limits/sending-accounts/request-increase")
                .route(post().to(handlers::request_increase))
                .default_service(only("POST")),
        )
        .service(
            resource("/providers/{id}")
                .route(get().to(handlers::read))
                .route(patch().to(handlers::change))
                .route(delete().to(handlers::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/providers/{id}/activate").route(post().to(handlers::activate)).default_service(only("POST")),
        )
        .service(
            resource("/providers/{id}/deactivate").route(post().to(handlers::deactivate)).default_service(only("POST")),
        )
        .service(resource("/providers/{id}/test").route(post().to(handlers::test)).default_service(only("POST")));
}

/// This part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    handlers::create,
    handlers::list,
    handlers::read,
    handlers::change,
    handlers::remove,
    handlers::activate,
    handlers::deactivate,
    handlers::test,
    handlers::limits,
    handlers::stats,
    handlers::usage,
    handlers::request_increase,
))]
pub(super) struct Doc;
