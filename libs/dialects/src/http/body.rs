//! Reads a request body within limits, after the caller is known: the extractors of actix would
//! judge the body before the key.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Largest usual JSON body in bytes. The largest field, a signature, has 64 KiB.
pub(crate) const MAX_JSON: usize = 256 * 1024;
/// How much of a body that is too large is read and thrown away, so that the client, which is still
/// sending, gets to read the answer.
const MAX_DRAINED: usize = 32 * 1024 * 1024;
/// And for how long.
const DRAIN_FOR: Duration = Duration::from_secs(10);
/// A body that trickles in slower than this is given up.
pub(super) const READ_FOR: Duration = Duration::from_secs(30);

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("The request body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("Content-Type must be application/json")]
    NotJsonType,
    #[error("The request body is not valid JSON: {text}")]
    Malformed {
        /// Names line and column, never the content.
        text: String,
        /// Where reading stopped, in characters from the beginning.
        offset: usize,
    },
    #[error("The request body must be a JSON object")]
    NotAnObject,
    #[error("The request body did not arrive completely")]
    Broken,
}

/// Reads a JSON object. An empty body counts as an empty object where `optional`.
pub(crate) async fn read_object<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    optional: bool,
) -> Result<T, BodyError> {
    let value = match read_value(request, payload, MAX_JSON).await? {
        Some(value) => value,
        None if optional => Value::Object(serde_json::Map::new()),
        None => {
            check_type(request)?;
            parse(b"")?
        }
    };
    if !value.is_object() {
        return Err(BodyError::NotAnObject);
    }
    // The members are `Field`s, which take any value; only the outer shape can fail here.
    serde_json::from_value(value).map_err(|_| BodyError::NotAnObject)
}

/// Reads any JSON of at most `limit` bytes; `None` for an empty body.
pub(crate) async fn read_value(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Option<Value>, BodyError> {
    let bytes = read_bytes(payload, limit).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    check_type(request)?;
    parse(&bytes).map(Some)
}

/// Any JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, BodyError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let lines = bytes.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1));
        let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
        let read = if error.is_eof() { bytes } else { bytes.get(..offset).unwrap_or(bytes) };
        let read = String::from_utf8_lossy(read);
        BodyError::Malformed { text: error.to_string(), offset: read.chars().count() }
    })
}

/// Reads at most `limit` bytes.
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

/// Reads on for a while and throws away what comes.
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

/// Whether the body is said to be JSON; one of which nothing is said may be.
pub(crate) fn check_type(request: &HttpRequest) -> Result<(), BodyError> {
    let declared = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    if declared.is_some_and(|value| !is_json(value)) { Err(BodyError::NotJsonType) } else { Ok(()) }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
