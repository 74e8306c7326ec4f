//! Locks that keep a workspace open while something is added to it.

use diesel::prelude::*;

use crate::domain::WorkspaceId;
use crate::store::core::backend::{Conn, both};
use crate::store::schema::workspaces;

pub(crate) type OpenWorkspaces = diesel::dsl::Filter<workspaces::table, diesel::dsl::IsNull<workspaces::deleted_at>>;

/// Every workspace that is not closed.
pub(crate) fn open_workspaces() -> OpenWorkspaces {
    workspaces::table.filter(workspaces::deleted_at.is_null())
}

/// True if the workspace exists and is not closed.
pub(crate) fn is_open(conn: &mut Conn, id: WorkspaceId) -> QueryResult<bool> {
    let open = open_workspaces().filter(workspaces::id.eq(id.to_string()));
    Ok(both!(conn, |c| open.count().get_result::<i64>(c))? == 1)
}

/// Holds an open workspace until the end of the transaction; false if there is none. On PostgreSQL it waits for
/// mailboxes that are just being inserted, because their foreign key holds the row, too.
pub(crate) fn lock(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    let query = open_workspaces().filter(workspaces::id.eq(id)).select(workspaces::id);
    let found: Option<String> = match conn {
        Conn::Pg(c) => query.for_update().first(c).optional()?,
        Conn::Lite(c) => query.first(c).optional()?,
    };
    Ok(found.is_some())
}
