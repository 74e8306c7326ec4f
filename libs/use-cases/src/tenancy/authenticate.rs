//! From an API key to the owner or the workspace that it opens.

use shared_models::domain::tenancy::{KeyKind, KeyText};
use shared_models::domain::{ApiKeyId, CoreError, CredentialId, OwnerId, WorkspaceId};

use crate::UseCases;

/// The sender of a valid key.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "fields are named after their types")]
pub struct Account {
    /// The key itself.
    pub key: ApiKeyId,
    pub owner: OwnerId,
    /// The one workspace that the key opens; `None` = all of the owner's.
    pub bound_to: Option<WorkspaceId>,
}

/// The workspace in which a request acts.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "fields are named after their types")]
pub struct Tenant {
    pub workspace: WorkspaceId,
    pub owner: OwnerId,
}

impl UseCases {
    /// # Errors
    /// `Unauthenticated` for an unknown key, and for one of another kind than the accepted ones.
    pub async fn authenticate(&self, key: KeyText, accepted: &[KeyKind]) -> Result<Account, CoreError> {
        self.authenticate_scoped(key, accepted).await.map(|(account, _)| account)
    }

    /// As [`Self::authenticate`], with the scopes of the key. An empty list is everything that its kind allows.
    pub async fn authenticate_scoped(
        &self,
        key: KeyText,
        accepted: &[KeyKind],
    ) -> Result<(Account, Vec<String>), CoreError> {
        let key = self.store.authenticate(key, accepted).await?;
        Ok((Account { key: key.id, owner: key.owner_id, bound_to: key.workspace_id }, key.scopes))
    }

    /// The id of a hosted mailbox's key by its text; `None` if no such key opens a mailbox.
    pub async fn mailbox_key(&self, key: KeyText) -> Result<Option<CredentialId>, CoreError> {
        self.store.mailbox_key(key).await
    }

    /// The workspace in which a request of `account` acts. `named_by` is the field or header that names it.
    ///
    /// # Errors
    /// `Invalid` when an owner-wide key names none; `Forbidden` when the key does not open the named one.
    pub async fn tenant(&self, account: Account, wanted: Option<&str>, named_by: &str) -> Result<Tenant, CoreError> {
        let foreign = || CoreError::Forbidden("This key does not open that workspace");
        let wanted = wanted.map(|id| id.trim().parse::<WorkspaceId>()).transpose().map_err(|_| foreign())?;
        let workspace = match (account.bound_to, wanted) {
            (Some(own), None) => own,
            (Some(own), Some(wanted)) if own == wanted => own,
            (Some(_), Some(_)) => return Err(foreign()),
            (None, Some(wanted)) if self.store.owns_workspace(account.owner, wanted).await? => wanted,
            (None, Some(_)) => return Err(foreign()),
            (None, None) => return Err(CoreError::invalid(named_by, "is required with a platform key")),
        };
        Ok(Tenant { workspace, owner: account.owner })
    }
}
