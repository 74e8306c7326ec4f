//! Domains: `/domains`.

mod handlers;
mod requests;
mod responses;

use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource};

use super::only;

/// Mounts the routes.
pub(super) fn configure(services: &mut ServiceConfig) {
    services
        .service(
            resource("/domains")
                .route(post().to(handlers::create))
                .route(get().to(handlers::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/domains/{id}")
                .route(get().to(handlers::read))
                .route(patch().to(handlers::change))
                .route(delete().to(handlers::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(resource("/domains/{id}/verify").route(post().to(handlers::verify)).default_service(only("POST")))
        .service(resource("/domains/{id}/zone-file").route(get().to(handlers::zone_file)).default_service(only("GET")))
        .service(
            resource("/domains/{id}/filters")
                .route(get().to(handlers::filters))
                .route(put().to(handlers::set_filters))
                .default_service(only("GET, PUT")),
        );
}

/// This part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    handlers::create,
    handlers::list,
    handlers::read,
    handlers::change,
    handlers::remove,
    handlers::verify,
    handlers::zone_file,
    handlers::filters,
    handlers::set_filters,
))]
pub(super) struct Doc;
