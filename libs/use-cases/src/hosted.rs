//! Hosted mailboxes: those that the mail platform serves.

use std::time::Duration;

use async_trait::async_trait;
use shared_models::domain::hosted::{
    Availability, HostedMailbox, HostedMailboxChange, HostedStatus, IssuedKey, NewHostedMailbox, ProvisionedMailbox,
};
use shared_models::domain::sending_domains::FilterSet;
use shared_models::domain::tenancy::KeyKind;
use shared_models::domain::{CoreError, CredentialId, EmailAddress, HostedMailboxId};
use shared_models::store::{HostedMailboxPage, PendingAnswer};

use crate::{Tenant, UseCases};

/// Suggested to a client while Dovecot does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Measures the mail of a hosted mailbox.
#[async_trait]
pub trait StorageMeter: Send + Sync {
    /// Bytes in use. `None` for a mailbox that the mail platform does not know, such as a suspended one.
    ///
    /// # Errors
    /// A text for the log when the mail platform cannot answer now.
    async fn used_bytes(&self, mailbox: &EmailAddress) -> Result<Option<i64>, String>;
}

impl UseCases {
    /// Provisions a mailbox with its first key, of the kind `key`. Logins work when this returns.
    pub async fn provision_mailbox(
        &self,
        tenant: Tenant,
        new: NewHostedMailbox,
        key: KeyKind,
        answer: PendingAnswer<ProvisionedMailbox>,
    ) -> Result<ProvisionedMailbox, CoreError> {
        let made = self.store.provision_mailbox(tenant.workspace, tenant.owner, new, key, answer).await?;
        log::info!("hosted_mailbox.id={} provisioned", made.mailbox.id);
        Ok(made)
    }

    /// The availability of an address for a new mailbox.
    pub async fn hosted_address(&self, tenant: Tenant, email: EmailAddress) -> Result<Availability, CoreError> {
        self.store.hosted_address(tenant.workspace, email).await
    }

    /// # Errors
    /// `NotFound` when the workspace has no such mailbox, or it was deleted.
    pub async fn hosted_mailbox(&self, tenant: Tenant, id: HostedMailboxId) -> Result<HostedMailbox, CoreError> {
        self.store.hosted_mailbox(tenant.workspace, id).await
    }

    /// As [`Self::hosted_mailbox`], deleted ones included.
    pub async fn recorded_hosted_mailbox(
        &self,
        tenant: Tenant,
        id: HostedMailboxId,
    ) -> Result<HostedMailbox, CoreError> {
        self.store.recorded_hosted_mailbox(tenant.workspace, id).await
    }

    /// One page of mailboxes, newest first.
    pub async fn list_hosted_mailboxes(
        &self,
        tenant: Tenant,
        include_deleted: bool,
        after: Option<HostedMailboxId>,
        limit: i64,
    ) -> Result<HostedMailboxPage, CoreError> {
        self.store.list_hosted_mailboxes(tenant.workspace, include_deleted, after, limit).await
    }

    /// Changes a mailbox: all members or none.
    ///
    /// # Errors
    /// `Invalid` for a quota smaller than the mail in use; `Conflict` when the mailbox is not as `expected` any more,
    /// or is suspended and its quota is to shrink; `Unavailable` while Dovecot does not answer.
    pub async fn change_hosted_mailbox(
        &self,
        tenant: Tenant,
        before: HostedMailbox,
        change: HostedMailboxChange,
        expected: Option<HostedMailbox>,
    ) -> Result<HostedMailbox, CoreError> {
        if let Some(quota) = change.quota_bytes.filter(|quota| *quota < before.quota_bytes) {
            self.check_mail_fits(&before, quota).await?;
        }
        self.store.change_hosted_mailbox(tenant.workspace, before.id, change, expected).await
    }

    /// Mail that arrives between this check and the change stays; the mailbox then accepts no more.
    async fn check_mail_fits(&self, mailbox: &HostedMailbox, quota: i64) -> Result<(), CoreError> {
        let Some(storage) = &self.storage else { return Ok(()) };
        if mailbox.status == HostedStatus::Suspended {
            return Err(CoreError::Conflict("How full a suspended mailbox is cannot be told: resume it first"));
        }
        let used = storage.used_bytes(&mailbox.email).await;
        let used = used.map_err(|cause| CoreError::Unavailable { retry_after: RETRY_AFTER, cause })?;
        match used {
            Some(used) if used > quota => {
                Err(CoreError::invalid("quota_bytes", format!("is less than the {used} bytes that are in use")))
            }
            _ => Ok(()),
        }
    }

    /// Suspends a mailbox, or resumes it.
    pub async fn suspend_mailbox(
        &self,
        tenant: Tenant,
        id: HostedMailboxId,
        suspend: bool,
    ) -> Result<HostedMailbox, CoreError> {
        let mailbox = self.store.suspend_mailbox(tenant.workspace, id, suspend).await?;
        log::info!("hosted_mailbox.id={id} is {}", mailbox.status.as_str());
        Ok(mailbox)
    }

    /// Deletes a mailbox and its keys.
    pub async fn delete_hosted_mailbox(&self, tenant: Tenant, id: HostedMailboxId) -> Result<(), CoreError> {
        self.store.delete_hosted_mailbox(tenant.workspace, id).await?;
        log::info!("hosted_mailbox.id={id} deleted");
        Ok(())
    }

    /// Creates a further key of a mailbox.
    pub async fn create_mailbox_key(
        &self,
        tenant: Tenant,
        id: HostedMailboxId,
        kind: KeyKind,
        app_name: String,
        answer: PendingAnswer<IssuedKey>,
    ) -> Result<IssuedKey, CoreError> {
        let issued = self.store.create_mailbox_key(tenant.workspace, id, kind, app_name, answer).await?;
        log::info!("hosted_mailbox.id={id} key.id={} made", issued.key.id);
        Ok(issued)
    }

    /// # Errors
    /// `NotFound` when the mailbox has no such key.
    pub async fn revoke_mailbox_key(
        &self,
        tenant: Tenant,
        id: HostedMailboxId,
        key: CredentialId,
    ) -> Result<(), CoreError> {
        self.store.revoke_mailbox_key(tenant.workspace, id, key).await?;
        log::info!("hosted_mailbox.id={id} key.id={key} revoked");
        Ok(())
    }

    /// The rules on who may write to the mailbox.
    pub async fn mailbox_filters(&self, tenant: Tenant, id: HostedMailboxId) -> Result<FilterSet, CoreError> {
        self.store.mailbox_filters(tenant.workspace, id).await
    }

    /// Replaces all rules of the mailbox.
    ///
    /// # Errors
    /// `Conflict` when the rules are not as `expected` any more.
    pub async fn set_mailbox_filters(
        &self,
        tenant: Tenant,
        id: HostedMailboxId,
        set: FilterSet,
        expected: Option<FilterSet>,
    ) -> Result<FilterSet, CoreError> {
        self.store.set_mailbox_filters(tenant.workspace, id, set, expected).await
    }
}
