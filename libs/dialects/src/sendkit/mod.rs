//! The SendKit dialect, `/v1`: camelCase JSON, `{"success":...}` envelopes, 24-digit ids.

mod auth;
mod error;
mod handlers;
mod wire;

use actix_web::Route;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, delete, get, patch, post, resource, route, scope};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

use error::SendkitError;
use handlers::{account, imports, mailboxes, webhooks, workspaces};

pub(crate) use wire::Words;

use crate::http::rate_limit;

/// The route table.
pub(crate) fn configure(services: &mut ServiceConfig) {
    services.service(
        scope("/v1")
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

/// This dialect's part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        mailboxes::create,
        mailboxes::list,
        mailboxes::read,
        mailboxes::update,
        mailboxes::remove,
        mailboxes::connection_test,
        mailboxes::health,
        imports::create,
        imports::template,
        imports::read,
        imports::watch,
        imports::failed,
        workspaces::list,
        workspaces::create,
        workspaces::read,
        workspaces::update,
        workspaces::remove,
        workspaces::create_key,
        webhooks::create,
        webhooks::list,
        webhooks::read,
        webhooks::update,
        webhooks::remove,
        webhooks::rotate_secret,
        webhooks::test,
        webhooks::deliveries,
        account::read,
        account::update,
    ),
    modifiers(&Keys, &CommonAnswers),
    security(("sendkit_key" = []), ("sendkit_bearer" = [])),
)]
pub(crate) struct Doc;

struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
        let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        components.add_security_scheme("sendkit_key", header);
        components.add_security_scheme("sendkit_bearer", bearer);
    }
}

/// The failures that any operation may answer with, and those of every operation that reads a body;
/// the headers of all of them.
struct CommonAnswers;

impl utoipa::Modify for CommonAnswers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let with_body: &[&str] = if operation.request_body.is_some() { &["400", "413", "415"] } else { &[] };
                for status in with_body.iter().chain(&["401", "429", "500", "503"]) {
                    let schema = Ref::from_schema_name("ErrorEnvelope");
                    let failure = ResponseBuilder::new()
                        .content("application/json", ContentBuilder::new().schema(Some(schema)).build());
                    let answers = &mut operation.responses.responses;
                    answers.entry((*status).to_owned()).or_insert_with(|| failure.build().into());
                }
                for (status, answer) in &mut operation.responses.responses {
                    let RefOr::T(answer) = answer else { continue };
                    if status != "401" {
                        rate_limit::document_standing(answer);
                    }
                    if status == "429" || status == "503" {
                        rate_limit::document_retry_after(answer);
                    }
                }
            }
        }
    }
}
