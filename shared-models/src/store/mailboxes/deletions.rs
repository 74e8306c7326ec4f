//! Deletions of many mailboxes in one request.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::domain::{CoreError, DeletionId, MailboxId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::mailboxes::mailbox::remove_row;
use crate::store::mailboxes::rows::{find, reference};
use crate::store::schema::{deletions, verification_results};
use crate::store::tenancy::owners::return_slots;

/// The result for one mailbox of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedMailbox {
    /// The id, as it was requested.
    pub id: MailboxId,
    /// Its address; `None` if there was no such mailbox any more.
    pub email: Option<String>,
}

/// A deletion of many mailboxes, which is done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Deletion {
    pub id: DeletionId,
    /// In the order of the request.
    pub results: Vec<DeletedMailbox>,
    pub at: Timestamp,
}

impl Store {
    /// Removes these mailboxes of a workspace for good, in one transaction. Ids without a mailbox are reported as such.
    pub async fn delete_mailboxes(&self, workspace: WorkspaceId, ids: Vec<MailboxId>) -> Result<Deletion, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let emails = remove_all(tx, workspace, &ids, now)?;
            let mut seen = HashMap::new();
            let results = ids.iter().map(|id| {
                // An id that is named twice is gone the second time.
                let first = seen.insert(*id, ()).is_none();
                DeletedMailbox { id: *id, email: emails.get(id).filter(|_| first).cloned() }
            });
            let deletion = Deletion { id: DeletionId::new(), results: results.collect(), at: now };
            let json = serde_json::to_string(&deletion.results)
                .map_err(|e| CoreError::Internal(format!("a deletion cannot be serialised: {e}")))?;
            let row = (
                deletions::id.eq(deletion.id.to_string()),
                deletions::workspace_id.eq(workspace.to_string()),
                deletions::results.eq(json),
                deletions::created_at.eq(now.millis()),
            );
            both!(&mut *tx.conn, |c| diesel::insert_into(deletions::table).values(row).execute(c))?;
            Ok(deletion)
        })
        .await
    }

    /// Reads a deletion of the last days.
    pub async fn deletion(&self, workspace: WorkspaceId, id: DeletionId) -> Result<Deletion, CoreError> {
        self.read(move |conn| {
            let row: Option<(String, i64)> = deletions::table
                .find(id.to_string())
                .filter(deletions::workspace_id.eq(workspace.to_string()))
                .select((deletions::results, deletions::created_at))
                .first(conn)
                .optional()?;
            let (json, at) = row.ok_or(CoreError::NotFound("deletion"))?;
            let results = serde_json::from_str(&json).map_err(|_| corrupt("deletion"))?;
            Ok(Deletion { id, results, at: Timestamp::from_millis(at) })
        })
        .await
    }

    /// Forgets deletions older than `age`. Returns how many.
    pub async fn purge_deletions(&self, age: Duration) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let old = deletions::created_at.lt(Timestamp::now().minus(age).millis());
            Ok(diesel::delete(deletions::table.filter(old)).execute(tx.conn)?)
        })
        .await
    }
}

/// Rows in the order of their ids, the counter at the end, so that nobody waits in a circle.
fn remove_all(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    ids: &[MailboxId],
    now: Timestamp,
) -> Result<HashMap<MailboxId, String>, TxError> {
    let mut removed = HashMap::new();
    for id in ids.iter().copied().collect::<BTreeSet<_>>() {
        let mailbox = match find(tx.conn, workspace, id) {
            Ok(mailbox) => mailbox,
            Err(TxError::Domain(CoreError::NotFound(_))) => continue,
            Err(error) => return Err(error),
        };
        match remove_row(tx, id) {
            // Another deletion was faster.
            Err(TxError::Domain(CoreError::NotFound(_))) => continue,
            result => result?,
        }
        diesel::delete(verification_results::table.find(id.to_string())).execute(tx.conn)?;
        tx.append(Event::MailboxDeleted(reference(&mailbox)), now)?;
        removed.insert(id, mailbox.email_as_given.unwrap_or_else(|| mailbox.email.as_str().to_owned()));
    }
    if !removed.is_empty() {
        return_slots(tx.conn, workspace, i64::try_from(removed.len()).unwrap_or(i64::MAX))?;
    }
    Ok(removed)
}
