//! Webhooks: added, changed, removed. What they are told is in [`super::webhook_dispatches`], what became of
//! that in [`super::webhook_deliveries`].
//!
//! What takes several of these rows takes them in this order: webhook, dispatch, delivery.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::prelude::*;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::Store;
use super::backend::{Conn, Tx, both};
use super::error::{TxError, corrupt};
use super::idempotency::PendingAnswer;
use super::schema::{webhook_deliveries, webhooks};
use super::vault::Sealed;
use super::webhook_dispatches::end_dispatches;
use super::workspaces::lock;
use crate::domain::webhooks::{NewWebhook, Webhook, WebhookChange, WebhookDialect, WebhookSecret};
use crate::domain::{DomainError, Timestamp, WebhookId, WorkspaceId};

/// Most webhooks of a workspace.
const MAX_WEBHOOKS: i64 = 50;
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
#[diesel(treat_none_as_default_value = false)]
pub(super) struct WebhookRow {
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
}

/// A webhook whose secret was just made.
pub type MadeWebhook = (Webhook, WebhookSecret);

impl Store {
    /// Adds a webhook. The secret is returned here and never again.
    ///
    /// # Errors
    /// `LimitExceeded` when the workspace has fifty.
    pub async fn create_webhook(
        &self,
        workspace: WorkspaceId,
        new: NewWebhook,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, DomainError> {
        let now = Timestamp::now();
        let webhook = Webhook {
            id: WebhookId::new(),
            workspace_id: workspace,
            dialect: new.dialect,
            url: new.url,
            event_types: new.event_types,
            name: new.name,
            enabled: new.enabled,
            failing: false,
            mailboxes: new.mailboxes,
            created_at: now,
            updated_at: now,
        };
        let (secret, sealed) = self.new_secret(webhook.id)?;
        self.write(move |tx| {
            // Held, so that two that come together do not both take the last place.
            if !lock(tx.conn, &workspace.to_string())? {
                return Err(DomainError::NotFound("workspace").into());
            }
            let usage: i64 =
                webhooks::table.filter(webhooks::workspace_id.eq(workspace.to_string())).count().get_result(tx.conn)?;
            if usage >= MAX_WEBHOOKS {
                return Err(DomainError::LimitExceeded { usage, limit: MAX_WEBHOOKS, requested: 1 }.into());
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

    /// One webhook of a workspace.
    pub async fn webhook(&self, workspace: WorkspaceId, id: WebhookId) -> Result<Webhook, DomainError> {
        self.read(move |conn| own(conn, workspace, id)).await
    }

    /// Webhooks of a workspace, newest first, and whether more follow.
    pub async fn list_webhooks(
        &self,
        workspace: WorkspaceId,
        after: Option<WebhookId>,
        limit: i64,
    ) -> Result<(Vec<Webhook>, bool), DomainError> {
        self.read(move |conn| {
            let mut wanted = webhooks::table
                .filter(webhooks::workspace_id.eq(workspace.to_string()))
                .select(WebhookRow::as_select())
                .into_boxed();
            if let Some(after) = after {
                wanted = wanted.filter(webhooks::id.lt(after.to_string()));
            }
            let mut rows: Vec<WebhookRow> = wanted.order(webhooks::id.desc()).limit(limit + 1).load(conn)?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            Ok((rows.into_iter().map(WebhookRow::read).collect::<Result<_, _>>()?, has_more))
        })
        .await
    }

    /// Changes a webhook and returns it as it is now. One that is switched off is told nothing more of what
    /// has happened before.
    ///
    /// # Errors
    /// `Conflict` when it is not as `expected` (any more).
    pub async fn change_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        change: WebhookChange,
        expected: Option<Webhook>,
    ) -> Result<Webhook, DomainError> {
        self.write(move |tx| {
            let before = held(tx.conn, workspace, id)?;
            if expected.is_some_and(|expected| expected != before) {
                return Err(DomainError::Conflict("The webhook was changed meanwhile").into());
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

    /// Gives a webhook a new secret, which is returned here and never again. From now on nothing is signed
    /// with the old one.
    pub async fn rotate_webhook_secret(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, DomainError> {
        let (secret, sealed) = self.new_secret(id)?;
        self.write(move |tx| {
            let before = held(tx.conn, workspace, id)?;
            let after = Webhook { updated_at: Timestamp::now(), ..before };
            save(tx.conn, &after)?;
            let set = (webhooks::secret_key_id.eq(sealed.key_id), webhooks::secret.eq(sealed.bytes));
            diesel::update(webhooks::table.find(id.to_string())).set(set).execute(tx.conn)?;
            let made = (after, secret);
            answer.complete(tx, &made)?;
            Ok(made)
        })
        .await
    }

    /// Removes a webhook, what it was to be told, and the log of what it was told.
    pub async fn delete_webhook(&self, workspace: WorkspaceId, id: WebhookId) -> Result<(), DomainError> {
        self.write(move |tx| {
            held(tx.conn, workspace, id)?;
            remove(tx, id)
        })
        .await
    }

    fn new_secret(&self, id: WebhookId) -> Result<(WebhookSecret, Sealed), DomainError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        SystemRandom::new()
            .fill(&mut *bytes)
            .map_err(|_| DomainError::Internal("the system gives no random numbers".to_owned()))?;
        let text = Zeroizing::new(format!("{}{}", WebhookSecret::PREFIX, STANDARD.encode(*bytes)));
        let sealed = self.vault().seal(&place(id), text.as_bytes())?;
        Ok((WebhookSecret::new(text.as_str()), sealed))
    }

    /// Opens the secret of a webhook.
    pub(super) fn open_webhook_secret(&self, id: WebhookId, sealed: Sealed) -> Result<WebhookSecret, DomainError> {
        let text = self.vault().open_password(&place(id), sealed)?;
        Ok(WebhookSecret::new(text.expose()))
    }
}

/// Where in the database its secret is sealed.
fn place(id: WebhookId) -> String {
    format!("webhook:{id}:secret")
}

fn changed(before: Webhook, change: WebhookChange) -> Webhook {
    let enabled = change.enabled.unwrap_or(before.enabled);
    Webhook {
        url: change.url.unwrap_or(before.url),
        event_types: change.event_types.unwrap_or(before.event_types),
        name: change.name.unwrap_or(before.name),
        enabled,
        failing: before.failing && (before.enabled || !enabled),
        mailboxes: change.mailboxes.unwrap_or(before.mailboxes),
        ..before
    }
}

/// All webhooks of a workspace that is closed.
pub(super) fn remove_all(tx: &mut Tx<'_>, workspace: &str) -> Result<(), TxError> {
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

pub(super) fn own(conn: &mut Conn, workspace: WorkspaceId, id: WebhookId) -> Result<Webhook, TxError> {
    let row: Option<WebhookRow> = webhooks::table
        .find(id.to_string())
        .filter(webhooks::workspace_id.eq(workspace.to_string()))
        .select(WebhookRow::as_select())
        .first(conn)
        .optional()?;
    row.ok_or(DomainError::NotFound("webhook"))?.read()
}

/// One webhook of a workspace. On PostgreSQL its row is locked until the end of the transaction; SQLite has
/// one writer at a time anyway.
pub(super) fn held(conn: &mut Conn, workspace: WorkspaceId, id: WebhookId) -> Result<Webhook, TxError> {
    let row = webhooks::table.find(id.to_string()).filter(webhooks::workspace_id.eq(workspace.to_string()));
    let found: Option<WebhookRow> = match conn {
        Conn::Pg(c) => row.select(WebhookRow::as_select()).for_update().first(c).optional()?,
        Conn::Lite(c) => row.select(WebhookRow::as_select()).first(c).optional()?,
    };
    found.ok_or(DomainError::NotFound("webhook"))?.read()
}

/// Stores everything but the secret.
pub(super) fn save(conn: &mut Conn, webhook: &Webhook) -> Result<(), TxError> {
    let row = WebhookRow::new(webhook)?;
    diesel::update(webhooks::table.find(webhook.id.to_string())).set(&row).execute(conn)?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, DomainError> {
    serde_json::to_string(value).map_err(|e| DomainError::Internal(format!("a webhook cannot be serialised: {e}")))
}

impl WebhookRow {
    fn new(webhook: &Webhook) -> Result<Self, DomainError> {
        Ok(Self {
            id: webhook.id.to_string(),
            workspace_id: webhook.workspace_id.to_string(),
            dialect: webhook.dialect.as_str().to_owned(),
            url: webhook.url.clone(),
            event_types: to_json(&webhook.event_types)?,
            name: webhook.name.clone(),
            enabled: webhook.enabled,
            failing: webhook.failing,
            mailbox_ids: to_json(&webhook.mailboxes)?,
            created_at: webhook.created_at.millis(),
            updated_at: webhook.updated_at.millis(),
        })
    }

    pub(super) fn read(self) -> Result<Webhook, TxError> {
        Ok(Webhook {
            id: self.id.parse().map_err(|_| corrupt("webhook id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
            dialect: WebhookDialect::parse(&self.dialect).ok_or_else(|| corrupt("dialect"))?,
            url: self.url,
            event_types: serde_json::from_str(&self.event_types).map_err(|_| corrupt("event types"))?,
            name: self.name,
            enabled: self.enabled,
            failing: self.failing,
            mailboxes: serde_json::from_str(&self.mailbox_ids).map_err(|_| corrupt("mailbox ids"))?,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}
