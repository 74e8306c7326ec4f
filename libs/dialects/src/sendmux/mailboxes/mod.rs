//! Mailboxes of the mail platform: `/mailboxes`.

mod handlers;
mod keys;
mod requests;
mod responses;

use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource};

use super::only;

/// Mounts the routes. What has a name of its own comes before `{id}`.
pub(super) fn configure(services: &mut ServiceConfig) {
    services
        .service(
            resource("/mailboxes")
                .route(post().to(handlers::create))
                .route(get().to(handlers::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/mailboxes/availability").route(get().to(handlers::availability)).default_service(only("GET")),
        )
        .service(
            resource("/mailboxes/{id}")
                .route(get().to(handlers::read))
                .route(patch().to(handlers::change))
                .route(delete().to(handlers::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(resource("/mailboxes/{id}/suspend").route(post().to(handlers::suspend)).default_service(only("POST")))
        .service(resource("/mailboxes/{id}/resume").route(post().to(handlers::resume)).default_service(only("POST")))
        .service(
            resource("/mailboxes/{id}/filters")
                .route(get().to(handlers::filters))
                .route(put().to(handlers::set_filters))
                .default_service(only("GET, PUT")),
        )
        .service(resource("/mailboxes/{id}/keys").route(post().to(keys::create)).default_service(only("POST")))
        .service(
            resource("/mailboxes/{id}/keys/{key_id}").route(delete().to(keys::revoke)).default_service(only("DELETE")),
        );
}

/// This part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    handlers::create,
    handlers::list,
    handlers::availability,
    handlers::read,
    handlers::change,
    handlers::remove,
    handlers::suspend,
    handlers::resume,
    handlers::filters,
    handlers::set_filters,
    keys::create,
    keys::revoke,
))]
pub(super) struct Doc;
