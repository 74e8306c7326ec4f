//! The wire dialects. This is the only file that names all of them; one never imports another.

mod coldsend;
mod http;
mod sendkit;
mod sendmux;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use service_runtime::settings::{MailPlatformSettings, RateLimitSettings};
use shared_models::domain::tenancy::KeyKind;
use use_cases::UseCases;
use use_cases::webhooks::WebhookWords;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::http::rate_limit::{Limit, RateLimiter, define_headers};

/// Mounts every dialect under its own prefix.
pub fn configure(services: &mut ServiceConfig) {
    sendkit::configure(services);
    coldsend::configure(services);
    sendmux::configure(services);
}

/// Whether a new API key of this kind can be given these scopes.
///
/// # Errors
/// Plain text that names those that it cannot be given.
pub fn check_scopes(kind: KeyKind, scopes: &[String]) -> Result<(), String> {
    match kind {
        KeyKind::Coldsend => coldsend::check_names(scopes),
        KeyKind::SendmuxRoot => sendmux::check_names(scopes),
        KeyKind::SendkitWorkspace | KeyKind::SendkitPlatform if !scopes.is_empty() => {
            Err(format!("a {} key has no scopes; leave them out", kind.as_str()))
        }
        KeyKind::SendkitWorkspace | KeyKind::SendkitPlatform => Ok(()),
    }
}

/// The words for webhooks of every dialect that has webhooks.
pub const WEBHOOK_WORDS: &[&dyn WebhookWords] = &[&sendkit::Words, &sendmux::Words];

/// State of the server that every handler can reach.
pub struct App {
    /// What callers may do.
    pub use_cases: UseCases,
    /// The limits on their requests.
    pub limiters: Limiters,
    /// The servers that domains and mailboxes of the mail platform are given.
    pub platform: MailPlatformSettings,
}

/// The limits on the requests of a key, by dialect. A key belongs to one dialect.
pub struct Limiters {
    sendkit: RateLimiter,
    coldsend: RateLimiter,
    sendmux: RateLimiter,
}

impl Limiters {
    /// As configured.
    pub fn new(settings: &RateLimitSettings) -> Self {
        let limit = |requests, seconds| Limit { requests, per: Duration::from_secs(seconds) };
        Self {
            sendkit: RateLimiter::new(&[limit(settings.sendkit_per_minute, 60)]),
            coldsend: RateLimiter::new(&[
                limit(settings.coldsend_per_minute, 60),
                limit(settings.coldsend_per_hour, 3_600),
            ]),
            sendmux: RateLimiter::new(&[limit(settings.sendmux_per_minute, 60)]),
        }
    }
}

/// The prefixes of the dialects and their names in the metrics.
const PREFIXES: [(&str, &str); 3] = [("/v1", "sendkit"), ("/api/public/v1", "coldsend"), ("/api/v1", "sendmux")];

/// The name of the dialect that a path or a route's pattern belongs to; `none` for what is common to all.
pub fn name_of(path: &str) -> &'static str {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PREFIXES.iter().find(|(prefix, _)| below(prefix)).map_or("none", |(_, name)| name)
}

/// The document of all dialects together.
pub fn openapi() -> Document {
    let mut document = by_dialect().into_iter().map(with_own_keys).fold(Document::default(), Document::merge_from);
    document.info.title = "Mailmoor".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    define_headers(document.components.get_or_insert_default());
    describe_responses(&mut document);
    document
}

fn by_dialect() -> [Document; 3] {
    [sendkit::Doc::openapi(), coldsend::Doc::openapi(), sendmux::document()]
}

/// What opens a dialect moves to each of its operations: on the whole it would open all dialects.
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

/// OpenAPI wants a description of every response; the status code's own words say what there is to say.
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

    use super::{by_dialect, name_of, openapi, operations};

    /// Of two definitions with one name only the first would get into the document.
    #[test]
    fn dialects_share_no_names() {
        let (mut names, mut count) = (BTreeSet::new(), 0);
        for mut document in by_dialect() {
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
        let mut document = openapi();
        assert!(document.security.is_none());
        assert!(operations(&mut document).all(|operation| operation.security.as_ref().is_some_and(|s| !s.is_empty())));
    }

    #[test]
    fn a_prefix_is_whole_segments() {
        for (path, name) in [
            ("/v1", "sendkit"),
            ("/v1/mailboxes/{mailboxId}", "sendkit"),
            ("/api/public/v1/accounts", "coldsend"),
            ("/api/v1/mailboxes", "sendmux"),
            ("/v10/mailboxes", "none"),
            ("/api/public", "none"),
            ("/openapi.json", "none"),
            ("/", "none"),
            ("", "none"),
        ] {
            assert_eq!(name_of(path), name, "{path}");
        }
    }
}
