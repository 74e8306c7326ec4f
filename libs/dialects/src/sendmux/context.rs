//! Parts that every answer of this dialect has: the id of the request, no caching, an error's envelope.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};

use super::errors::SendmuxError;
use super::ids;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request, as its answer shows it.
struct RequestId(String);

pub(super) fn request_id(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// The answer is that of an earlier request, whose id it shows.
pub(super) fn answer_as(request: &HttpRequest, id: &str) {
    request.extensions_mut().insert(RequestId(id.to_owned()));
}

/// Middleware of the dialect's scope.
pub(super) async fn dressed(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    request.extensions_mut().insert(RequestId(ids::request()));
    let response = next.call(request).await?.map_into_boxed_body();
    let id = request_id(response.request());
    let envelope = response.response().error().and_then(Error::as_error).map(|error: &SendmuxError| error.answer(&id));
    let mut response = match envelope {
        Some(envelope) => response.into_response(envelope),
        None => response,
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let status = response.status();
    // Clients that repeat these on the same connection report a fault of it instead of the answer.
    if status == StatusCode::CONFLICT || status.is_server_error() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
