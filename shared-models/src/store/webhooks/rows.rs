//! The rows of webhooks, without their secrets, and their way to and from the domain. They never leave the store.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::webhooks::Webhook;
use crate::domain::{CoreError, Timestamp, WebhookId, WorkspaceId};
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, corrupt};
use crate::store::schema::webhooks;

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

/// One webhook of a workspace, its row locked on PostgreSQL until the end of the transaction. SQLite has one writer at
/// a time anyway.
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

/// Stores every column except the secrets.
pub(crate) fn save(conn: &mut Conn, webhook: &Webhook) -> Result<(), TxError> {
    let row = WebhookRow::new(webhook)?;
    diesel::update(webhooks::table.find(webhook.id.to_string())).set(&row).execute(conn)?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|e| CoreError::Internal(format!("a webhook cannot be serialised: {e}")))
}

impl WebhookRow {
    pub(crate) fn new(webhook: &Webhook) -> Result<Self, CoreError> {
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
