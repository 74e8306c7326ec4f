//! Events about sending providers.

use serde::{Deserialize, Serialize};

use crate::domain::{ProviderId, ProviderTestId, WorkspaceId};

/// The sending provider that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRef {
    /// The provider.
    pub provider_id: ProviderId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl ProviderRef {
    pub(super) fn subject(&self) -> String {
        format!("providers/{}", self.provider_id)
    }
}

/// The test of a provider's login that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderTestRef {
    /// The test.
    pub provider_test_id: ProviderTestId,
    /// Whose login.
    pub provider_id: ProviderId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl ProviderTestRef {
    /// The provider's: what the first test finds out may spare the second one the login.
    pub(super) fn subject(&self) -> String {
        format!("providers/{}", self.provider_id)
    }
}
