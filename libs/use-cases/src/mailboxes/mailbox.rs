//! Creating, reading, changing and deleting connected mailboxes.

use shared_models::domain::mailboxes::{ConnectionTest, MailboxChange, NewMailbox};
use shared_models::domain::{CoreError, Mailbox, MailboxId};
use shared_models::store::{MailboxFilter, MailboxPage, PageRequest};

use crate::{Tenant, UseCases};

impl UseCases {
    /// Creates a mailbox; its verification and DNS check start by themselves.
    pub async fn create_mailbox(&self, tenant: Tenant, new: NewMailbox) -> Result<Mailbox, CoreError> {
        let mailbox = self.store.create_mailbox(tenant.workspace, tenant.owner, new).await?;
        log::info!("mailbox.id={} accepted", mailbox.id);
        Ok(mailbox)
    }

    /// # Errors
    /// `NotFound` when the workspace has no such mailbox.
    pub async fn mailbox(&self, tenant: Tenant, id: MailboxId) -> Result<Mailbox, CoreError> {
        self.store.find_mailbox(tenant.workspace, id).await
    }

    /// One page of the mailboxes that match the filter.
    pub async fn list_mailboxes(
        &self,
        tenant: Tenant,
        filter: MailboxFilter,
        page: PageRequest,
    ) -> Result<MailboxPage, CoreError> {
        self.store.list_mailboxes(tenant.workspace, filter, page).await
    }

    /// # Errors
    /// `NotFound` when the workspace has no such mailbox.
    pub async fn change_mailbox(
        &self,
        tenant: Tenant,
        id: MailboxId,
        change: MailboxChange,
    ) -> Result<Mailbox, CoreError> {
        self.store.change_mailbox(tenant.workspace, id, change).await
    }

    /// # Errors
    /// `NotFound` when the workspace has no such mailbox.
    pub async fn delete_mailbox(&self, tenant: Tenant, id: MailboxId) -> Result<(), CoreError> {
        self.store.delete_mailbox(tenant.workspace, id).await?;
        log::info!("mailbox.id={id} deleted");
        Ok(())
    }

    /// The state or result of the verification. Reading it starts none.
    pub async fn connection_test(&self, tenant: Tenant, id: MailboxId) -> Result<ConnectionTest, CoreError> {
        self.store.connection_test(tenant.workspace, id).await
    }
}
