//! Response bodies about webhooks.

use serde::Serialize;
use shared_models::domain::webhooks::{Webhook, WebhookDelivery, WebhookSecret};
use shared_models::domain::{OwnerId, Timestamp, WebhookEventId};
use utoipa::ToSchema;

/// A webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct WebhookBody {
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    #[schema(pattern = "^[0-9a-f]{24}$")]
    workspace_id: String,
    name: String,
    url: String,
    /// Types of events to deliver: `mailbox.activated`, `mailbox.failed`, `mailbox.dns_changed`, `webhook.test`.
    events: Vec<String>,
    #[schema(minimum = 0, maximum = 10)]
    retry_attempts: Option<u32>,
    #[schema(minimum = 1000, maximum = 30000)]
    timeout_ms: Option<u64>,
    /// `failing`: every attempt to deliver some event failed. Nothing more is delivered until the status is set to
    /// `active` again.
    #[schema(pattern = "^(active|failing|disabled)$")]
    status: &'static str,
    /// The owner of the workspace.
    created_by: String,
    created_at: String,
    updated_at: String,
}

/// A webhook whose secret was just made. It is shown only now.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookBody,
    secret: String,
}

impl WebhookBody {
    pub(in crate::sendkit) fn new(webhook: &Webhook, owner: OwnerId) -> Self {
        Self {
            id: webhook.id.to_string(),
            workspace_id: webhook.workspace_id.to_string(),
            name: webhook.name.clone().unwrap_or_default(),
            url: webhook.url.clone(),
            events: webhook.event_types.clone(),
            retry_attempts: webhook.retry_attempts,
            timeout_ms: webhook.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
            status: match (webhook.enabled, webhook.failing) {
                (false, _) => "disabled",
                (true, true) => "failing",
                (true, false) => "active",
            },
            created_by: owner.to_string(),
            created_at: webhook.created_at.to_rfc3339(),
            updated_at: webhook.updated_at.to_rfc3339(),
        }
    }
}

impl WebhookWithSecret {
    pub(in crate::sendkit) fn new(webhook: &Webhook, secret: &WebhookSecret, owner: OwnerId) -> Self {
        Self { webhook: WebhookBody::new(webhook, owner), secret: secret.expose().to_owned() }
    }
}

/// The event of a test.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct WebhookTestBody {
    #[schema(pattern = "^[0-9a-f]{24}$")]
    event_id: String,
}

impl From<WebhookEventId> for WebhookTestBody {
    fn from(id: WebhookEventId) -> Self {
        Self { event_id: id.to_string() }
    }
}

/// One attempt to deliver an event to a webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct WebhookDeliveryBody {
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    #[schema(pattern = "^[0-9a-f]{24}$")]
    event_id: String,
    event: String,
    #[schema(minimum = 1)]
    attempt: u32,
    #[schema(minimum = 1)]
    max_attempts: u32,
    /// `failed`: another attempt followed, or no more were wanted. `permanent_failure`: it was the last attempt.
    #[schema(pattern = "^(success|retrying|failed|permanent_failure)$")]
    result: &'static str,
    #[schema(required)]
    response_status: Option<u16>,
    /// Its beginning.
    #[schema(required)]
    response_body: Option<String>,
    response_ms: u64,
    /// Why there is no answer.
    #[schema(required)]
    error: Option<String>,
    /// Set while `retrying`.
    #[schema(required)]
    next_retry_at: Option<String>,
    created_at: String,
}

impl From<&WebhookDelivery> for WebhookDeliveryBody {
    fn from(delivery: &WebhookDelivery) -> Self {
        let reply = delivery.reply.clone();
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            event: delivery.event_type.clone(),
            attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            result: delivery.result.as_str(),
            response_status: reply.status,
            response_body: reply.body,
            response_ms: reply.millis,
            error: reply.error,
            next_retry_at: delivery.next_retry_at.map(Timestamp::to_rfc3339),
            created_at: delivery.created_at.to_rfc3339(),
        }
    }
}
