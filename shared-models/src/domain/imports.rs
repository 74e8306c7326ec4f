//! Imports: many mailboxes at once, as a stored job whose rows are settled one by one.

use serde::{Deserialize, Serialize};

use super::diagnosis::FailureCode;
use super::diagnosis::Finding;
use super::mailboxes::NewMailbox;
use super::{ImportId, MailboxId, Timestamp, WorkspaceId};

/// The route through which an import came, by the word that is stored with it. A route shows only its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportSource(pub &'static str);

/// Which logins decide a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCheck {
    /// None: the mailbox is taken as pending, and no connection is made.
    Nothing,
    /// SMTP decides; IMAP is looked at when the mailbox is there.
    Smtp,
    /// SMTP and IMAP.
    Both,
}

impl RowCheck {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Smtp => "smtp",
            Self::Both => "both",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Nothing, Self::Smtp, Self::Both].into_iter().find(|check| check.as_str() == word)
    }
}

/// An import that is to be.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// The route.
    pub source: ImportSource,
    /// Which logins decide.
    pub check: RowCheck,
    /// In the order of the file or list.
    pub rows: Vec<NewImportRow>,
}

/// One row of it.
#[derive(Clone, Debug)]
pub struct NewImportRow {
    /// The address as far as one was given; two rows with the same text are the same mailbox.
    pub email: String,
    /// What else was given, as JSON, for the file of failed rows. Never a password.
    pub given: Option<String>,
    /// The mailbox, or what is wrong with the row.
    pub mailbox: Result<NewMailbox, RowFault>,
}

/// Why a row cannot become a mailbox, whatever its server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFault {
    /// Stable.
    pub code: FailureCode,
    /// Short.
    pub error: String,
    /// What to do about it.
    pub remedy: String,
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowState {
    /// Waits for its turn, or for its result.
    Open,
    /// A mailbox was made of it.
    Imported(MailboxId),
    /// The workspace has that mailbox already, or an earlier row is about it.
    Skipped,
    /// It says itself what is wrong with it.
    Faulty(RowFault),
    /// Its server refused it, or could not be asked.
    Refused(Box<Finding>),
}

/// A row as read from the store. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// As given.
    pub email: String,
    /// See [`NewImportRow::given`].
    pub given: Option<String>,
    /// Where it stands.
    pub state: RowState,
}

/// An import and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Identity.
    pub id: ImportId,
    /// Tenant.
    pub workspace_id: WorkspaceId,
    /// The word of its [`ImportSource`].
    pub source: String,
    /// Rows in all.
    pub total: i64,
    /// Rows that became mailboxes.
    pub imported: i64,
    /// Rows whose mailbox was there.
    pub skipped: i64,
    /// Rows that became nothing.
    pub failed: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its last row was settled.
    pub finished_at: Option<Timestamp>,
}

impl Import {
    /// Rows that are settled.
    pub fn processed(&self) -> i64 {
        self.imported + self.skipped + self.failed
    }
}
