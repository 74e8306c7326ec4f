//! Lists over all tenants, for the operator's command line.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;

use super::api_keys::ApiKeyRow;
use super::owners::OwnerRow;
use super::workspaces::WorkspaceRow;
use crate::domain::tenancy::{ApiKey, Owner, Workspace};
use crate::domain::{ApiKeyId, CoreError, Timestamp};
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, corrupt};
use crate::store::schema::{api_keys, hosted_mailboxes, mailboxes, owners, workspaces};

/// An owner with what they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerOverview {
    /// The plan and its usage included.
    pub owner: Owner,
    /// Workspaces that are not closed.
    pub workspaces: i64,
}

/// A workspace with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceOverview {
    /// Not closed.
    pub workspace: Workspace,
    /// Address of the owner.
    pub owner_email: String,
    /// Mailboxes that count on the owner's plan, hosted ones included.
    pub mailboxes: i64,
}

/// A key with what it opens, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOverview {
    /// One that opens nothing any more included.
    pub key: ApiKey,
    /// Address of the owner.
    pub owner_email: String,
    /// Name of the workspace that it is bound to, also when that is closed.
    pub workspace_name: Option<String>,
    /// To the minute; `None` = not since uses are recorded.
    pub last_used_at: Option<Timestamp>,
    /// The key that it replaces.
    pub replaces: Option<ApiKeyId>,
}

impl Store {
    /// All owners, oldest first.
    pub async fn list_owners(&self) -> Result<Vec<OwnerOverview>, CoreError> {
        self.read(|conn| {
            let rows: Vec<OwnerRow> = owners::table.order(owners::id).select(OwnerRow::as_select()).load(conn)?;
            let counts = open_workspaces_by_owner(conn)?;
            rows.into_iter().map(|row| owner_overview(row, &counts)).collect()
        })
        .await
    }

    /// All workspaces that are not closed, oldest first.
    pub async fn list_workspaces(&self) -> Result<Vec<WorkspaceOverview>, CoreError> {
        self.read(|conn| {
            let rows: Vec<WorkspaceRow> = workspaces::table
                .filter(workspaces::deleted_at.is_null())
                .order(workspaces::id)
                .select(WorkspaceRow::as_select())
                .load(conn)?;
            // After the rows that refer to them: owners are never deleted.
            let emails = emails(conn)?;
            let (own, hosted) = (mailboxes_by_workspace(conn)?, hosted_mailboxes_by_workspace(conn)?);
            let overview = |row: WorkspaceRow| {
                let workspace = Workspace::try_from(row)?;
                let id = workspace.id.to_string();
                let count = |counts: &HashMap<String, i64>| counts.get(&id).copied().unwrap_or_default();
                Ok(WorkspaceOverview {
                    owner_email: named(&emails, &workspace.owner_id.to_string())?,
                    mailboxes: count(&own) + count(&hosted),
                    workspace,
                })
            };
            rows.into_iter().map(overview).collect()
        })
        .await
    }

    /// All keys, oldest first.
    pub async fn list_api_keys(&self) -> Result<Vec<KeyOverview>, CoreError> {
        self.read(|conn| {
            let rows: Vec<ApiKeyRow> = api_keys::table.order(api_keys::id).select(ApiKeyRow::as_select()).load(conn)?;
            // After the rows that refer to them: neither owners nor workspaces are ever deleted.
            let emails = emails(conn)?;
            let names: Vec<(String, String)> =
                workspaces::table.select((workspaces::id, workspaces::name)).load(conn)?;
            let names: HashMap<String, String> = names.into_iter().collect();
            rows.into_iter().map(|row| key_overview(row, &emails, &names)).collect()
        })
        .await
    }
}

fn owner_overview(row: OwnerRow, counts: &HashMap<String, i64>) -> Result<OwnerOverview, TxError> {
    let owner = Owner::try_from(row)?;
    Ok(OwnerOverview { workspaces: counts.get(&owner.id.to_string()).copied().unwrap_or_default(), owner })
}

fn key_overview(
    row: ApiKeyRow,
    emails: &HashMap<String, String>,
    names: &HashMap<String, String>,
) -> Result<KeyOverview, TxError> {
    let last_used_at = row.last_used_at.map(Timestamp::from_millis);
    let replaces = row.replaces.as_deref().map(str::parse).transpose().map_err(|_| corrupt("key id"))?;
    let key = ApiKey::try_from(row)?;
    Ok(KeyOverview {
        owner_email: named(emails, &key.owner_id.to_string())?,
        workspace_name: key.workspace_id.map(|id| named(names, &id.to_string())).transpose()?,
        last_used_at,
        replaces,
        key,
    })
}

fn named(names: &HashMap<String, String>, id: &str) -> Result<String, TxError> {
    names.get(id).cloned().ok_or_else(|| corrupt("reference"))
}

fn emails(conn: &mut Conn) -> QueryResult<HashMap<String, String>> {
    let all: Vec<(String, String)> = owners::table.select((owners::id, owners::email)).load(conn)?;
    Ok(all.into_iter().collect())
}

fn open_workspaces_by_owner(conn: &mut Conn) -> QueryResult<HashMap<String, i64>> {
    let counts: Vec<(String, i64)> = workspaces::table
        .filter(workspaces::deleted_at.is_null())
        .group_by(workspaces::owner_id)
        .select((workspaces::owner_id, count_star()))
        .load(conn)?;
    Ok(counts.into_iter().collect())
}

fn mailboxes_by_workspace(conn: &mut Conn) -> QueryResult<HashMap<String, i64>> {
    let counts: Vec<(String, i64)> = mailboxes::table
        .group_by(mailboxes::workspace_id)
        .select((mailboxes::workspace_id, count_star()))
        .load(conn)?;
    Ok(counts.into_iter().collect())
}

fn hosted_mailboxes_by_workspace(conn: &mut Conn) -> QueryResult<HashMap<String, i64>> {
    let counts: Vec<(String, i64)> = hosted_mailboxes::table
        .filter(hosted_mailboxes::deleted_at.is_null())
        .group_by(hosted_mailboxes::workspace_id)
        .select((hosted_mailboxes::workspace_id, count_star()))
        .load(conn)?;
    Ok(counts.into_iter().collect())
}
