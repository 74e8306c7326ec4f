//! Response bodies about webhooks.

use serde::Serialize;
use serde_json::Value;
use shared_models::domain::webhooks::{Webhook as Stored, WebhookDelivery, WebhookSecret};
use shared_models::domain::{CoreError, Timestamp};
use utoipa::ToSchema;

use crate::sendmux::ids;

/// A webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxWebhook)]
pub(in crate::sendmux) struct Webhook {
    id: String,
    url: String,
    event_types: Vec<String>,
    #[schema(required)]
    name: Option<String>,
    enabled: bool,
    /// Every attempt to deliver some event failed. Nothing more is delivered until `enabled` goes from false to true.
    failing: bool,
    filters: Filters,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Mailboxes whose events are delivered; an empty list stands for all events.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxWebhookFilters)]
struct Filters {
    mailbox_ids: Vec<String>,
}

/// A webhook whose secret was just made. It is shown only now.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxWebhookWithSecret)]
pub(in crate::sendmux) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: Webhook,
    #[schema(pattern = "^whsec_")]
    secret: String,
}

impl From<&Stored> for Webhook {
    fn from(webhook: &Stored) -> Self {
        Self {
            id: ids::webhook::encode(webhook.id),
            url: webhook.url.clone(),
            event_types: webhook.event_types.clone(),
            name: webhook.name.clone(),
            enabled: webhook.enabled,
            failing: webhook.failing,
            filters: Filters { mailbox_ids: webhook.mailboxes.iter().map(|id| ids::mailbox::encode(*id)).collect() },
            created_at: webhook.created_at.to_rfc3339(),
            updated_at: webhook.updated_at.to_rfc3339(),
        }
    }
}

impl WebhookWithSecret {
    pub(in crate::sendmux) fn new(webhook: &Stored, secret: &WebhookSecret) -> Self {
        Self { webhook: webhook.into(), secret: secret.expose().to_owned() }
    }
}

/// The event of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxWebhookTest)]
pub(in crate::sendmux) struct WebhookTest {
    pub(in crate::sendmux) event_id: String,
}

/// One attempt to deliver an event to a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxWebhookDelivery)]
pub(in crate::sendmux) struct Delivery {
    id: String,
    event_id: String,
    event_type: String,
    #[schema(minimum = 1)]
    delivery_attempt: u32,
    max_attempts: u32,
    /// `failed`: another attempt followed, or no more were wanted. `permanent_failure`: it was the last attempt.
    #[schema(pattern = "^(success|retrying|failed|permanent_failure)$")]
    result: &'static str,
    #[schema(required)]
    response_status: Option<u16>,
    /// Its beginning.
    #[schema(required)]
    response_body: Option<String>,
    #[schema(minimum = 0)]
    response_ms: u64,
    #[schema(required)]
    error_message: Option<String>,
    #[schema(required, format = DateTime)]
    next_retry_at: Option<String>,
    #[schema(required)]
    request_payload_sha256: Option<String>,
    #[schema(minimum = 0)]
    request_payload_bytes: i64,
    payload_available: bool,
    #[schema(format = DateTime)]
    payload_expires_at: String,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<&WebhookDelivery> for Delivery {
    fn from(delivery: &WebhookDelivery) -> Self {
        let reply = delivery.reply.clone();
        Self {
            id: ids::webhook_delivery::encode(delivery.id),
            event_id: ids::webhook_event::encode(delivery.event_id),
            event_type: delivery.event_type.clone(),
            delivery_attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            result: delivery.result.as_str(),
            response_status: reply.status,
            response_body: reply.body,
            response_ms: reply.millis,
            error_message: reply.error,
            next_retry_at: delivery.next_retry_at.map(Timestamp::to_rfc3339),
            request_payload_sha256: Some(delivery.payload_sha256.clone()),
            request_payload_bytes: delivery.payload_bytes,
            // It is kept as long as the delivery itself.
            payload_available: true,
            payload_expires_at: delivery.expires_at().to_rfc3339(),
            created_at: delivery.created_at.to_rfc3339(),
        }
    }
}

/// One delivery with the body that was posted.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxWebhookPayload)]
pub(in crate::sendmux) struct Payload {
    id: String,
    event_id: String,
    event_type: String,
    #[schema(minimum = 1)]
    delivery_attempt: u32,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(value_type = Object)]
    payload: Value,
}

impl Payload {
    pub(in crate::sendmux) fn new(delivery: &WebhookDelivery, body: &str) -> Result<Self, CoreError> {
        Ok(Self {
            id: ids::webhook_delivery::encode(delivery.id),
            event_id: ids::webhook_event::encode(delivery.event_id),
            event_type: delivery.event_type.clone(),
            delivery_attempt: delivery.attempt,
            created_at: delivery.created_at.to_rfc3339(),
            expires_at: delivery.expires_at().to_rfc3339(),
            payload: serde_json::from_str(body)
                .map_err(|_| CoreError::Internal("a stored event cannot be read".to_owned()))?,
        })
    }
}
