//! Connected mailboxes: read, change, delete.

use diesel::prelude::*;

use crate::domain::mailboxes::MailboxChange;
use crate::domain::{CoreError, Mailbox, MailboxId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::TxError;
use crate::store::mailboxes::rows::{find, join_tags, reference};
use crate::store::mailboxes::test_emails::forget_mails;
use crate::store::schema::{departed_mailboxes, mailboxes, verification_results};
use crate::store::tenancy::owners::return_slots;

impl Store {
    /// Reads one mailbox of a workspace.
    pub async fn find_mailbox(&self, workspace: WorkspaceId, id: MailboxId) -> Result<Mailbox, CoreError> {
        self.read(move |conn| find(conn, workspace, id)).await
    }

    /// Changes a mailbox and returns it as it is now.
    pub async fn change_mailbox(
        &self,
        workspace: WorkspaceId,
        id: MailboxId,
        change: MailboxChange,
    ) -> Result<Mailbox, CoreError> {
        self.write(move |tx| {
            let before = find(tx.conn, workspace, id)?;
            if change == MailboxChange::default() {
                return Ok(before);
            }
            let now = Timestamp::now();
            let asks_for_verification = change.asks_for_verification(&before);
            let set = ChangedColumns {
                display_name: change.display_name,
                daily_send_limit: change.daily_send_limit,
                signature: change.signature,
                sending_enabled: change.sending_enabled,
                tags: change.tags.as_deref().map(join_tags),
                updated_at: now.millis(),
            };
            diesel::update(mailboxes::table.find(id.to_string())).set(&set).execute(tx.conn)?;
            if asks_for_verification {
                ask_for_verification(tx.conn, id, now)?;
                tx.append(Event::MailboxVerificationRequested(reference(&before)), now)?;
            }
            find(tx.conn, workspace, id)
        })
        .await
    }

    /// Removes a mailbox for good: credentials erased, slot returned.
    pub async fn delete_mailbox(&self, workspace: WorkspaceId, id: MailboxId) -> Result<(), CoreError> {
        self.write(move |tx| {
            let before = find(tx.conn, workspace, id)?;
            remove(tx, &before)?;
            // After the row, because a result that was being stored meanwhile exists now.
            diesel::delete(verification_results::table.find(id.to_string())).execute(tx.conn)?;
            tx.append(Event::MailboxDeleted(reference(&before)), Timestamp::now())
        })
        .await
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = mailboxes)]
struct ChangedColumns {
    display_name: Option<String>,
    daily_send_limit: Option<i32>,
    signature: Option<Option<String>>,
    sending_enabled: Option<bool>,
    tags: Option<String>,
    updated_at: i64,
}

/// Deletes the row and returns its slot, exactly once however many callers there are.
pub(crate) fn remove(tx: &mut Tx<'_>, mailbox: &Mailbox) -> Result<(), TxError> {
    remove_row(tx, mailbox.id)?;
    return_slots(tx.conn, mailbox.workspace_id, 1)
}

/// Deletes the row. The caller returns its slot, after all rows that it deletes.
pub(crate) fn remove_row(tx: &mut Tx<'_>, id: MailboxId) -> Result<(), TxError> {
    let removed = diesel::delete(mailboxes::table.find(id.to_string())).execute(tx.conn)?;
    if removed == 0 {
        return Err(CoreError::NotFound("mailbox").into());
    }
    let departed = (
        departed_mailboxes::mailbox_id.eq(id.to_string()),
        departed_mailboxes::departed_at.eq(Timestamp::now().millis()),
    );
    both!(&mut *tx.conn, |c| diesel::insert_into(departed_mailboxes::table).values(departed).execute(c))?;
    forget_mails(tx.conn, id)
}

/// Begins a new verification. The caller appends its event.
pub(crate) fn ask_for_verification(conn: &mut Conn, id: MailboxId, now: Timestamp) -> QueryResult<usize> {
    diesel::update(mailboxes::table.find(id.to_string()))
        .set((mailboxes::verification_asked_at.eq(now.millis()), mailboxes::verification_attempts.eq(0)))
        .execute(conn)
}
