//! Webhooks: `/webhooks`, and what is posted to them.

mod handlers;
mod posts;
mod requests;
mod responses;
mod schemas;

use actix_web::web::{ServiceConfig, delete, get, patch, post, resource};

use super::only;

pub(crate) use posts::Words;

/// Mounts the routes.
pub(super) fn configure(services: &mut ServiceConfig) {
    services
        .service(
            resource("/webhooks")
                .route(post().to(handlers::create))
                .route(get().to(handlers::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/webhooks/{id}")
                .route(get().to(handlers::read))
                .route(patch().to(handlers::change))
                .route(delete().to(handlers::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/webhooks/{id}/rotate-secret")
                .route(post().to(handlers::rotate_secret))
                .default_service(only("POST")),
        )
        .service(resource("/webhooks/{id}/test").route(post().to(handlers::test)).default_service(only("POST")))
        .service(
            resource("/webhooks/{id}/deliveries").route(get().to(handlers::deliveries)).default_service(only("GET")),
        )
        .service(
            resource("/webhooks/{id}/deliveries/{delivery_id}/payload")
                .route(get().to(handlers::payload))
                .default_service(only("GET")),
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
    handlers::rotate_secret,
    handlers::test,
    handlers::deliveries,
    handlers::payload,
))]
pub(super) struct Doc;
