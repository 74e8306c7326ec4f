//! The IMAP login of a mailbox that was imported by its SMTP login alone. Its failure is a note.

use diesel::prelude::*;

use crate::domain::{CoreError, Credentials, Mailbox, MailboxId, MailboxStatus, Timestamp};
use crate::store::Store;
use crate::store::core::vault::Sealed;
use crate::store::mailboxes::rows::MailboxRow;
use crate::store::schema::mailboxes;

impl Store {
    /// The active mailbox and its credentials; `None` if it is gone or not active.
    pub async fn imap_check_job(&self, id: MailboxId) -> Result<Option<(Mailbox, Credentials)>, CoreError> {
        let found = self
            .read(move |conn| {
                let row: Option<(MailboxRow, String, Vec<u8>)> = mailboxes::table
                    .find(id.to_string())
                    .filter(mailboxes::status.eq(MailboxStatus::Active.as_str()))
                    .select((MailboxRow::as_select(), mailboxes::credentials_key_id, mailboxes::credentials))
                    .first(conn)
                    .optional()?;
                row.map(|(row, key_id, bytes)| Ok((Mailbox::try_from(row)?, Sealed { key_id, bytes }))).transpose()
            })
            .await?;
        found
            .map(|(mailbox, sealed)| self.vault().open_credentials(id, sealed).map(|secrets| (mailbox, secrets)))
            .transpose()
    }

    /// Notes the fault of an active mailbox, which stays active.
    pub async fn note_fault(&self, id: MailboxId, words: String) -> Result<(), CoreError> {
        self.write(move |tx| {
            let active =
                mailboxes::table.find(id.to_string()).filter(mailboxes::status.eq(MailboxStatus::Active.as_str()));
            diesel::update(active)
                .set((mailboxes::last_error.eq(words), mailboxes::updated_at.eq(Timestamp::now().millis())))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }
}
