//! The routes of this dialect.

use actix_web::Route;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, delete, get, patch, post, resource, route, scope};

use super::DIALECT;
use super::errors::SendkitError;
use super::handlers::{account, imports, mailboxes, webhooks, workspaces};
use crate::http::rate_limit;

pub(super) fn mount(services: &mut ServiceConfig) {
    services.service(
        scope(DIALECT.prefix)
            .service(
                resource("/mailboxes")
                    .route(post().to(mailboxes::create))
                    .route(get().to(mailboxes::list))
                    .default_service(only("GET, POST")),
            )
            // Before the ids, which would take these for theirs.
            .configure(import_routes)
            .service(
                resource("/mailboxes/{mailboxId}")
                    .route(get().to(mailboxes::read))
                    .route(patch().to(mailboxes::update))
                    .route(delete().to(mailboxes::remove))
                    .default_service(only("GET, PATCH, DELETE")),
            )
            .service(
                resource("/mailboxes/{mailboxId}/connection-test")
                    .route(get().to(mailboxes::connection_test))
                    .default_service(only("GET")),
            )
            .service(
                resource("/mailboxes/{mailboxId}/health")
                    .route(get().to(mailboxes::health))
                    .default_service(only("GET")),
            )
            .service(
                resource("/workspaces")
                    .route(get().to(workspaces::list))
                    .route(post().to(workspaces::create))
                    .default_service(only("GET, POST")),
            )
            .service(
                resource("/workspaces/{workspaceId}")
                    .route(get().to(workspaces::read))
                    .route(patch().to(workspaces::update))
                    .route(delete().to(workspaces::remove))
                    .default_service(only("GET, PATCH, DELETE")),
            )
            .service(
                resource("/workspaces/{workspaceId}/api-key")
                    .route(post().to(workspaces::create_key))
                    .default_service(only("POST")),
            )
            .configure(webhook_routes)
            .service(
                resource("/account")
                    .route(get().to(account::read))
                    .route(patch().to(account::update))
                    .default_service(only("GET, PATCH")),
            )
            .default_service(route().to(async || Err::<(), _>(SendkitError::UnknownPath)))
            .wrap(from_fn(rate_limit::announced)),
    );
}

fn import_routes(services: &mut ServiceConfig) {
    services
        .service(resource("/mailboxes/import/smtp").route(post().to(imports::create)).default_service(only("POST")))
        .service(
            resource("/mailboxes/import/template.csv").route(get().to(imports::template)).default_service(only("GET")),
        )
        .service(resource("/mailboxes/import/{importId}").route(get().to(imports::read)).default_service(only("GET")))
        .service(
            resource("/mailboxes/import/{importId}/events")
                .route(get().to(imports::watch))
                .default_service(only("GET")),
        )
        .service(
            resource("/mailboxes/import/{importId}/failed.csv")
                .route(get().to(imports::failed))
                .default_service(only("GET")),
        );
}

fn webhook_routes(services: &mut ServiceConfig) {
    services
        .service(
            resource("/webhooks")
                .route(post().to(webhooks::create))
                .route(get().to(webhooks::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/webhooks/{webhookId}")
                .route(get().to(webhooks::read))
                .route(patch().to(webhooks::update))
                .route(delete().to(webhooks::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/webhooks/{webhookId}/rotate-secret")
                .route(post().to(webhooks::rotate_secret))
                .default_service(only("POST")),
        )
        .service(resource("/webhooks/{webhookId}/test").route(post().to(webhooks::test)).default_service(only("POST")))
        .service(
            resource("/webhooks/{webhookId}/deliveries")
                .route(get().to(webhooks::deliveries))
                .default_service(only("GET")),
        );
}

/// Answers the methods that a path does not take.
fn only(allowed: &'static str) -> Route {
    route().to(move || async move { Err::<(), _>(SendkitError::MethodNotAllowed(allowed)) })
}
