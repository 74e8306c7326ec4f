//! Mailboxes that the mail platform serves.

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

/// When to ask again after Dovecot did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Knows how much mail a hosted mailbox holds.
#[async_trait]
pub trait StorageMeter: Send + Sync {
    /// Bytes in use; `None` for a mailbox that the mail platform does not know, such as a suspended one.
    ///
    /// # Errors
    /// Why it cannot be known now, in plain words for the log.
    async fn used_bytes(&self, mailbox: &EmailAddress) -> Result<Option<i64>, String>;
}

impl UseCases {
    /// Provisions a mailbox with its first key, which is of the kind `key`. It works when this returns.
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

    /// Whether a mailbox of this address could be provisioned now.
    pub async fn hosted_address(&self, tenant: Tenant, email: EmailAddress) -> Result<Availability, CoreError> {
        self.store.hosted_address(tenant.workspace, email).await
    }

    /// One mailbox.
    pub async fn hosted_mailbox(&self, tenant: Tenant, id: HostedMailboxId) -> Result<HostedMailbox, CoreError> {
        self.store.hosted_mailbox(tenant.workspace, id).await
    }

    /// One mailbox, deleted or not.
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

    /// Changes a mailbox, all of it or nothing.
    ///
    /// # Errors
    /// `Invalid` for a quota that the mail does not fit into; `Conflict` when it is not as `expected` any more,
    /// or when nobody can say whether the mail fits; `Unavailable` while Dovecot does not answer.
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

    /// Between this and the change more mail may come in, which then stays; the mailbox only takes no more.
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

    /// Suspends a mailbox, or lets a suspended one work again.
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

    /// Deletes a mailbox with its keys.
    pub async fn delete_hosted_mailbox(&self, tenant: Tenant, id: HostedMailboxId) -> Result<(), CoreError> {
        self.store.delete_hosted_mailbox(tenant.workspace, id).await?;
        log::info!("hosted_mailbox.id={id} deleted");
        Ok(())
    }

    /// Makes another key for a mailbox.
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

    /// Revokes a key of a mailbox.
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

    /// Who may write to a mailbox.
    pub async fn mailbox_filters(&self, tenant: Tenant, id: HostedMailboxId) -> Result<FilterSet, CoreError> {
        self.store.mailbox_filters(tenant.workspace, id).await
    }

    /// Takes these rules in place of all that the mailbox had.
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
