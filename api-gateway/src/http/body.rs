//! Reads a request body within limits, after the caller is known: the extractors of actix would
//! judge the body before the key.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{BytesMut, Payload};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

/// Largest JSON body in bytes. The largest field, a signature, has 64 KiB.
const MAX_JSON: usize = 256 * 1024;
/// How much of a body that is too large is read and thrown away, so that the client, which is still
/// sending, gets to read the answer.
const MAX_DRAINED: usize = 32 * 1024 * 1024;
/// And for how long.
const DRAIN_FOR: Duration = Duration::from_secs(10);
/// A body that trickles in slower than this is given up.
const READ_FOR: Duration = Duration::from_secs(30);

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("The request body is larger than {MAX_JSON} bytes")]
    TooLarge,
    #[error("Content-Type must be application/json")]
    NotJsonType,
    #[error("The request body is not valid JSON: {0}")]
    Malformed(String),
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
    let bytes = read_bytes(payload).await?;
    if bytes.is_empty() && optional {
        return from_value(serde_json::Value::Object(serde_json::Map::new()));
    }
    let declared = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    if declared.is_some_and(|value| !is_json(value)) {
        return Err(BodyError::NotJsonType);
    }
    // serde_json's text names line and column, never the content.
    from_value(serde_json::from_slice(&bytes).map_err(|e| BodyError::Malformed(e.to_string()))?)
}

fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, BodyError> {
    if !value.is_object() {
        return Err(BodyError::NotAnObject);
    }
    // The members are `Field`s, which take any value; only the outer shape can fail here.
    serde_json::from_value(value).map_err(|_| BodyError::NotAnObject)
}

async fn read_bytes(mut payload: Payload) -> Result<BytesMut, BodyError> {
    let read = async {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| BodyError::Broken)?;
            if bytes.len() + chunk.len() > MAX_JSON {
                return Err(BodyError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let result = tokio::time::timeout(READ_FOR, read).await.unwrap_or(Err(BodyError::Broken));
    if matches!(result, Err(BodyError::TooLarge)) {
        drain(payload).await;
    }
    result
}

async fn drain(mut payload: Payload) {
    let discard = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(chunk)) = payload.next().await {
            let Some(rest) = left.checked_sub(chunk.len()) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(DRAIN_FOR, discard).await;
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
