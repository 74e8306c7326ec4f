//! The creation of a mailbox: slot on the owner's plan, row with sealed credentials and event, in one transaction.
//!
//! Lock order: mailbox row, then its owner's counter, for creations and deletions alike. Two of them may wait for each
//! other, but never in a circle.

use diesel::prelude::*;

use crate::domain::mailboxes::NewMailbox;
use crate::domain::{CoreError, Mailbox, MailboxId, MailboxStatus, OwnerId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Tx, both};
use crate::store::core::error::{TxError, is_duplicate};
use crate::store::mailboxes::rows::{NewMailboxRow, accepted, reference};
use crate::store::schema::mailboxes;
use crate::store::tenancy::owners::{check_room, take_slots};
use crate::store::tenancy::workspace_locks::is_open;

/// A creation with sealed credentials, ready to be written.
pub(crate) struct Creation {
    pub(crate) owner: OwnerId,
    pub(crate) mailbox: Mailbox,
    pub(crate) row: NewMailboxRow,
}

impl Store {
    /// Adds a mailbox that has to be verified.
    ///
    /// # Errors
    /// In this order: `SubscriptionRequired`, `LimitExceeded`, `AlreadyExists`; `NotFound` if the workspace was closed
    /// meanwhile.
    pub async fn create_mailbox(
        &self,
        workspace: WorkspaceId,
        owner: OwnerId,
        new: NewMailbox,
    ) -> Result<Mailbox, CoreError> {
        let id = MailboxId::new();
        let sealed = self.vault().seal_credentials(id, &new.credentials)?;
        let on_refusal = new.on_refusal;
        let mailbox = accepted(id, workspace, new, MailboxStatus::Unverified, Timestamp::now());
        let row = NewMailboxRow::new(&mailbox, on_refusal, sealed);
        let creation = Creation { owner, mailbox, row };
        if self.inner.writer.is_some() {
            return self.write(move |tx| create(tx, &creation).map(|()| creation.mailbox)).await;
        }
        self.create_merged(creation).await
    }
}

/// Creates one mailbox in the caller's transaction.
pub(crate) fn create(tx: &mut Tx<'_>, creation: &Creation) -> Result<(), TxError> {
    let Creation { owner, mailbox, row } = creation;
    // A full plan is reported before a duplicate. The counter at the end is what decides.
    check_room(tx.conn, *owner, 1)?;
    match both!(&mut *tx.conn, |c| diesel::insert_into(mailboxes::table).values(row).execute(c)) {
        Ok(_) => {}
        Err(error) if is_duplicate(&error) => return Err(CoreError::AlreadyExists.into()),
        Err(error) => return Err(error.into()),
    }
    // The insert holds the workspace's row, so it cannot be closed between this and the commit.
    if !is_open(tx.conn, mailbox.workspace_id)? {
        return Err(CoreError::NotFound("workspace").into());
    }
    tx.append(Event::MailboxCreated(reference(mailbox)), mailbox.created_at)?;
    take_slots(tx.conn, *owner, 1)
}
