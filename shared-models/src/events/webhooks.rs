//! What is told about webhooks.

use serde::{Deserialize, Serialize};

use crate::domain::{WebhookEventId, WebhookId, WorkspaceId};

/// The telling of one event to one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDispatchRef {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// What it is to be told of.
    pub webhook_event_id: WebhookEventId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl WebhookDispatchRef {
    pub(super) fn subject(&self) -> String {
        format!("webhooks/{}/events/{}", self.webhook_id, self.webhook_event_id)
    }
}
