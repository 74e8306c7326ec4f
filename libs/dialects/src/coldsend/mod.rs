//! The ColdSend dialect, `/api/public/v1`: flat snake_case JSON, UUIDs, errors as `detail`.

mod auth;
mod error;
mod handlers;
mod ids;
mod scopes;
mod wire;

use actix_web::middleware::from_fn;
use actix_web::web::{Path, ServiceConfig, delete, get, post, resource, route, scope};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

use error::{ColdsendError, Failure, InsufficientScopes, InvalidFields};
use handlers::{accounts, bulk};

use crate::http::rate_limit;

pub(crate) use scopes::check_names;

/// A kind of inbox that exists elsewhere only. Its path looks like that of an inbox.
const NATIVE: &str = "coldsend-native";

/// The route table.
pub(crate) fn configure(services: &mut ServiceConfig) {
    let only = |allowed: &'static str| {
        route().to(move || async move { Err::<(), _>(ColdsendError::MethodNotAllowed(allowed)) })
    };
    services.service(
        scope("/api/public/v1")
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

/// This dialect's part of the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        accounts::create,
        accounts::list,
        accounts::read,
        accounts::remove,
        accounts::send_test_email,
        bulk::create,
        bulk::progress,
        bulk::remove,
        bulk::removal_progress,
    ),
    components(schemas(Failure, InvalidFields, InsufficientScopes)),
    modifiers(&Key, &CommonAnswers),
    security(("coldsend_key" = [])),
)]
pub(crate) struct Doc;

struct Key;

impl utoipa::Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("coldsend_key", header);
    }
}

/// The failures that any operation may answer with, and those of every operation that reads a body;
/// the headers of all of them.
struct CommonAnswers;

impl utoipa::Modify for CommonAnswers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        const WORDS: &str = "ColdsendFailure";
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let with_body: &[_] =
                    if operation.request_body.is_some() { &[("400", WORDS), ("413", WORDS)] } else { &[] };
                let of_all = [
                    ("401", WORDS),
                    ("403", "ColdsendInsufficientScopes"),
                    ("422", "ColdsendInvalidFields"),
                    ("429", WORDS),
                    ("500", WORDS),
                    ("503", WORDS),
                ];
                for (status, name) in with_body.iter().chain(&of_all) {
                    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(*name))).build();
                    let failure = ResponseBuilder::new().content("application/json", content);
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
