//! Webhooks: added, changed, removed. What they sign with is in [`crate::store::webhooks::secrets`], what they are told
//! in [`crate::store::webhooks::dispatches`], what became of that in [`crate::store::webhooks::log`].
//!
//! What takes several of these rows takes them in this order: webhook, dispatch, delivery.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::webhooks::{NewWebhook, Webhook, WebhookChange, WebhookDialect};
use crate::domain::{CoreError, Timestamp, WebhookId, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::schema::{webhook_deliveries, webhooks};
use crate::store::tenancy::workspaces::lock;
use crate::store::webhooks::dispatches::end_dispatches;
use crate::store::webhooks::secrets::{MadeWebhook, place, random_secret};

/// Most webhooks of a workspace.
const MAX_WEBHOOKS: i64 = 50;
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct WebhookRow {
    id: String,
    workspace_id: String,
    dialect: String,
    url: String,
    event_types: String,
    name: Option<String>,
    enabled: bool,
    failing: bool,
    mailbox_ids: String,
    created_at: i64,
    updated_at: i64,
    retry_attempts: Option<i32>,
    timeout_ms: Option<i32>,
}

/// Which webhooks of a dialect, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebhookQuery {
    /// Only those behind this one.
    pub after: Option<WebhookId>,
    /// Skip so many.
    pub offset: i64,
    /// At most so many.
    pub limit: i64,
}

impl Store {
    /// Adds a webhook. The secret is returned here and never again.
    ///
    /// # Errors
    /// `LimitExceeded` when the workspace has fifty of the dialect.
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
        let sealed = self.vault().seal(&place(webhook.id), secret.expose().as_bytes())?;
        self.write(move |tx| {
            // Held, so that two that come together do not both take the last place.
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

    /// One webhook of a workspace. Like everything about one: those of another dialect are unknown.
    pub async fn webhook(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<Webhook, CoreError> {
        self.read(move |conn| own(conn, workspace, dialect.name, id)).await
    }

    /// Webhooks of a workspace, newest first, and whether more follow.
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

    /// How many webhooks a workspace has.
    pub async fn count_webhooks(&self, workspace: WorkspaceId, dialect: WebhookDialect) -> Result<i64, CoreError> {
        self.read(move |conn| Ok(count(conn, workspace, dialect.name)?)).await
    }

    /// Changes a webhook and returns it as it is now. One that is switched off is told nothing more of what
    /// has happened before.
    ///
    /// # Errors
    /// `Conflict` when it is not as `expected` (any more).
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
            let mut after = changed(before.clone(), change);
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

    /// Removes a webhook, what it was to be told, and the log of what it was told.
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

fn changed(before: Webhook, change: WebhookChange) -> Webhook {
    let enabled = change.enabled.unwrap_or(before.enabled);
    Webhook {
        url: change.url.unwrap_or(before.url),
        event_types: change.event_types.unwrap_or(before.event_types),
        name: change.name.unwrap_or(before.name),
        enabled,
        failing: before.failing && !change.revived && (before.enabled || !enabled),
        mailboxes: change.mailboxes.unwrap_or(before.mailboxes),
        retry_attempts: change.retry_attempts.or(before.retry_attempts),
        timeout: change.timeout.or(before.timeout),
        ..before
    }
}

/// All webhooks of a workspace that is closed.
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

/// All webhooks of a workspace, oldest first.
pub(crate) fn of_dialect(conn: &mut Conn, workspace: WorkspaceId, dialect: &str) -> Result<Vec<Webhook>, TxError> {
    let rows: Vec<WebhookRow> = webhooks::table
        .filter(webhooks::workspace_id.eq(workspace.to_string()))
        .filter(webhooks::dialect.eq(dialect))
        .order(webhooks::id)
        .select(WebhookRow::as_select())
        .load(conn)?;
    rows.into_iter().map(WebhookRow::read).collect()
}

pub(crate) fn own(conn: &mut Conn, workspace: WorkspaceId, dialect: &str, id: WebhookId) -> Result<Webhook, TxError> {
    let row: Option<WebhookRow> = webhooks::table
        .find(id.to_string())
        .filter(webhooks::workspace_id.eq(workspace.to_string()))
        .filter(webhooks::dialect.eq(dialect))
        .select(WebhookRow::as_select())
        .first(conn)
        .optional()?;
    row.ok_or(CoreError::NotFound("webhook"))?.read()
}

/// One webhook of a workspace. On PostgreSQL its row is locked until the end of the transaction; SQLite has
/// one writer at a time anyway.
pub(crate) fn held(conn: &mut Conn, workspace: WorkspaceId, dialect: &str, id: WebhookId) -> Result<Webhook, TxError> {
    let row = webhooks::table
        .find(id.to_string())
        .filter(webhooks::workspace_id.eq(workspace.to_string()))
        .filter(webhooks::dialect.eq(dialect));
    let found: Option<WebhookRow> = match conn {
        Conn::Pg(c) => row.select(WebhookRow::as_select()).for_update().first(c).optional()?,
        Conn::Lite(c) => row.select(WebhookRow::as_select()).first(c).optional()?,
    };
    found.ok_or(CoreError::NotFound("webhook"))?.read()
}

/// Stores everything but the secrets.
pub(crate) fn save(conn: &mut Conn, webhook: &Webhook) -> Result<(), TxError> {
    let row = WebhookRow::new(webhook)?;
    diesel::update(webhooks::table.find(webhook.id.to_string())).set(&row).execute(conn)?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|e| CoreError::Internal(format!("a webhook cannot be serialised: {e}")))
}

impl WebhookRow {
    fn new(webhook: &Webhook) -> Result<Self, CoreError> {
        let number = |number: u128| i32::try_from(number).unwrap_or(i32::MAX);
        Ok(Self {
            id: webhook.id.to_string(),
            workspace_id: webhook.workspace_id.to_string(),
            dialect: webhook.dialect.clone(),
            url: webhook.url.clone(),
            event_types: to_json(&webhook.event_types)?,
            name: webhook.name.clone(),
            enabled: webhook.enabled,
            failing: webhook.failing,
            mailbox_ids: to_json(&webhook.mailboxes)?,
            created_at: webhook.created_at.millis(),
            updated_at: webhook.updated_at.millis(),
            retry_attempts: webhook.retry_attempts.map(|attempts| number(attempts.into())),
            timeout_ms: webhook.timeout.map(|timeout| number(timeout.as_millis())),
        })
    }

    pub(crate) fn read(self) -> Result<Webhook, TxError> {
        Ok(Webhook {
            id: self.id.parse().map_err(|_| corrupt("webhook id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
            dialect: self.dialect,
            url: self.url,
            event_types: serde_json::from_str(&self.event_types).map_err(|_| corrupt("event types"))?,
            name: self.name,
            enabled: self.enabled,
            failing: self.failing,
            mailboxes: serde_json::from_str(&self.mailbox_ids).map_err(|_| corrupt("mailbox ids"))?,
            retry_attempts: self.retry_attempts.map(i32::unsigned_abs),
            timeout: self.timeout_ms.map(|millis| Duration::from_millis(millis.unsigned_abs().into())),
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}
