//! Rate limits of API keys, on top of the counts of `limiter`. Each dialect counts right after authentication,
//! before it judges anything else, and answers [`RateLimited`] in its own envelope. The headers are the same in all.

mod limiter;

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};
use shared_models::domain::{ApiKeyId, Timestamp};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Components, ObjectBuilder, Ref, RefOr, Response, Type};

pub(crate) use limiter::{Limit, RateLimiter};

/// The key has no requests left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Rate limit exceeded. Retry after {} seconds.", retry_after.as_secs())]
pub struct RateLimited {
    /// Whole seconds, at least one. A request after them passes, unless other requests of the key came first.
    pub retry_after: Duration,
}

/// Counts a request of a valid key, and leaves the result for [`announced`].
///
/// # Errors
/// The key has no requests left.
pub(crate) fn count(request: &HttpRequest, limiter: &RateLimiter, key: ApiKeyId) -> Result<(), RateLimited> {
    let Some(standing) = limiter.take(key, Timestamp::now()) else { return Ok(()) };
    request.extensions_mut().insert(standing);
    standing.retry_after.map_or(Ok(()), |retry_after| Err(RateLimited { retry_after }))
}

/// Middleware of a dialect's scope: adds the `X-RateLimit-*` headers to every answer to a counted request, failures
/// included. A request without a valid key is not counted and gets none.
pub async fn announced(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    let standing = response.request().extensions().get::<limiter::Standing>().copied();
    if let Some(standing) = standing {
        let [limit, remaining, reset] = HEADERS.map(|header| HeaderName::from_static(header.on_the_wire));
        let headers = response.headers_mut();
        headers.insert(limit, HeaderValue::from(standing.limit));
        headers.insert(remaining, HeaderValue::from(standing.remaining));
        headers.insert(reset, HeaderValue::from(standing.reset));
    }
    Ok(response)
}

/// A header of [`announced`].
struct Header {
    on_the_wire: &'static str,
    documented: &'static str,
    meaning: &'static str,
}

const HEADERS: [Header; 3] = [
    Header {
        on_the_wire: "x-ratelimit-limit",
        documented: "X-RateLimit-Limit",
        meaning: "Requests that the API key has in the window. Absent, like the other two, where the limit is switched off.",
    },
    Header {
        on_the_wire: "x-ratelimit-remaining",
        documented: "X-RateLimit-Remaining",
        meaning: "Requests left in the window.",
    },
    Header {
        on_the_wire: "x-ratelimit-reset",
        documented: "X-RateLimit-Reset",
        meaning: "End of the window in Unix seconds; from then on the whole number is there again.",
    },
];
const RETRY_AFTER: &str = "Retry-After";

/// Defines the headers that [`document_standing`] and [`document_retry_after`] refer to.
pub(crate) fn define_headers(components: &mut Components) {
    let meanings = HEADERS.map(|header| (header.documented, header.meaning));
    for (name, meaning) in meanings.into_iter().chain([(RETRY_AFTER, "Seconds to wait before the next try.")]) {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let header = HeaderBuilder::new().schema(Some(number)).description(Some(meaning));
        components.headers.insert(name.to_owned(), header.build().into());
    }
}

/// Documents the headers of [`announced`] on an answer.
pub fn document_standing(answer: &mut Response) {
    for header in HEADERS {
        refer(answer, header.documented);
    }
}

/// Documents `Retry-After` on an answer.
pub fn document_retry_after(answer: &mut Response) {
    refer(answer, RETRY_AFTER);
}

fn refer(answer: &mut Response, name: &str) {
    let definition = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
    answer.headers.insert(name.to_owned(), definition);
}
