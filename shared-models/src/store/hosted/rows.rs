//! The rows of hosted mailboxes and their keys. They never leave the store.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::domain::hosted::{HostedMailbox, HostedStatus, MailboxKey, SendScope};
use crate::domain::{CoreError, EmailAddress, HostedMailboxId, Timestamp, WorkspaceId};
use crate::events::HostedMailboxRef;
use crate::store::core::backend::{Conn, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::schema::{hosted_mailboxes, mailbox_keys};

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = hosted_mailboxes, treat_none_as_default_value = false)]
pub(crate) struct HostedRow {
    id: String,
    workspace_id: String,
    domain_id: String,
    email: String,
    display_name: Option<String>,
    quota_bytes: i64,
    send_scope: String,
    status: String,
    created_at: i64,
    updated_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = mailbox_keys)]
pub(crate) struct NewKeyRow {
    id: String,
    mailbox_id: String,
    app_name: String,
    key_prefix: String,
    key_suffix: String,
    key_hash: String,
    created_at: i64,
}

impl HostedRow {
    pub(crate) fn new(mailbox: &HostedMailbox) -> Result<Self, CoreError> {
        Ok(Self {
            id: mailbox.id.to_string(),
            workspace_id: mailbox.workspace_id.to_string(),
            domain_id: mailbox.domain_id.to_string(),
            email: mailbox.email.as_str().to_owned(),
            display_name: mailbox.display_name.clone(),
            quota_bytes: mailbox.quota_bytes,
            send_scope: written(&mailbox.send_scope)?,
            status: mailbox.status.as_str().to_owned(),
            created_at: mailbox.created_at.millis(),
            updated_at: mailbox.updated_at.millis(),
        })
    }

    pub(crate) fn read(self) -> Result<HostedMailbox, TxError> {
        Ok(HostedMailbox {
            id: self.id.parse().map_err(|_| corrupt("mailbox id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
            domain_id: self.domain_id.parse().map_err(|_| corrupt("domain id"))?,
            email: EmailAddress::parse(&self.email).map_err(|_| corrupt("address"))?,
            display_name: self.display_name,
            quota_bytes: self.quota_bytes,
            send_scope: serde_json::from_str(&self.send_scope).map_err(|_| corrupt("send scope"))?,
            status: HostedStatus::parse(&self.status).ok_or_else(|| corrupt("mailbox status"))?,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

impl NewKeyRow {
    pub(crate) fn new(key: &MailboxKey, hash: String) -> Self {
        Self {
            id: key.id.to_string(),
            mailbox_id: key.mailbox_id.to_string(),
            app_name: key.app_name.clone(),
            key_prefix: key.prefix.clone(),
            key_suffix: key.suffix.clone(),
            key_hash: hash,
            created_at: key.created_at.millis(),
        }
    }
}

/// A mailbox of the workspace, deleted or not. On PostgreSQL its row is locked until the end of the
/// transaction; SQLite has one writer at a time anyway.
pub(crate) fn locked(conn: &mut Conn, workspace: WorkspaceId, id: HostedMailboxId) -> Result<HostedMailbox, TxError> {
    let query =
        hosted_mailboxes::table.find(id.to_string()).filter(hosted_mailboxes::workspace_id.eq(workspace.to_string()));
    let row: Option<HostedRow> = match conn {
        Conn::Pg(c) => query.select(HostedRow::as_select()).for_update().first(c).optional()?,
        Conn::Lite(c) => query.select(HostedRow::as_select()).first(c).optional()?,
    };
    row.ok_or(NOT_FOUND)?.read()
}

/// As [`locked`], but a deleted one is not found.
pub(crate) fn locked_present(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: HostedMailboxId,
) -> Result<HostedMailbox, TxError> {
    present(locked(conn, workspace, id)?)
}

/// Lets a mailbox pass that is not deleted.
pub(crate) fn present(mailbox: HostedMailbox) -> Result<HostedMailbox, TxError> {
    if mailbox.status == HostedStatus::Deleted { Err(NOT_FOUND.into()) } else { Ok(mailbox) }
}

pub(crate) const NOT_FOUND: CoreError = CoreError::NotFound("mailbox");

/// Writes the columns that may change.
pub(crate) fn save(conn: &mut Conn, mailbox: &HostedMailbox) -> Result<(), TxError> {
    let values = (
        hosted_mailboxes::display_name.eq(&mailbox.display_name),
        hosted_mailboxes::quota_bytes.eq(mailbox.quota_bytes),
        hosted_mailboxes::send_scope.eq(written(&mailbox.send_scope)?),
        hosted_mailboxes::status.eq(mailbox.status.as_str()),
        hosted_mailboxes::updated_at.eq(mailbox.updated_at.millis()),
    );
    diesel::update(hosted_mailboxes::table.find(mailbox.id.to_string())).set(values).execute(conn)?;
    Ok(())
}

/// The number of active mailboxes under each of these domains; those without any are left out.
pub(crate) fn count_by_domain(conn: &mut Conn, domains: &[String]) -> QueryResult<HashMap<String, i64>> {
    let counts = hosted_mailboxes::table
        .filter(hosted_mailboxes::domain_id.eq_any(domains))
        .filter(hosted_mailboxes::status.eq(HostedStatus::Active.as_str()))
        .group_by(hosted_mailboxes::domain_id)
        .select((hosted_mailboxes::domain_id, diesel::dsl::count_star()));
    let counts: Vec<(String, i64)> = both!(conn, |c| counts.load(c))?;
    Ok(counts.into_iter().collect())
}

/// True if a domain has mailboxes, suspended ones included.
pub(crate) fn is_in_use(conn: &mut Conn, domain: &str) -> QueryResult<bool> {
    let of_domain = hosted_mailboxes::table
        .filter(hosted_mailboxes::domain_id.eq(domain))
        .filter(hosted_mailboxes::status.ne(HostedStatus::Deleted.as_str()));
    both!(conn, |c| diesel::select(diesel::dsl::exists(of_domain)).get_result(c))
}

pub(crate) fn reference(mailbox: &HostedMailbox) -> HostedMailboxRef {
    HostedMailboxRef { hosted_mailbox_id: mailbox.id, workspace_id: mailbox.workspace_id }
}

fn written(scope: &SendScope) -> Result<String, CoreError> {
    serde_json::to_string(scope).map_err(|e| CoreError::Internal(format!("a send scope cannot be serialised: {e}")))
}
