//! The limit of sending accounts, and requests to raise it. The owner's plan sets the limit, and a request is granted
//! by changing the plan.

use diesel::prelude::*;

use crate::domain::sending_accounts::SendingAccountLimit;
use crate::domain::{CoreError, LimitIncreaseId, Timestamp, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, corrupt};
use crate::store::schema::{limit_increases, owners, providers, workspaces};
use crate::store::tenancy::workspace_locks::lock;

/// The stored name of the limited resource.
const SENDING_ACCOUNTS: &str = "sending_accounts";

/// A limit, and the open request to raise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct SendingAccountAllowance {
    pub limit: SendingAccountLimit,
    /// Requested, and not granted yet.
    pub pending_request: Option<LimitIncreaseId>,
}

/// The answer to a request for a higher limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitIncrease {
    /// The request is stored.
    Asked(LimitIncreaseId, SendingAccountAllowance),
    /// An earlier request is still open.
    Pending,
    /// The limit is not near, so nothing is requested.
    NotNear(SendingAccountLimit),
}

impl Store {
    /// The number of sending accounts that a workspace has and may have.
    pub async fn sending_account_allowance(
        &self,
        workspace: WorkspaceId,
    ) -> Result<SendingAccountAllowance, CoreError> {
        self.read(move |conn| allowance(conn, workspace)).await
    }

    /// Requests a higher limit of sending accounts.
    pub async fn request_limit_increase(&self, workspace: WorkspaceId) -> Result<LimitIncrease, CoreError> {
        self.write(move |tx| {
            // The lock lets one of two requests of the same moment find the other.
            if !lock(tx.conn, &workspace.to_string())? {
                return Err(CoreError::NotFound("workspace").into());
            }
            let before = allowance(tx.conn, workspace)?;
            if before.pending_request.is_some() {
                return Ok(LimitIncrease::Pending);
            }
            if !before.limit.is_near() {
                return Ok(LimitIncrease::NotNear(before.limit));
            }
            let id = LimitIncreaseId::new();
            let row = (
                limit_increases::id.eq(id.to_string()),
                limit_increases::workspace_id.eq(workspace.to_string()),
                limit_increases::resource.eq(SENDING_ACCOUNTS),
                limit_increases::max_allowed.eq(before.limit.max_allowed),
                limit_increases::created_at.eq(Timestamp::now().millis()),
            );
            diesel::insert_into(limit_increases::table).values(row).execute(tx.conn)?;
            Ok(LimitIncrease::Asked(id, SendingAccountAllowance { pending_request: Some(id), ..before }))
        })
        .await
    }
}

/// Counts the accounts and reads the plan.
pub(crate) fn limit_of(conn: &mut Conn, workspace: WorkspaceId) -> Result<SendingAccountLimit, TxError> {
    let of_workspace = workspace.to_string();
    let usage = providers::table.filter(providers::workspace_id.eq(&of_workspace)).count().get_result(conn)?;
    let plan: Option<Option<i64>> = workspaces::table
        .inner_join(owners::table.on(owners::id.eq(workspaces::owner_id)))
        .filter(workspaces::id.eq(&of_workspace))
        .select(owners::max_mailboxes)
        .first(conn)
        .optional()?;
    Ok(SendingAccountLimit::new(usage, plan.ok_or(CoreError::NotFound("workspace"))?))
}

fn allowance(conn: &mut Conn, workspace: WorkspaceId) -> Result<SendingAccountAllowance, TxError> {
    let limit = limit_of(conn, workspace)?;
    // A request that was made under a lower limit is granted.
    let pending: Option<String> = limit_increases::table
        .filter(limit_increases::workspace_id.eq(workspace.to_string()))
        .filter(limit_increases::resource.eq(SENDING_ACCOUNTS))
        .filter(limit_increases::max_allowed.ge(limit.max_allowed))
        .order(limit_increases::id.desc())
        .select(limit_increases::id)
        .first(conn)
        .optional()?;
    let pending = pending.map(|id| id.parse()).transpose().map_err(|_| corrupt("request id"))?;
    Ok(SendingAccountAllowance { limit, pending_request: pending })
}
