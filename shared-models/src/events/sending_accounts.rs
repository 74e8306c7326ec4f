//! Events about sending accounts. Their wire words (`provider.created`, `providerId`) are older than the name.

use serde::{Deserialize, Serialize};

use crate::domain::{LoginTestId, SendingAccountId, WorkspaceId};

/// The sending account that an event is about, and its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the ids say what they are of")]
pub struct SendingAccountRef {
    #[serde(rename = "providerId")]
    pub sending_account_id: SendingAccountId,
    pub workspace_id: WorkspaceId,
}

impl SendingAccountRef {
    pub(super) fn subject(&self) -> String {
        format!("providers/{}", self.sending_account_id)
    }
}

/// The test of a sending account's login that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the ids say what they are of")]
pub struct LoginTestRef {
    #[serde(rename = "providerTestId")]
    pub login_test_id: LoginTestId,
    #[serde(rename = "providerId")]
    pub sending_account_id: SendingAccountId,
    pub workspace_id: WorkspaceId,
}

impl LoginTestRef {
    /// The account's, so that both tests of one login are worked off one after the other: the result of the first
    /// may spare the second.
    pub(super) fn subject(&self) -> String {
        format!("providers/{}", self.sending_account_id)
    }
}
