//! Webhooks of a tenant.

use shared_models::domain::webhooks::{
    NewWebhook, Webhook, WebhookChange, WebhookDelivery, WebhookDialect, WebhookEvent,
};
use shared_models::domain::{CoreError, HostedMailboxId, WebhookDeliveryId, WebhookId};
use shared_models::store::{DeliveryQuery, MadeWebhook, PendingAnswer, WebhookQuery, WebhookTest};

use crate::{Tenant, UseCases};

impl UseCases {
    /// Adds a webhook; its secret is in what is returned, and nowhere else.
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

    /// One webhook. Here and below, those of another dialect are as unknown as those of another tenant.
    pub async fn webhook(&self, tenant: Tenant, dialect: WebhookDialect, id: WebhookId) -> Result<Webhook, CoreError> {
        self.store.webhook(tenant.workspace, dialect, id).await
    }

    /// Webhooks, newest first, and whether more follow.
    pub async fn list_webhooks(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        query: WebhookQuery,
    ) -> Result<(Vec<Webhook>, bool), CoreError> {
        self.store.list_webhooks(tenant.workspace, dialect, query).await
    }

    /// How many webhooks there are.
    pub async fn count_webhooks(&self, tenant: Tenant, dialect: WebhookDialect) -> Result<i64, CoreError> {
        self.store.count_webhooks(tenant.workspace, dialect).await
    }

    /// Changes a webhook.
    ///
    /// # Errors
    /// `Conflict` when it is not as `expected` any more.
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

    /// Gives a webhook a new secret; the old one still counts for a day where two can be told.
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

    /// Removes a webhook for good.
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

    /// Tells a webhook of a made-up event.
    pub async fn test_webhook(
        &self,
        tenant: Tenant,
        id: WebhookId,
        event: WebhookEvent,
        answer: PendingAnswer<WebhookTest>,
    ) -> Result<WebhookTest, CoreError> {
        self.store.test_webhook(tenant.workspace, id, event, answer).await
    }

    /// What a webhook was told, newest first, and whether more follows.
    pub async fn webhook_deliveries(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
        query: DeliveryQuery,
    ) -> Result<(Vec<WebhookDelivery>, bool), CoreError> {
        self.store.webhook_deliveries(tenant.workspace, dialect, id, query).await
    }

    /// How often a webhook was told something.
    pub async fn count_webhook_deliveries(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<i64, CoreError> {
        self.store.count_webhook_deliveries(tenant.workspace, dialect, id).await
    }

    /// One try, and what was posted.
    pub async fn webhook_payload(
        &self,
        tenant: Tenant,
        dialect: WebhookDialect,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<(WebhookDelivery, String), CoreError> {
        self.store.webhook_payload(tenant.workspace, dialect, id, delivery).await
    }

    /// The first of these mailboxes that the tenant does not have.
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
