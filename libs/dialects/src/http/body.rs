//! Reads the bytes of a request body within limits. Handlers call it after authentication; the extractors of actix
//! would judge the body before the key.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::{Stream, StreamExt};

use super::json::JsonError;

/// Largest usual JSON body in bytes. The largest field, a signature, has 64 KiB.
pub(crate) const MAX_JSON: usize = 256 * 1024;
/// Bytes of a too large body that are read and discarded. Otherwise the client, which is still sending, could not
/// read the answer.
const MAX_DRAINED: usize = 32 * 1024 * 1024;
/// Time limit of that discarding.
const DRAIN_FOR: Duration = Duration::from_secs(10);
/// Time in which a body has to arrive.
pub(super) const READ_FOR: Duration = Duration::from_secs(30);

/// The reason why a body was not read. The texts quote nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("The request body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("Content-Type must be application/json")]
    NotJsonType,
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("The request body must be a JSON object")]
    NotAnObject,
    #[error("The request body did not arrive completely")]
    Broken,
}

/// Reads a body of at most `limit` bytes that is declared as JSON. The type of an empty one does not matter.
///
/// # Errors
/// As [`read_bytes`] and [`check_type`].
pub(crate) async fn read_json(request: &HttpRequest, payload: Payload, limit: usize) -> Result<BytesMut, BodyError> {
    let bytes = read_bytes(payload, limit).await?;
    if !bytes.is_empty() {
        check_type(request)?;
    }
    Ok(bytes)
}

/// Reads at most `limit` bytes, of any type.
///
/// # Errors
/// `TooLarge` after the rest was discarded; `Broken` when the body does not arrive within 30 s.
pub(crate) async fn read_bytes(mut payload: Payload, limit: usize) -> Result<BytesMut, BodyError> {
    let read = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| BodyError::Broken)?;
            if bytes.len() + chunk.len() > limit {
                return Err(BodyError::TooLarge(limit));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let result = tokio::time::timeout(READ_FOR, read).await.unwrap_or(Err(BodyError::Broken));
    if matches!(result, Err(BodyError::TooLarge(_))) {
        drain(payload).await;
    }
    result
}

/// Reads on within the limits above and discards what arrives.
pub(super) async fn drain(mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin) {
    let discard = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(chunk)) = payload.next().await {
            let Some(rest) = left.checked_sub(chunk.len()) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(DRAIN_FOR, discard).await;
}

/// Checks that the body is declared as JSON, `application/json` or `application/*+json`. One without a declared type
/// passes.
///
/// # Errors
/// `NotJsonType`.
pub(crate) fn check_type(request: &HttpRequest) -> Result<(), BodyError> {
    let declared = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    if declared.is_some_and(|value| !is_json(value)) { Err(BodyError::NotJsonType) } else { Ok(()) }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
