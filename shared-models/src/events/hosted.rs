//! Events about mailboxes that we serve ourselves.

use serde::{Deserialize, Serialize};

use crate::domain::{HostedMailboxId, WorkspaceId};

/// The hosted mailbox that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedMailboxRef {
    /// The mailbox.
    pub hosted_mailbox_id: HostedMailboxId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl HostedMailboxRef {
    pub(super) fn subject(&self) -> String {
        format!("hosted-mailboxes/{}", self.hosted_mailbox_id)
    }
}
