//! Imports: many mailboxes in one request, stored as a job whose rows are settled one by one.

use serde::{Deserialize, Serialize};

use super::diagnosis::{FailureCode, Finding};
use super::mailboxes::NewMailbox;
use super::{CoreError, ImportId, MailboxId, Timestamp, WorkspaceId};

/// Rows of one import that are worked on at the same time.
pub const LANES: usize = 20;

/// The route through which an import came, by the word that is stored with it. A route shows only its own imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportSource(pub &'static str);

/// The logins that decide a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCheck {
    /// No login decides: the mailbox is accepted as pending, and no connection is made.
    Nothing,
    /// SMTP decides. IMAP is checked after the mailbox exists, and its failure is a note.
    Smtp,
    /// Both logins have to pass.
    Both,
}

impl RowCheck {
    /// The word that rows of the database hold.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Smtp => "smtp",
            Self::Both => "both",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Nothing, Self::Smtp, Self::Both].into_iter().find(|check| check.as_str() == word)
    }
}

/// An import as it is requested.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewImport {
    pub source: ImportSource,
    pub check: RowCheck,
    /// In the order of the file or list.
    pub rows: Vec<NewImportRow>,
}

/// One row of an import.
#[derive(Clone, Debug)]
pub struct NewImportRow {
    /// The address as far as one was given. Two rows with the same text are the same mailbox.
    pub email: String,
    /// The other given values as JSON, for the file of failed rows. Never a password.
    pub given: Option<String>,
    /// The mailbox, or the fault of the row.
    pub mailbox: Result<NewMailbox, RowFault>,
}

/// The reason for which a row cannot become a mailbox, whatever its server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct RowFault {
    pub code: FailureCode,
    pub error: String,
    /// The next step for the person who made the file.
    pub remedy: String,
}

/// The plan's reason against the mailbox of a row. A dialect has the words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The owner has as many mailboxes as the plan allows.
    PlanFull,
    /// The owner's subscription is not active.
    NoSubscription,
    /// The workspace was closed while the import was under way.
    WorkspaceClosed,
}

impl NoRoom {
    const ALL: [Self; 3] = [Self::PlanFull, Self::NoSubscription, Self::WorkspaceClosed];

    /// The code, as stored and published.
    pub fn code(self) -> FailureCode {
        match self {
            Self::PlanFull => FailureCode::LimitPlanFull,
            Self::NoSubscription => FailureCode::LimitNoSubscription,
            Self::WorkspaceClosed => FailureCode::SysSuperseded,
        }
    }

    /// The reverse of [`Self::code`]; `None` for every other code.
    pub fn of_code(code: FailureCode) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The reason in an error of a creation; `None` for an error of another kind.
    pub fn of_error(error: &CoreError) -> Option<Self> {
        match error {
            CoreError::LimitExceeded { .. } => Some(Self::PlanFull),
            CoreError::SubscriptionRequired => Some(Self::NoSubscription),
            CoreError::NotFound("workspace") => Some(Self::WorkspaceClosed),
            _ => None,
        }
    }
}

/// The state of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowState {
    /// Not taken by a lane yet, or its result is awaited.
    Open,
    /// A mailbox was made from it.
    Imported(MailboxId),
    /// The workspace has that mailbox, or an earlier row has the same address.
    Skipped,
    /// The row itself has a fault.
    Faulty(RowFault),
    /// The plan has no slot for it.
    NoRoom(NoRoom),
    /// Its server refused it or could not be reached.
    Refused(Box<Finding>),
}

/// A row as read from the store. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct ImportRow {
    /// The address, as it was given.
    pub email: String,
    pub given: Option<String>,
    pub state: RowState,
}

/// An import and its progress.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Import {
    pub id: ImportId,
    pub workspace_id: WorkspaceId,
    /// The word of its [`ImportSource`].
    pub source: String,
    pub total: i64,
    /// Rows that have become mailboxes.
    pub imported: i64,
    /// Rows whose mailbox existed, and repetitions of a row.
    pub skipped: i64,
    /// Rows that cannot become mailboxes.
    pub failed: i64,
    pub created_at: Timestamp,
    /// When its last row was settled.
    pub finished_at: Option<Timestamp>,
}

impl Import {
    /// The number of rows that are settled.
    pub fn processed(&self) -> i64 {
        self.imported + self.skipped + self.failed
    }
}
