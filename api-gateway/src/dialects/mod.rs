//! The wire dialects. This is the only file that names all of them; one never imports another.

pub(crate) mod sendkit;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use service_runtime::settings::RateLimitSettings;
use utoipa::OpenApi;
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::http::rate_limit::{Limit, RateLimiter, define_headers};

/// Mounts every dialect under its own prefix.
pub(crate) fn configure(services: &mut ServiceConfig) {
    sendkit::configure(services);
}

/// The limits on the requests of a key, by dialect. A key belongs to one dialect.
pub(crate) struct Limiters {
    sendkit: RateLimiter,
}

impl Limiters {
    pub(crate) fn new(settings: &RateLimitSettings) -> Self {
        let minute = Duration::from_secs(60);
        Self { sendkit: RateLimiter::new(&[Limit { requests: settings.sendkit_per_minute, per: minute }]) }
    }
}

/// The prefixes of the dialects and their names in the metrics.
const PREFIXES: [(&str, &str); 3] = [("/v1", "sendkit"), ("/api/public/v1", "coldsend"), ("/api/v1", "sendmux")];

/// The name of the dialect that a path or a route's pattern belongs to; `none` for what is common to all.
pub(crate) fn name_of(path: &str) -> &'static str {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PREFIXES.iter().find(|(prefix, _)| below(prefix)).map_or("none", |(_, name)| name)
}

/// The document of all dialects together.
pub(crate) fn openapi() -> Document {
    let mut document = sendkit::Doc::openapi();
    document.info.title = "Mailmoor".to_owned();
    define_headers(document.components.get_or_insert_default());
    describe_responses(&mut document);
    document
}

/// OpenAPI wants a description of every response; the status code's own words say what there is to say.
fn describe_responses(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
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
}

#[cfg(test)]
mod tests {
    use super::name_of;

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
