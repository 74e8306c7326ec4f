//! This dialect's part of the OpenAPI document.

use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};

use super::handlers::{account, imports, mailboxes, webhooks, workspaces};
use crate::http::rate_limit;

#[derive(OpenApi)]
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
struct Doc;

pub(super) fn document() -> Document {
    Doc::openapi()
}

struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, document: &mut Document) {
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
    fn modify(&self, document: &mut Document) {
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
