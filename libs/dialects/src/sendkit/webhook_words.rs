//! Bodies and headers of the requests to SendKit's webhooks.

use serde::Serialize;
use shared_models::domain::mailboxes::ConnectionTest;
use shared_models::domain::webhooks::{SecretStyle, WebhookDialect, WebhookEvent, WebhookJob};
use shared_models::domain::{CoreError, Timestamp, WebhookEventId, WebhookId, WorkspaceId};
use shared_models::events::{Envelope, Event};

use super::wire::{ConnectionTestBody, DnsHealth, MailboxDetail};
use use_cases::webhooks::{Announcement, WebhookWords, signature};

const ACTIVATED: &str = "mailbox.activated";
const FAILED: &str = "mailbox.failed";
const DNS_CHANGED: &str = "mailbox.dns_changed";
/// Type of the event that a webhook test sends.
const TEST: &str = "webhook.test";

/// As stored with every webhook.
pub(in crate::sendkit) const WEBHOOKS: WebhookDialect = WebhookDialect { name: "sendkit", secrets: SecretStyle::Hex };

/// Everything that a webhook can ask for.
pub(in crate::sendkit) const TYPES: [&str; 4] = [ACTIVATED, FAILED, DNS_CHANGED, TEST];

/// An event as it is posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Post<'a> {
    id: String,
    r#type: &'static str,
    created_at: &'a str,
    workspace_id: String,
    data: EventData,
}

/// Content of an event.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum EventData {
    Activated {
        mailbox: Box<MailboxDetail>,
    },
    /// The outcome, in the form of the connection test.
    Failed {
        mailbox_id: String,
        email: String,
        deleted: bool,
        #[serde(flatten)]
        test: ConnectionTestBody,
    },
    /// The DNS state, in the form of the mailbox's health.
    DnsChanged {
        mailbox_id: String,
        email: String,
        dns: DnsHealth,
    },
    Test {
        webhook_id: String,
    },
}

pub(crate) struct Words;

impl WebhookWords for Words {
    fn dialect(&self) -> WebhookDialect {
        WEBHOOKS
    }

    fn event_type(&self, event: &Event) -> Option<&'static str> {
        match event {
            Event::MailboxActivated(_) => Some(ACTIVATED),
            Event::MailboxVerificationFailed(_) => Some(FAILED),
            Event::MailboxDnsChanged(_) => Some(DNS_CHANGED),
            _ => None,
        }
    }

    fn event(
        &self,
        envelope: &Envelope,
        workspace: WorkspaceId,
        announcement: Announcement,
    ) -> Result<WebhookEvent, CoreError> {
        let (event_type, data) = match announcement {
            Announcement::Activated(mailbox) => {
                (ACTIVATED, EventData::Activated { mailbox: Box::new(MailboxDetail::from(&*mailbox)) })
            }
            Announcement::Refused(about, refused) => {
                let (mailbox_id, deleted) = (about.mailbox_id.to_string(), refused.deleted);
                let test = ConnectionTest::Failed(Box::new(refused.finding)).into();
                (FAILED, EventData::Failed { mailbox_id, email: refused.email, deleted, test })
            }
            Announcement::DnsChanged(mailbox) => {
                let (mailbox_id, email) = (mailbox.id.to_string(), mailbox.email.as_str().to_owned());
                (DNS_CHANGED, EventData::DnsChanged { mailbox_id, email, dns: DnsHealth::from(&*mailbox) })
            }
        };
        written(envelope.id.into(), event_type, &envelope.time, workspace, data)
    }

    /// The dialect's own, whose signature is never made with a replaced secret, and those of Standard Webhooks.
    fn headers(&self, job: &WebhookJob, now: Timestamp) -> Vec<(&'static str, String)> {
        let own = [
            ("x-sendkit-signature", signature::of_body(&job.secret, &job.body)),
            ("x-sendkit-event", job.event_type.clone()),
        ];
        own.into_iter().chain(signature::standard_headers(job, job.event_id.to_string(), now)).collect()
    }
}

/// The event of a webhook test. It reports nothing but its own arrival.
///
/// # Errors
/// `Internal` when it cannot be serialised.
pub(in crate::sendkit) fn test_event(workspace: WorkspaceId, webhook: WebhookId) -> Result<WebhookEvent, CoreError> {
    let now = Timestamp::now().to_rfc3339();
    written(WebhookEventId::new(), TEST, &now, workspace, EventData::Test { webhook_id: webhook.to_string() })
}

fn written(
    id: WebhookEventId,
    event_type: &'static str,
    created_at: &str,
    workspace: WorkspaceId,
    data: EventData,
) -> Result<WebhookEvent, CoreError> {
    let post = Post { id: id.to_string(), r#type: event_type, created_at, workspace_id: workspace.to_string(), data };
    let body =
        serde_json::to_string(&post).map_err(|e| CoreError::Internal(format!("an event cannot be serialised: {e}")))?;
    let dialect = WEBHOOKS;
    Ok(WebhookEvent { id, dialect, event_type: event_type.to_owned(), mailbox: None, body })
}
