//! The part of every JSON answer that is about the request.

use serde::Serialize;
use utoipa::ToSchema;

/// Metadata about the request.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMeta)]
pub(in crate::sendmux) struct Meta {
    /// The same as in the header `X-Request-Id`.
    request_id: String,
}

impl Meta {
    pub(in crate::sendmux) fn new(request_id: &str) -> Self {
        Self { request_id: request_id.to_owned() }
    }
}
