//! Workspaces of an owner.

use shared_models::domain::tenancy::{ApiKey, KeyKind, KeyText, Plan, Workspace};
use shared_models::domain::{CoreError, WorkspaceId};
use shared_models::store::NewApiKey;

use crate::{Account, Tenant, UseCases};

/// A workspace, what it uses and what its owner's plan allows.
#[expect(missing_docs, reason = "mailboxes are counted, the rest is named after its type")]
pub struct WorkspaceOverview {
    pub workspace: Workspace,
    pub mailboxes: i64,
    pub plan: Plan,
}

impl UseCases {
    /// The workspaces that the key opens, oldest first.
    pub async fn workspaces(&self, account: Account) -> Result<Vec<Workspace>, CoreError> {
        match account.bound_to {
            Some(id) => Ok(vec![self.store.workspace(id).await?]),
            None => self.store.workspaces_of(account.owner).await,
        }
    }

    /// The workspace in which the tenant acts.
    pub async fn own_workspace(&self, tenant: Tenant) -> Result<Workspace, CoreError> {
        self.store.workspace(tenant.workspace).await
    }

    /// # Errors
    /// `NotFound` also for a workspace that the key does not open.
    pub async fn workspace(&self, account: Account, id: WorkspaceId) -> Result<WorkspaceOverview, CoreError> {
        let workspace = self.store.workspace(id).await?;
        // Another account's workspace is as unknown as one that never was.
        if workspace.owner_id != account.owner || account.bound_to.is_some_and(|own| own != id) {
            return Err(CoreError::NotFound("workspace"));
        }
        let mailboxes = self.store.count_mailboxes(id).await?;
        let plan = self.store.owner(workspace.owner_id).await?.plan;
        Ok(WorkspaceOverview { workspace, mailboxes, plan })
    }

    /// # Errors
    /// `Forbidden` for the key of one workspace.
    pub async fn create_workspace(&self, account: Account, name: &str) -> Result<Workspace, CoreError> {
        self.store.create_workspace(account.as_owner()?, name).await
    }

    /// # Errors
    /// `NotFound` for a workspace that the key does not open.
    pub async fn rename_workspace(
        &self,
        account: Account,
        id: WorkspaceId,
        name: String,
    ) -> Result<WorkspaceOverview, CoreError> {
        self.workspace(account, id).await?;
        self.store.rename_workspace(id, name).await?;
        self.workspace(account, id).await
    }

    /// Closes a workspace and revokes its keys.
    ///
    /// # Errors
    /// `Forbidden` for the key of one workspace; `Conflict` while it has mailboxes, sending accounts or domains.
    pub async fn delete_workspace(&self, account: Account, id: WorkspaceId) -> Result<(), CoreError> {
        account.as_owner()?;
        self.workspace(account, id).await?;
        self.store.delete_workspace(id).await
    }

    /// Creates a key of this kind for a workspace.
    ///
    /// # Errors
    /// `Conflict` when it has one and the kind allows one only.
    pub async fn create_workspace_key(
        &self,
        account: Account,
        id: WorkspaceId,
        kind: KeyKind,
    ) -> Result<(ApiKey, KeyText), CoreError> {
        let owner = account.as_owner()?;
        self.workspace(account, id).await?;
        let made = self.store.create_api_key(NewApiKey { kind, owner, workspace: Some(id), scopes: vec![] }).await;
        made.map_err(|error| match error {
            CoreError::AlreadyExists => CoreError::Conflict("The workspace has an API key already"),
            other => other,
        })
    }
}
