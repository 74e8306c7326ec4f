//! Workspaces: added, read, renamed, closed.

use diesel::prelude::*;

use crate::domain::tenancy::Workspace;
use crate::domain::{CoreError, OwnerId, Timestamp, WorkspaceId};
use crate::store::Store;
use crate::store::core::error::{TxError, corrupt, is_duplicate};
use crate::store::schema::{api_keys, mailboxes, providers, sending_domains, workspaces};
use crate::store::tenancy::workspace_locks::{lock, open_workspaces};
use crate::store::webhooks::webhook::remove_all as remove_all_webhooks;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = workspaces)]
pub(super) struct WorkspaceRow {
    id: String,
    owner_id: String,
    name: String,
    created_at: i64,
}

impl TryFrom<WorkspaceRow> for Workspace {
    type Error = TxError;

    fn try_from(row: WorkspaceRow) -> Result<Self, TxError> {
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("workspace id"))?,
            owner_id: row.owner_id.parse().map_err(|_| corrupt("owner id"))?,
            name: row.name,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

impl Store {
    /// Adds a workspace to an owner.
    ///
    /// # Errors
    /// `AlreadyExists` if the owner has one of this name.
    pub async fn create_workspace(&self, owner: OwnerId, name: &str) -> Result<Workspace, CoreError> {
        let row = WorkspaceRow {
            id: WorkspaceId::new().to_string(),
            owner_id: owner.to_string(),
            name: name.to_owned(),
            created_at: Timestamp::now().millis(),
        };
        self.write(move |tx| match diesel::insert_into(workspaces::table).values(&row).execute(tx.conn) {
            Ok(_) => Workspace::try_from(row),
            Err(error) if is_duplicate(&error) => Err(CoreError::AlreadyExists.into()),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Reads one workspace that is not closed.
    pub async fn workspace(&self, id: WorkspaceId) -> Result<Workspace, CoreError> {
        self.read(move |conn| {
            let row: Option<WorkspaceRow> = open_workspaces()
                .filter(workspaces::id.eq(id.to_string()))
                .select(WorkspaceRow::as_select())
                .first(conn)
                .optional()?;
            row.ok_or(CoreError::NotFound("workspace"))?.try_into()
        })
        .await
    }

    /// All workspaces of an owner, oldest first.
    pub async fn workspaces_of(&self, owner: OwnerId) -> Result<Vec<Workspace>, CoreError> {
        self.read(move |conn| {
            into_domain(
                open_workspaces()
                    .filter(workspaces::owner_id.eq(owner.to_string()))
                    .order(workspaces::id)
                    .select(WorkspaceRow::as_select())
                    .load(conn)?,
            )
        })
        .await
    }

    /// All workspaces of this name, of every owner, for the command line.
    pub async fn workspaces_named(&self, name: &str) -> Result<Vec<Workspace>, CoreError> {
        let name = name.to_owned();
        self.read(move |conn| {
            into_domain(
                open_workspaces()
                    .filter(workspaces::name.eq(name))
                    .order(workspaces::id)
                    .select(WorkspaceRow::as_select())
                    .load(conn)?,
            )
        })
        .await
    }

    /// Changes the shown name of a workspace.
    pub async fn rename_workspace(&self, id: WorkspaceId, name: String) -> Result<(), CoreError> {
        self.write(move |tx| {
            match diesel::update(workspaces::table.find(id.to_string())).set(workspaces::name.eq(name)).execute(tx.conn)
            {
                Ok(_) => Ok(()),
                Err(error) if is_duplicate(&error) => Err(CoreError::AlreadyExists.into()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Closes a workspace and revokes its keys. The row stays, so that its id is never used again.
    ///
    /// # Errors
    /// `Conflict` while it has mailboxes, sending accounts or domains: closing ends nothing that works.
    pub async fn delete_workspace(&self, id: WorkspaceId) -> Result<(), CoreError> {
        self.write(move |tx| {
            let (id, now) = (id.to_string(), Timestamp::now().millis());
            if !lock(tx.conn, &id)? {
                return Err(CoreError::NotFound("workspace").into());
            }
            if mailboxes::table.filter(mailboxes::workspace_id.eq(&id)).count().get_result::<i64>(tx.conn)? > 0 {
                return Err(CoreError::Conflict("Remove the mailboxes of the workspace first").into());
            }
            if providers::table.filter(providers::workspace_id.eq(&id)).count().get_result::<i64>(tx.conn)? > 0 {
                return Err(CoreError::Conflict("Remove the sending accounts of the workspace first").into());
            }
            let domains = sending_domains::table.filter(sending_domains::workspace_id.eq(&id));
            if domains.count().get_result::<i64>(tx.conn)? > 0 {
                return Err(CoreError::Conflict("Remove the domains of the workspace first").into());
            }
            remove_all_webhooks(tx, &id)?;
            diesel::update(workspaces::table.find(&id)).set(workspaces::deleted_at.eq(now)).execute(tx.conn)?;
            let keys = api_keys::table.filter(api_keys::workspace_id.eq(&id)).filter(api_keys::revoked_at.is_null());
            diesel::update(keys).set(api_keys::revoked_at.eq(now)).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// The number of connected mailboxes in the workspace.
    pub async fn count_mailboxes(&self, id: WorkspaceId) -> Result<i64, CoreError> {
        self.read(move |conn| {
            Ok(mailboxes::table.filter(mailboxes::workspace_id.eq(id.to_string())).count().get_result(conn)?)
        })
        .await
    }
}

fn into_domain(rows: Vec<WorkspaceRow>) -> Result<Vec<Workspace>, TxError> {
    rows.into_iter().map(Workspace::try_from).collect()
}
