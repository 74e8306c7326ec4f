//! Bodies and headers of the requests to webhooks. The bodies are events as JSON.

use serde::Serialize;
use shared_models::domain::webhooks::{SecretStyle, WebhookDialect, WebhookEvent, WebhookJob};
use shared_models::domain::{CoreError, Timestamp, WebhookEventId, WebhookId, WorkspaceId};

use crate::sendmux::ids;
use shared_models::events::{Envelope, Event};
use use_cases::webhooks::{Announcement, WebhookWords, signature};

/// Type of the event that a webhook test sends.
pub(in crate::sendmux) const TEST: &str = "sendmux.test";

/// As stored with every webhook.
pub(in crate::sendmux) const WEBHOOKS: WebhookDialect =
    WebhookDialect { name: "sendmux", secrets: SecretStyle::Standard };

/// Everything that a webhook can ask for.
pub(in crate::sendmux) const TYPES: [&str; 8] = [
    "message.delivered",
    "message.bounced",
    "message.complained",
    "message.rejected",
    "message.delivery_delayed",
    "message.received",
    "message.received.spam",
    TEST,
];

/// An event as it is posted.
#[derive(Serialize)]
struct Post {
    id: String,
    r#type: &'static str,
    occurred_at: String,
    team_public_id: String,
    data: Data,
}

/// Content of an event. Every member is always present.
#[derive(Default, Serialize)]
struct Data {
    recipients: Vec<String>,
    sender: Option<String>,
    message_id: Option<String>,
    message_id_kind: Option<&'static str>,
    sendmux_message_id: Option<String>,
    mailbox_id: Option<String>,
    webhook_id: Option<String>,
    is_spam: Option<bool>,
    bounce_type: Option<&'static str>,
    bounce_subtype: Option<String>,
    complaint_type: Option<String>,
    complaint_subtype: Option<String>,
    delay_type: Option<String>,
    delay_expires_at: Option<String>,
    reject_reason: Option<String>,
}

/// The event of a webhook test. It reports nothing but its own arrival.
///
/// # Errors
/// `Internal` when it cannot be serialised.
pub(in crate::sendmux) fn test_event(workspace: WorkspaceId, webhook: WebhookId) -> Result<WebhookEvent, CoreError> {
    let id = WebhookEventId::new();
    let post = Post {
        id: ids::webhook_event::encode(id),
        r#type: TEST,
        occurred_at: Timestamp::now().to_rfc3339(),
        team_public_id: ids::team::encode(workspace),
        data: Data { webhook_id: Some(ids::webhook::encode(webhook)), ..Data::default() },
    };
    let body =
        serde_json::to_string(&post).map_err(|e| CoreError::Internal(format!("an event cannot be serialised: {e}")))?;
    let (dialect, event_type) = (WEBHOOKS, TEST.to_owned());
    Ok(WebhookEvent { id, dialect, event_type, mailbox: None, body })
}

/// Sendmux' words for webhooks: nothing that happens to a mailbox is announced yet.
pub(crate) struct Words;

impl WebhookWords for Words {
    fn dialect(&self) -> WebhookDialect {
        WEBHOOKS
    }

    fn event_type(&self, _: &Event) -> Option<&'static str> {
        None
    }

    fn event(&self, envelope: &Envelope, _: WorkspaceId, _: Announcement) -> Result<WebhookEvent, CoreError> {
        Err(CoreError::Internal(format!("event {} has no words in Sendmux", envelope.id)))
    }

    /// The dialect's own, whose signature is never made with a replaced secret, and those of Standard Webhooks.
    fn headers(&self, job: &WebhookJob, now: Timestamp) -> Vec<(&'static str, String)> {
        let id = ids::webhook_event::encode(job.event_id);
        let own = [
            ("x-sendmux-signature", signature::of_body(&job.secret, &job.body)),
            ("x-sendmux-event-type", job.event_type.clone()),
            ("x-sendmux-delivery-attempt", job.attempt.to_string()),
            ("x-sendmux-event-id", id.clone()),
        ];
        own.into_iter().chain(signature::standard_headers(job, id, now)).collect()
    }
}
