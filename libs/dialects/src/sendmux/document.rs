//! This dialect's part of the OpenAPI document, completed with what all operations have.

use utoipa::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, Array, ArrayItems};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Type,
};

use super::errors::{ErrorEnvelope, FieldFault};
use super::handlers;
use crate::http::rate_limit;

const KEY: &str = "sendmux_key";

/// Failures that any operation may answer with.
const OF_ALL: [&str; 7] = ["400", "401", "403", "404", "429", "500", "503"];
/// And those of the ones that change something.
const OF_CHANGES: [&str; 3] = ["409", "413", "422"];

#[derive(OpenApi)]
#[openapi(
    paths(
        handlers::me::read,
        handlers::domains::create,
        handlers::domains::list,
        handlers::domains::read,
        handlers::domains::change,
        handlers::domains::remove,
        handlers::domains::verify,
        handlers::domains::zone_file,
        handlers::domains::filters,
        handlers::domains::set_filters,
        handlers::mailboxes::create,
        handlers::mailboxes::list,
        handlers::mailboxes::availability,
        handlers::mailboxes::read,
        handlers::mailboxes::change,
        handlers::mailboxes::remove,
        handlers::mailboxes::suspend,
        handlers::mailboxes::resume,
        handlers::mailboxes::filters,
        handlers::mailboxes::set_filters,
        handlers::mailbox_keys::create,
        handlers::mailbox_keys::revoke,
        handlers::providers::create,
        handlers::providers::list,
        handlers::providers::read,
        handlers::providers::change,
        handlers::providers::remove,
        handlers::providers::activate,
        handlers::providers::deactivate,
        handlers::providers::test,
        handlers::providers::limits,
        handlers::providers::stats,
        handlers::providers::usage,
        handlers::providers::request_increase,
        handlers::webhooks::create,
        handlers::webhooks::list,
        handlers::webhooks::read,
        handlers::webhooks::change,
        handlers::webhooks::remove,
        handlers::webhooks::rotate_secret,
        handlers::webhooks::test,
        handlers::webhooks::deliveries,
        handlers::webhooks::payload,
    ),
    components(schemas(ErrorEnvelope, FieldFault))
)]
struct Doc;

pub(super) fn document() -> Document {
    let mut document = Doc::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    document.components.get_or_insert_default().add_security_scheme(KEY, SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new(KEY, Vec::<String>::new())]);
    document.paths.paths.values_mut().for_each(complete);
    close_bodies(&mut document);
    document
}

/// Requests may have no members but those that are described; answers may get more.
fn close_bodies(document: &mut Document) {
    let operations = document.paths.paths.values().flat_map(|item| [&item.post, &item.put, &item.patch]);
    let bodies = operations.flatten().filter_map(|operation| match &operation.request_body {
        Some(RefOr::T(body)) => Some(body),
        _ => None,
    });
    let mut open: Vec<String> = vec![];
    for content in bodies.flat_map(|body| body.content.values()) {
        if let RefOr::T(content) = content {
            content.schema.iter().for_each(|schema| name_parts(schema, &mut open));
        }
    }
    let Some(components) = &mut document.components else { return };
    while let Some(name) = open.pop() {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&name)
            && object.additional_properties.is_none()
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            object.properties.values().for_each(|member| name_parts(member, &mut open));
        }
    }
}

/// The definitions that a schema refers to.
fn name_parts(schema: &RefOr<Schema>, names: &mut Vec<String>) {
    match schema {
        RefOr::Ref(reference) => names.extend(reference.ref_location.rsplit('/').next().map(str::to_owned)),
        RefOr::T(Schema::Array(Array { items: ArrayItems::RefOrSchema(items), .. })) => name_parts(items, names),
        RefOr::T(Schema::OneOf(any)) => any.items.iter().for_each(|item| name_parts(item, names)),
        RefOr::T(_) => {}
    }
}

fn complete(item: &mut PathItem) {
    if let Some(read) = &mut item.get {
        add_failures(read, &[]);
        if read.responses.responses.contains_key("304") {
            add_condition(read, "If-None-Match", ["200", "304"]);
        }
    }
    for change in [&mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
        add_failures(change, &OF_CHANGES);
    }
    for change in [&mut item.put, &mut item.patch].into_iter().flatten() {
        add_condition(change, "If-Match", ["200", "409"]);
    }
}

/// The request's header, and the `ETag` of these answers.
fn add_condition(operation: &mut Operation, header: &str, answers: [&str; 2]) {
    let parameters = operation.parameters.get_or_insert_default();
    if !parameters.iter().any(|known| matches!(known, RefOr::T(known) if known.name == header)) {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let parameter = ParameterBuilder::new().name(header).parameter_in(ParameterIn::Header).schema(Some(text));
        parameters.push(parameter.required(Required::False).build().into());
    }
    for status in answers {
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
            add_header(answer, "ETag", "Tag of what is there now.");
        }
    }
}

fn add_failures(operation: &mut Operation, more: &[&str]) {
    let answers = &mut operation.responses.responses;
    for status in OF_ALL.iter().chain(more) {
        let schema = Ref::from_schema_name("SendmuxError");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let failure = ResponseBuilder::new().content("application/json", content);
        answers.entry((*status).to_owned()).or_insert_with(|| failure.build().into());
    }
    for (status, answer) in answers {
        let RefOr::T(answer) = answer else { continue };
        add_header(answer, "X-Request-Id", "The same as meta.request_id.");
        if status != "401" {
            rate_limit::document_standing(answer);
        }
        if status == "429" || status.starts_with('5') {
            rate_limit::document_retry_after(answer);
        }
        if status == "201" {
            add_header(answer, "Location", "Path of the new object.");
        }
    }
}

fn add_header(answer: &mut Response, name: &str, meaning: &str) {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let header = HeaderBuilder::new().schema(Some(text)).description(Some(meaning)).build();
    answer.headers.insert(name.to_owned(), header.into());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::document;

    fn operations() -> Vec<(String, String, Value)> {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        let of = |(path, item): (String, Value)| {
            let operations = item.as_object().unwrap().clone().into_iter();
            operations.map(|(method, operation)| (method, path.clone(), operation)).collect::<Vec<_>>()
        };
        paths.into_iter().flat_map(of).collect()
    }

    #[test]
    fn every_operation_documents_its_failures() {
        assert!(operations().len() > 30);
        for (method, path, operation) in operations() {
            let mut expected = vec!["400", "401", "403", "404", "429", "500", "503"];
            if method != "get" {
                expected.extend(["409", "413", "422"]);
            }
            for status in expected {
                let answer = &operation["responses"][status];
                let schema = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/SendmuxError", "{method} {path} {status}");
                assert_eq!(answer["headers"]["X-Request-Id"]["schema"]["type"], "string");
            }
        }
    }

    #[test]
    fn requests_are_closed_and_answers_are_open() {
        let document = serde_json::to_value(document()).unwrap();
        let of = |name: &str| document["components"]["schemas"][name]["additionalProperties"].clone();
        for closed in [
            "SendmuxNewMailbox",
            "SendmuxNewSendScope",
            "SendmuxNewFilters",
            "SendmuxNewFilterRule",
            "SendmuxNewProvider",
            "SendmuxProviderChange",
            "SendmuxNewQuotas",
            "SendmuxNewWebhook",
            "SendmuxNewWebhookFilters",
            "SendmuxDomainChange",
        ] {
            assert_eq!(of(closed), json!(false), "{closed}");
        }
        for open in ["SendmuxDomain", "SendmuxError", "SendmuxFilters"] {
            assert_eq!(of(open), Value::Null, "{open}");
        }
    }

    #[test]
    fn conditions_are_documented_where_they_count() {
        let mut count = 0;
        for (method, path, operation) in operations() {
            let header = |name: &str| {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let found: Vec<Value> = parameters.into_iter().filter(|parameter| parameter["name"] == name).collect();
                assert!(found.len() < 2 && found.iter().all(|one| one["required"] == json!(false)), "{method} {path}");
                !found.is_empty()
            };
            let tag = |status: &str| operation["responses"][status]["headers"]["ETag"].is_object();
            let read = operation["responses"]["304"].is_object();
            let change = method == "patch" || method == "put";
            assert_eq!((header("If-None-Match"), tag("304")), (read, read), "{method} {path}");
            assert_eq!((header("If-Match"), tag("409")), (change, change), "{method} {path}");
            assert_eq!(tag("200"), read || change, "{method} {path}");
            count += usize::from(read) + usize::from(change);
        }
        assert!(count > 10, "{count}");
    }
}
