//! Webhooks: added, changed, removed. Their secrets are in [`crate::store::webhooks::secrets`], the deliveries that are
//! due in [`crate::store::webhooks::dispatches`], those that were attempted in [`crate::store::webhooks::log`].
//!
//! Lock order: webhook, dispatch, delivery.

use diesel::prelude::*;

use crate::domain::webhooks::{MAX_WEBHOOKS, NewWebhook, Webhook, WebhookChange, WebhookDialect};
use crate::domain::{CoreError, Timestamp, WebhookId, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::schema::{webhook_deliveries, webhooks};
use crate::store::tenancy::workspace_locks::lock;
use crate::store::webhooks::dispatches::end_dispatches;
use crate::store::webhooks::rows::{WebhookRow, held, own, save};
use crate::store::webhooks::secrets::{MadeWebhook, random_secret, secret_location};

/// The page of a list of webhooks, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebhookQuery {
    /// Only webhooks that are older than this one.
    pub after: Option<WebhookId>,
    /// Matches to skip.
    pub offset: i64,
    /// Matches to return at most.
    pub limit: i64,
}

impl Store {
    /// Adds a webhook. The secret is returned here and never again.
    ///
    /// # Errors
    /// `LimitExceeded` if the workspace has [`MAX_WEBHOOKS`] of the dialect.
    pub async fn create_webhook(
        &self,
        workspace: WorkspaceId,
        new: NewWebhook,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, CoreError> {
        let now = Timestamp::now();
        let webhook = Webhook {
            id: WebhookId::new(),
            workspace_id: workspace,
            dialect: new.dialect.name.to_owned(),
            url: new.url,
            event_types: new.event_types,
            name: new.name,
            enabled: new.enabled,
            failing: false,
            mailboxes: new.mailboxes,
            retry_attempts: new.retry_attempts,
            timeout: new.timeout,
            created_at: now,
            updated_at: now,
        };
        let secret = new.secret.map_or_else(|| random_secret(new.dialect), Ok)?;
        let sealed = self.vault().seal(&secret_location(webhook.id), secret.expose().as_bytes())?;
        self.write(move |tx| {
            // The lock keeps two requests of the same moment from taking the last slot both.
            if !lock(tx.conn, &workspace.to_string())? {
                return Err(CoreError::NotFound("workspace").into());
            }
            let usage = count(tx.conn, workspace, new.dialect.name)?;
            if usage >= MAX_WEBHOOKS {
                return Err(CoreError::LimitExceeded { usage, limit: MAX_WEBHOOKS, requested: 1 }.into());
            }
            let sealed = (webhooks::secret_key_id.eq(sealed.key_id), webhooks::secret.eq(sealed.bytes));
            let values = (WebhookRow::new(&webhook)?, sealed);
            both!(&mut *tx.conn, |c| diesel::insert_into(webhooks::table).values(values).execute(c))?;
            let made = (webhook, secret);
            answer.complete(tx, &made)?;
            Ok(made)
        })
        .await
    }

    /// Reads one webhook of a workspace. Those of another dialect are unknown, here and in every other function.
    pub async fn webhook(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<Webhook, CoreError> {
        self.read(move |conn| own(conn, workspace, dialect.name, id)).await
    }

    /// One page of a workspace's webhooks, newest first, and true if more follow.
    pub async fn list_webhooks(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        query: WebhookQuery,
    ) -> Result<(Vec<Webhook>, bool), CoreError> {
        self.read(move |conn| {
            let mut wanted = webhooks::table
                .filter(webhooks::workspace_id.eq(workspace.to_string()))
                .filter(webhooks::dialect.eq(dialect.name))
                .select(WebhookRow::as_select())
                .into_boxed();
            if let Some(after) = query.after {
                wanted = wanted.filter(webhooks::id.lt(after.to_string()));
            }
            let mut rows: Vec<WebhookRow> =
                wanted.order(webhooks::id.desc()).offset(query.offset).limit(query.limit + 1).load(conn)?;
            let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            Ok((rows.into_iter().map(WebhookRow::read).collect::<Result<_, _>>()?, has_more))
        })
        .await
    }

    /// The number of webhooks that a workspace has in a dialect.
    pub async fn count_webhooks(&self, workspace: WorkspaceId, dialect: WebhookDialect) -> Result<i64, CoreError> {
        self.read(move |conn| Ok(count(conn, workspace, dialect.name)?)).await
    }

    /// Changes a webhook and returns it as it is now. Switching it off ends its dispatches.
    ///
    /// # Errors
    /// `Conflict` if it is not as `expected`.
    pub async fn change_webhook(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
        change: WebhookChange,
        expected: Option<Webhook>,
    ) -> Result<Webhook, CoreError> {
        self.write(move |tx| {
            let before = held(tx.conn, workspace, dialect.name, id)?;
            if expected.is_some_and(|expected| expected != before) {
                return Err(CoreError::Conflict("The webhook was changed meanwhile").into());
            }
            let mut after = change.applied_to(before.clone());
            if after == before {
                return Ok(before);
            }
            after.updated_at = Timestamp::now();
            if !after.enabled {
                end_dispatches(tx.conn, id)?;
            }
            save(tx.conn, &after)?;
            Ok(after)
        })
        .await
    }

    /// Removes a webhook, its dispatches and its log.
    pub async fn delete_webhook(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<(), CoreError> {
        self.write(move |tx| {
            held(tx.conn, workspace, dialect.name, id)?;
            remove(tx, id)
        })
        .await
    }
}

/// Removes all webhooks of a workspace that is being closed.
pub(crate) fn remove_all(tx: &mut Tx<'_>, workspace: &str) -> Result<(), TxError> {
    let ids: Vec<String> =
        webhooks::table.filter(webhooks::workspace_id.eq(workspace)).select(webhooks::id).load(tx.conn)?;
    ids.iter().try_for_each(|id| remove(tx, id.parse().map_err(|_| corrupt("webhook id"))?))
}

fn remove(tx: &mut Tx<'_>, id: WebhookId) -> Result<(), TxError> {
    diesel::delete(webhooks::table.find(id.to_string())).execute(tx.conn)?;
    end_dispatches(tx.conn, id)?;
    let log = webhook_deliveries::table.filter(webhook_deliveries::webhook_id.eq(id.to_string()));
    diesel::delete(log).execute(tx.conn)?;
    Ok(())
}

fn count(conn: &mut Conn, workspace: WorkspaceId, dialect: &str) -> QueryResult<i64> {
    webhooks::table
        .filter(webhooks::workspace_id.eq(workspace.to_string()))
        .filter(webhooks::dialect.eq(dialect))
        .count()
        .get_result(conn)
}
