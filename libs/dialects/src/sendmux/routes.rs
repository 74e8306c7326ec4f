//! The routes of this dialect.

use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, delete, get, patch, post, put, resource, route, scope};
use actix_web::{HttpRequest, Route};

use super::errors::SendmuxError;
use super::{DIALECT, auth, context, handlers};
use crate::App;
use crate::http::rate_limit;

pub(super) fn mount(services: &mut ServiceConfig) {
    services.service(
        scope(DIALECT.prefix)
            .configure(me)
            .configure(domains)
            .configure(mailboxes)
            .configure(providers)
            .configure(webhooks)
            .default_service(route().to(async |request: HttpRequest, app: Data<App>| {
                refuse(&request, &app, SendmuxError::UnknownPath).await
            }))
            // Inside, for it replaces answers.
            .wrap(from_fn(context::dressed))
            .wrap(from_fn(rate_limit::announced)),
    );
}

/// Answers the methods that a path does not take; `allowed` is what it does take, as in `Allow`.
fn only(allowed: &'static str) -> Route {
    route().to(move |request: HttpRequest, app: Data<App>| async move {
        refuse(&request, &app, SendmuxError::MethodNotAllowed(allowed)).await
    })
}

/// Refuses a request that no route takes. As everywhere, the key is checked first.
async fn refuse(request: &HttpRequest, app: &App, error: SendmuxError) -> Result<(), SendmuxError> {
    auth::any_caller(request, app).await?;
    Err(error)
}

fn me(services: &mut ServiceConfig) {
    services.service(resource("/me").route(get().to(handlers::me::read)).default_service(only("GET")));
}

fn domains(services: &mut ServiceConfig) {
    services
        .service(
            resource("/domains")
                .route(post().to(handlers::domains::create))
                .route(get().to(handlers::domains::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/domains/{id}")
                .route(get().to(handlers::domains::read))
                .route(patch().to(handlers::domains::change))
                .route(delete().to(handlers::domains::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/domains/{id}/verify").route(post().to(handlers::domains::verify)).default_service(only("POST")),
        )
        .service(
            resource("/domains/{id}/zone-file")
                .route(get().to(handlers::domains::zone_file))
                .default_service(only("GET")),
        )
        .service(
            resource("/domains/{id}/filters")
                .route(get().to(handlers::domains::filters))
                .route(put().to(handlers::domains::set_filters))
                .default_service(only("GET, PUT")),
        );
}

/// Paths with a name of their own come before `{id}`.
fn mailboxes(services: &mut ServiceConfig) {
    services
        .service(
            resource("/mailboxes")
                .route(post().to(handlers::mailboxes::create))
                .route(get().to(handlers::mailboxes::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/mailboxes/availability")
                .route(get().to(handlers::mailboxes::availability))
                .default_service(only("GET")),
        )
        .service(
            resource("/mailboxes/{id}")
                .route(get().to(handlers::mailboxes::read))
                .route(patch().to(handlers::mailboxes::change))
                .route(delete().to(handlers::mailboxes::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/mailboxes/{id}/suspend")
                .route(post().to(handlers::mailboxes::suspend))
                .default_service(only("POST")),
        )
        .service(
            resource("/mailboxes/{id}/resume")
                .route(post().to(handlers::mailboxes::resume))
                .default_service(only("POST")),
        )
        .service(
            resource("/mailboxes/{id}/filters")
                .route(get().to(handlers::mailboxes::filters))
                .route(put().to(handlers::mailboxes::set_filters))
                .default_service(only("GET, PUT")),
        )
        .service(
            resource("/mailboxes/{id}/keys")
                .route(post().to(handlers::mailbox_keys::create))
                .default_service(only("POST")),
        )
        .service(
            resource("/mailboxes/{id}/keys/{key_id}")
                .route(delete().to(handlers::mailbox_keys::revoke))
                .default_service(only("DELETE")),
        );
}

/// Paths with a name of their own come before `{id}`.
fn providers(services: &mut ServiceConfig) {
    services
        .service(
            resource("/providers")
                .route(post().to(handlers::providers::create))
                .route(get().to(handlers::providers::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/providers/limits").route(get().to(handlers::providers::limits)).default_service(only("GET")),
        )
        .service(resource("/providers/stats").route(get().to(handlers::providers::stats)).default_service(only("GET")))
        .service(resource("/providers/usage").route(get().to(handlers::providers::usage)).default_service(only("GET")))
        .service(
            resource("/providers/limits/sending-accounts/request-increase")
                .route(post().to(handlers::providers::request_increase))
                .default_service(only("POST")),
        )
        .service(
            resource("/providers/{id}")
                .route(get().to(handlers::providers::read))
                .route(patch().to(handlers::providers::change))
                .route(delete().to(handlers::providers::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/providers/{id}/activate")
                .route(post().to(handlers::providers::activate))
                .default_service(only("POST")),
        )
        .service(
            resource("/providers/{id}/deactivate")
                .route(post().to(handlers::providers::deactivate))
                .default_service(only("POST")),
        )
        .service(
            resource("/providers/{id}/test").route(post().to(handlers::providers::test)).default_service(only("POST")),
        );
}

fn webhooks(services: &mut ServiceConfig) {
    services
        .service(
            resource("/webhooks")
                .route(post().to(handlers::webhooks::create))
                .route(get().to(handlers::webhooks::list))
                .default_service(only("GET, POST")),
        )
        .service(
            resource("/webhooks/{id}")
                .route(get().to(handlers::webhooks::read))
                .route(patch().to(handlers::webhooks::change))
                .route(delete().to(handlers::webhooks::remove))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            resource("/webhooks/{id}/rotate-secret")
                .route(post().to(handlers::webhooks::rotate_secret))
                .default_service(only("POST")),
        )
        .service(
            resource("/webhooks/{id}/test").route(post().to(handlers::webhooks::test)).default_service(only("POST")),
        )
        .service(
            resource("/webhooks/{id}/deliveries")
                .route(get().to(handlers::webhooks::deliveries))
                .default_service(only("GET")),
        )
        .service(
            resource("/webhooks/{id}/deliveries/{delivery_id}/payload")
                .route(get().to(handlers::webhooks::payload))
                .default_service(only("GET")),
        );
}
