//! Schemas of request bodies, for the document alone. `requests.rs` beside this file reads the bodies.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;

/// Body of `POST /v1/webhooks`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::sendkit) struct CreateWebhookBody {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// `https` only.
    #[schema(max_length = 2048, example = "https://hooks.tenant.example/in")]
    url: String,
    /// `mailbox.activated`, `mailbox.failed`, `mailbox.dns_changed`, `webhook.test`.
    #[schema(min_items = 1)]
    events: Vec<String>,
    /// Signing secret. Default: 32 random bytes in hex.
    #[schema(min_length = 16, max_length = 255)]
    secret: Option<String>,
    /// Retries of a failed delivery. Default 3.
    #[schema(minimum = 0, maximum = 10)]
    retry_attempts: Option<u32>,
    /// How long the receiver may take. Default 10000.
    #[schema(minimum = 1000, maximum = 30000)]
    timeout_ms: Option<u32>,
}

/// Body of `PATCH /v1/webhooks/{webhookId}`. What is left out stays.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::sendkit) struct UpdateWebhookBody {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// `https` only.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Replaces all of them.
    #[schema(min_items = 1)]
    events: Option<Vec<String>>,
    #[schema(minimum = 0, maximum = 10)]
    retry_attempts: Option<u32>,
    #[schema(minimum = 1000, maximum = 30000)]
    timeout_ms: Option<u32>,
    /// `disabled`: nothing more is delivered; pending retries are dropped. `active`: events from now on are delivered,
    /// also if the webhook was `failing`.
    #[schema(pattern = "^(active|disabled)$")]
    status: Option<String>,
}
