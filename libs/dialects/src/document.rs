//! The OpenAPI document of all dialects together.

use actix_web::http::StatusCode;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::dialect::Dialect;
use crate::http::rate_limit::define_headers;

/// One document, of whose operations each says which keys open it.
pub fn openapi(dialects: &[&Dialect]) -> Document {
    let parts = dialects.iter().map(|dialect| with_own_keys((dialect.document)()));
    let mut document = parts.fold(Document::default(), Document::merge_from);
    document.info.title = "Mailmoor".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    define_headers(document.components.get_or_insert_default());
    describe_responses(&mut document);
    document
}

/// The keys that open a dialect move to each of its operations: at the top they would open all dialects.
fn with_own_keys(mut document: Document) -> Document {
    let keys = document.security.take();
    operations(&mut document).for_each(|operation| operation.security.clone_from(&keys));
    document
}

fn operations(document: &mut Document) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
    })
}

/// OpenAPI wants a description of every response; where a dialect gives none, it is the reason phrase of the status.
fn describe_responses(document: &mut Document) {
    for operation in operations(document) {
        for (status, response) in &mut operation.responses.responses {
            let reason = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|code| code.canonical_reason());
            if let (RefOr::T(response), Some(reason)) = (response, reason)
                && response.description.is_empty()
            {
                response.description = reason.to_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{openapi, operations};
    use crate::DIALECTS;

    /// Of two definitions with one name only the first would get into the document.
    #[test]
    fn dialects_share_no_names() {
        let (mut names, mut count) = (BTreeSet::new(), 0);
        for dialect in DIALECTS {
            let mut document = (dialect.document)();
            let ids: Vec<_> =
                operations(&mut document).filter_map(|operation| operation.operation_id.clone()).collect();
            let components = document.components.unwrap_or_default();
            let defined = components.schemas.into_keys().chain(components.security_schemes.into_keys());
            for name in defined.chain(document.paths.paths.into_keys()).chain(ids) {
                count += 1;
                assert!(names.insert(name.clone()), "{name} twice");
            }
        }
        assert!(count > 60, "{count}");
    }

    #[test]
    fn every_operation_says_what_opens_it() {
        let mut document = openapi(DIALECTS);
        assert!(document.security.is_none());
        assert!(operations(&mut document).all(|operation| operation.security.as_ref().is_some_and(|s| !s.is_empty())));
    }

    #[test]
    fn every_path_has_the_prefix_of_its_dialect() {
        for dialect in DIALECTS {
            let paths = (dialect.document)().paths.paths;
            assert!(paths.keys().all(|path| crate::name_of(DIALECTS, path) == dialect.name), "{}", dialect.name);
        }
    }
}
