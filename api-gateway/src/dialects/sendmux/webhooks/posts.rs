//! What is posted to webhooks: events as JSON, and how their headers prove where they come from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde::Serialize;
use shared_models::domain::webhooks::{WebhookDialect, WebhookEvent, WebhookJob, WebhookSecret};
use shared_models::domain::{DomainError, Timestamp, WebhookEventId, WebhookId, WorkspaceId};

use super::super::ids;

/// Tells that a webhook works.
pub(super) const TEST: &str = "sendmux.test";

/// Everything that a webhook can ask for.
pub(super) const TYPES: [&str; 8] = [
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

/// What happened. Every member is always there.
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

/// An event that tells of nothing but its own arrival.
///
/// # Errors
/// `Internal` when it cannot be serialised.
pub(super) fn test_event(workspace: WorkspaceId, webhook: WebhookId) -> Result<WebhookEvent, DomainError> {
    let id = WebhookEventId::new();
    let post = Post {
        id: ids::webhook_event::encode(id),
        r#type: TEST,
        occurred_at: Timestamp::now().to_rfc3339(),
        team_public_id: ids::team::encode(workspace),
        data: Data { webhook_id: Some(ids::webhook::encode(webhook)), ..Data::default() },
    };
    let body = serde_json::to_string(&post)
        .map_err(|e| DomainError::Internal(format!("an event cannot be serialised: {e}")))?;
    let (dialect, event_type) = (WebhookDialect::Sendmux, TEST.to_owned());
    Ok(WebhookEvent { id, dialect, event_type, mailbox: None, body })
}

/// Headers of one try: the dialect's own, and those of Standard Webhooks (standardwebhooks.com, version 1).
pub(in crate::dialects) fn headers(job: &WebhookJob, now: Timestamp) -> Vec<(&'static str, String)> {
    let id = ids::webhook_event::encode(job.event_id);
    let seconds = now.millis().div_euclid(1000).to_string();
    vec![
        ("x-sendmux-signature", own_signature(&job.secret, &job.body)),
        ("x-sendmux-event-type", job.event_type.clone()),
        ("x-sendmux-delivery-attempt", job.attempt.to_string()),
        ("webhook-signature", standard_signature(&job.secret, &id, &seconds, &job.body)),
        ("webhook-timestamp", seconds),
        ("x-sendmux-event-id", id.clone()),
        ("webhook-id", id),
    ]
}

/// Over the body, with the whole text of the secret as key.
fn own_signature(secret: &WebhookSecret, body: &str) -> String {
    let tag = signed(secret.expose().as_bytes(), body.as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Over id, time and body, with what the text of the secret encodes as key.
fn standard_signature(secret: &WebhookSecret, id: &str, seconds: &str, body: &str) -> String {
    let encoded = secret.expose().strip_prefix(WebhookSecret::PREFIX).unwrap_or_default();
    // Ours always decode; what does not would sign nothing that anybody could check.
    let key = STANDARD.decode(encoded).unwrap_or_default();
    let tag = signed(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

fn signed(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_standard_example_is_signed_as_it_should_be() {
        let secret = WebhookSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, seconds) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let signature = standard_signature(&secret, id, seconds, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// RFC 4231 section 4.3.
    #[test]
    fn the_own_signature_is_plain_hmac() {
        let signature = own_signature(&WebhookSecret::new("Jefe"), "what do ya want for nothing?");
        assert_eq!(signature, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
