//! Mailboxes: create, read, change, delete.

use diesel::prelude::*;

use super::Store;
use super::backend::{Conn, Tx, both};
use super::error::{TxError, is_duplicate};
use super::owners::{give_place_back, take_places};
use super::rows::{MailboxRow, NewMailboxRow, accepted, join_tags};
use super::schema::{mailboxes, verification_results};
use super::workspaces::is_open;
use crate::domain::mailbox::{MailboxChange, NewMailbox};
use crate::domain::{DomainError, Mailbox, MailboxId, MailboxStatus, OwnerId, Timestamp, WorkspaceId};
use crate::events::{Event, MailboxRef};

impl Store {
    /// Adds a mailbox that is to be verified. One transaction: place on the owner's plan, row with
    /// sealed credentials, event.
    ///
    /// # Errors
    /// In this order: `SubscriptionRequired`, `LimitExceeded`, `AlreadyExists`; `NotFound` when the
    /// workspace was closed meanwhile.
    pub async fn create_mailbox(
        &self,
        workspace: WorkspaceId,
        owner: OwnerId,
        new: NewMailbox,
    ) -> Result<Mailbox, DomainError> {
        let id = MailboxId::new();
        let now = Timestamp::now();
        let sealed = self.vault().seal_credentials(id, &new.credentials)?;
        let on_refusal = new.on_refusal;
        let mailbox = accepted(id, workspace, new, MailboxStatus::Unverified, now);
        let row = NewMailboxRow::new(&mailbox, on_refusal, sealed);
        self.write(move |tx| {
            take_places(tx.conn, owner, 1)?;
            match both!(&mut *tx.conn, |c| diesel::insert_into(mailboxes::table).values(&row).execute(c)) {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => return Err(DomainError::AlreadyExists.into()),
                Err(error) => return Err(error.into()),
            }
            // The insert holds the workspace's row, so it cannot be closed between this and the commit.
            if !is_open(tx.conn, workspace)? {
                return Err(DomainError::NotFound("workspace").into());
            }
            tx.append(Event::MailboxCreated(reference(&mailbox)), now)?;
            Ok(mailbox)
        })
        .await
    }

    /// One mailbox of a workspace.
    pub async fn find_mailbox(&self, workspace: WorkspaceId, id: MailboxId) -> Result<Mailbox, DomainError> {
        self.read(move |conn| find(conn, workspace, id)).await
    }

    /// Changes a mailbox and returns it as it is now.
    pub async fn change_mailbox(
        &self,
        workspace: WorkspaceId,
        id: MailboxId,
        change: MailboxChange,
    ) -> Result<Mailbox, DomainError> {
        self.write(move |tx| {
            let before = find(tx.conn, workspace, id)?;
            if change == MailboxChange::default() {
                return Ok(before);
            }
            let now = Timestamp::now();
            let set = ChangedColumns {
                display_name: change.display_name,
                daily_send_limit: change.daily_send_limit,
                signature: change.signature,
                sending_enabled: change.sending_enabled,
                tags: change.tags.as_deref().map(join_tags),
                updated_at: now.millis(),
            };
            diesel::update(mailboxes::table.find(id.to_string())).set(&set).execute(tx.conn)?;
            let wants_to_send = change.sending_enabled == Some(true) && !before.sending_enabled;
            if wants_to_send && before.status == MailboxStatus::Pending {
                tx.append(Event::MailboxVerificationRequested(reference(&before)), now)?;
            }
            find(tx.conn, workspace, id)
        })
        .await
    }

    /// Removes a mailbox for good: credentials erased, place given back.
    pub async fn delete_mailbox(&self, workspace: WorkspaceId, id: MailboxId) -> Result<(), DomainError> {
        self.write(move |tx| {
            let before = find(tx.conn, workspace, id)?;
            remove(tx, &before)?;
            // After the row: a result that was being stored meanwhile is there now.
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

/// Deletes the row and gives its place back, exactly once however many try.
pub(super) fn remove(tx: &mut Tx<'_>, mailbox: &Mailbox) -> Result<(), TxError> {
    let removed = diesel::delete(mailboxes::table.find(mailbox.id.to_string())).execute(tx.conn)?;
    if removed == 0 {
        return Err(DomainError::NotFound("mailbox").into());
    }
    give_place_back(tx.conn, mailbox.workspace_id)
}

pub(super) fn find(conn: &mut Conn, workspace: WorkspaceId, id: MailboxId) -> Result<Mailbox, TxError> {
    let row: Option<MailboxRow> = mailboxes::table
        .find(id.to_string())
        .filter(mailboxes::workspace_id.eq(workspace.to_string()))
        .select(MailboxRow::as_select())
        .first(conn)
        .optional()?;
    row.ok_or(DomainError::NotFound("mailbox"))?.try_into()
}

pub(super) fn reference(mailbox: &Mailbox) -> MailboxRef {
    MailboxRef { mailbox_id: mailbox.id, workspace_id: mailbox.workspace_id }
}
