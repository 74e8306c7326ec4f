//! Webhooks of a tenant and the log of their deliveries.

use shared_models::domain::webhooks::{
    NewWebhook, Webhook, WebhookChange, WebhookDelivery, WebhookDialect, WebhookEvent,
};
use shared_models::domain::{CoreError, HostedMailboxId, WebhookDeliveryId, WebhookId};
use shared_models::store::{DeliveryQuery, MadeWebhook, PendingAnswer, WebhookQuery, WebhookTest};

use crate::{Tenant, UseCases};

impl UseCases {
    /// Adds a webhook. The returned value holds its secret, which cannot be read later.
    pub async fn create_webhook(
        &self,
        tenant: Tenant,
        new: NewWebhook,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, CoreError> {
        let made = self.store.create_webhook(tenant.workspace, new, answer).await?;
        log::info!("webhook.id={} added", made.0.id);
        Ok(made)
    }

    /// One webhook.
    ///
    /// # Errors
    /// `NotFound`; here and below also for a webhook of another dialect.
    pub async fn webhook(&self, tenant: Tenant, dialect: WebhookDialect, id: WebhookId) -> Result<Webhook, CoreError> {
        self.store.webhook(tenant.workspace, dialect, id).await
    }

    /// One page of webhooks, newest first, and true if more follow.
    pub async fn list_webhooks(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        query: WebhookQuery,
    ) -> Result<(Vec<Webhook>, bool), CoreError> {
        self.store.list_webhooks(tenant.workspace, dialect, query).await
    }

    /// The number of webhooks of a dialect.
    pub async fn count_webhooks(&self, tenant: Tenant, dialect: WebhookDialect) -> Result<i64, CoreError> {
        self.store.count_webhooks(tenant.workspace, dialect).await
    }

    /// # Errors
    /// `Conflict` when the webhook is not as `expected` any more.
    pub async fn change_webhook(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
        change: WebhookChange,
        expected: Option<Webhook>,
    ) -> Result<Webhook, CoreError> {
        self.store.change_webhook(tenant.workspace, dialect, id, change, expected).await
    }

    /// Replaces the secret. For a day posts are signed with the old one as well, where the dialect allows two
    /// signatures.
    pub async fn rotate_webhook_secret(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, CoreError> {
        let made = self.store.rotate_webhook_secret(tenant.workspace, dialect, id, answer).await?;
        log::info!("webhook.id={id} has a new secret");
        Ok(made)
    }

    /// # Errors
    /// `NotFound` when the workspace has no such webhook.
    pub async fn delete_webhook(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<(), CoreError> {
        self.store.delete_webhook(tenant.workspace, dialect, id).await?;
        log::info!("webhook.id={id} deleted");
        Ok(())
    }

    /// Dispatches a made-up event to one webhook.
    pub async fn test_webhook(
        &self,
        tenant: Tenant,
        id: WebhookId,
        event: WebhookEvent,
        answer: PendingAnswer<WebhookTest>,
    ) -> Result<WebhookTest, CoreError> {
        self.store.test_webhook(tenant.workspace, id, event, answer).await
    }

    /// One page of the log of attempts, newest first, and true if more follow.
    pub async fn webhook_deliveries(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
        query: DeliveryQuery,
    ) -> Result<(Vec<WebhookDelivery>, bool), CoreError> {
        self.store.webhook_deliveries(tenant.workspace, dialect, id, query).await
    }

    /// The number of attempts in the log of a webhook.
    pub async fn count_webhook_deliveries(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<i64, CoreError> {
        self.store.count_webhook_deliveries(tenant.workspace, dialect, id).await
    }

    /// One attempt, and the body that was posted.
    pub async fn webhook_payload(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<(WebhookDelivery, String), CoreError> {
        self.store.webhook_payload(tenant.workspace, dialect, id, delivery).await
    }

    /// The index of the first mailbox that the tenant does not have.
    pub async fn first_foreign_mailbox(
        &self,
        tenant: Tenant,
        ids: &[HostedMailboxId],
    ) -> Result<Option<usize>, CoreError> {
        for (index, id) in ids.iter().enumerate() {
            match self.store.hosted_mailbox(tenant.workspace, *id).await {
                Ok(_) => {}
                Err(CoreError::NotFound(_)) => return Ok(Some(index)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
