//! This dialect's part of the OpenAPI document.

use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};

use super::errors::{Failure, InsufficientScopes, InvalidFields};
use super::handlers::{accounts, bulk};
use crate::http::rate_limit;

#[derive(OpenApi)]
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
struct Doc;

pub(super) fn document() -> Document {
    Doc::openapi()
}

struct Key;

impl utoipa::Modify for Key {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("coldsend_key", header);
    }
}

/// The failures that any operation may answer with, and those of every operation that reads a body;
/// the headers of all of them.
struct CommonAnswers;

impl utoipa::Modify for CommonAnswers {
    fn modify(&self, document: &mut Document) {
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
