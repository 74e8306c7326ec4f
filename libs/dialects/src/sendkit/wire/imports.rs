//! `/v1/mailboxes/import`: the form of an upload and the bodies about an import.

use serde::Serialize;
use shared_models::domain::imports::{
    Import, ImportRow, NewImport, NewImportRow, NoRoom, RowCheck, RowFault, RowState,
};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::{CoreError, Credentials, LoginSecret};
use utoipa::ToSchema;

use super::failure_text::failure_text;
use crate::http::upload::Upload;
use crate::sendkit::IMPORTS;
use crate::sendkit::wire::body::{Faults, line_problems};
use crate::sendkit::wire::mailboxes::requests::{DEFAULT_DAILY_LIMIT, MAX_TAG};
use use_cases::imports::csv::{Account, AccountRow, FailedRow, FileFault, GivenCells, MAX_ROWS, failed_rows_csv, read};

/// The form of an upload.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "read part by part; this is for the document")]
pub(in crate::sendkit) struct ImportForm {
    /// CSV with a header line, at most 500 rows and 2 MiB. Columns `email`, `password`, `smtphost`,
    /// `imaphost`, and if wanted `smtpport` (587), `imapport` (993), `smtpsecure` (false), `imapsecure`
    /// (true), `displayname`.
    #[schema(format = Binary)]
    file: String,
    /// Put on every imported mailbox.
    tag: Option<String>,
    /// `true`: no connection is made and the mailboxes are pending.
    skip_connection_test: Option<String>,
}

/// Everything that was asked for.
pub(in crate::sendkit) fn new_import(upload: Upload) -> Result<NewImport, CoreError> {
    let mut faults = Faults::default();
    let text = |name: &str| {
        upload.texts.iter().rev().find(|(part, _)| part == name).map(|(_, text)| text.trim()).filter(|t| !t.is_empty())
    };
    let tag = text("tag");
    for problem in tag.map_or(vec![], |tag| line_problems(tag, MAX_TAG)) {
        faults.add("tag", problem);
    }
    let skip = match text("skipConnectionTest").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            faults.add("skipConnectionTest", "must be true or false");
            false
        }
    };
    let file = faults.parsed("file", read(&upload.file, Some(MAX_ROWS)).map_err(Sentence));
    let file = faults.settle(file)?;
    let tags: Vec<String> = tag.map(str::to_owned).into_iter().collect();
    let rows = file.rows.into_iter().map(|row| new_row(row, &tags)).collect();
    Ok(NewImport { source: IMPORTS, check: if skip { RowCheck::Nothing } else { RowCheck::Smtp }, rows })
}

/// As it stands behind the name of the field.
struct Sentence(FileFault);

impl std::fmt::Display for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot be imported: {}", self.0)
    }
}

fn new_row(row: AccountRow, tags: &[String]) -> NewImportRow {
    NewImportRow {
        email: row.email,
        // Strings and nothing else: this cannot fail.
        given: row.cells.and_then(|cells| serde_json::to_string(&cells).ok()),
        mailbox: row.account.map(|account| new_mailbox(account, tags.to_vec())),
    }
}

fn new_mailbox(account: Account, tags: Vec<String>) -> NewMailbox {
    let login = LoginSecret { username: account.email.as_str().to_owned(), password: account.password };
    NewMailbox {
        email: account.email,
        email_as_given: None,
        display_name: account.display_name,
        provider: ProviderLabel::Custom,
        daily_send_limit: DEFAULT_DAILY_LIMIT,
        signature: None,
        tags,
        smtp: account.smtp,
        imap: account.imap,
        imap_guessed: false,
        credentials: Credentials { smtp: login.clone(), imap: login },
        on_refusal: RefusalPolicy::Keep,
    }
}

/// Result of an import.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct ImportBody {
    /// Rows that became mailboxes.
    imported: i64,
    /// Rows whose mailbox is in the workspace already, or that repeat an earlier row.
    skipped: i64,
    /// Rows that became nothing.
    failed: i64,
    /// Those, in the order of the file.
    errors: Vec<RowError>,
}

/// A failed row.
#[derive(Serialize, ToSchema)]
struct RowError {
    /// As far as one was given.
    email: String,
    error: String,
    /// Stable.
    code: &'static str,
    /// Next step for the customer, in plain words.
    remedy: String,
}

impl ImportBody {
    pub(in crate::sendkit) fn new(import: &Import, rows: &[ImportRow]) -> Self {
        let errors = rows.iter().filter_map(|row| {
            let RowFault { code, error, remedy } = fault(row)?;
            Some(RowError { email: row.email.clone(), error, code: code.as_str(), remedy })
        });
        Self { imported: import.imported, skipped: import.skipped, failed: import.failed, errors: errors.collect() }
    }
}

/// An import on its way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct ImportProgress {
    #[schema(pattern = "^[0-9a-f]{24}$")]
    import_id: String,
    /// `running` or `finished`.
    status: &'static str,
    /// Rows in all.
    total: i64,
    /// Rows that are settled.
    processed: i64,
    /// Rows that became mailboxes.
    imported: i64,
    /// Rows whose mailbox is in the workspace already, or that repeat an earlier row.
    skipped: i64,
    /// Rows that became nothing.
    failed: i64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime, required)]
    finished_at: Option<String>,
}

impl From<&Import> for ImportProgress {
    fn from(import: &Import) -> Self {
        Self {
            import_id: import.id.to_string(),
            status: if import.finished_at.is_some() { "finished" } else { "running" },
            total: import.total,
            processed: import.processed(),
            imported: import.imported,
            skipped: import.skipped,
            failed: import.failed,
            created_at: import.created_at.to_rfc3339(),
            finished_at: import.finished_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// An import and its failed rows so far.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct ImportDetail {
    #[serde(flatten)]
    progress: ImportProgress,
    /// Failed rows so far, in the order of the file.
    errors: Vec<RowError>,
}

impl ImportDetail {
    pub(in crate::sendkit) fn new(import: &Import, rows: &[ImportRow]) -> Self {
        Self { progress: import.into(), errors: ImportBody::new(import, rows).errors }
    }
}

/// The failed rows as a file that can be put right and uploaded again.
pub(in crate::sendkit) fn failed_rows(rows: &[ImportRow]) -> Result<String, CoreError> {
    let failed: Vec<(&ImportRow, Option<GivenCells>, RowFault)> = rows
        .iter()
        .filter_map(|row| {
            let cells = row.given.as_deref().and_then(|json| serde_json::from_str(json).ok());
            Some((row, cells, fault(row)?))
        })
        .collect();
    let lines = failed.iter().map(|(row, cells, fault)| FailedRow {
        email: &row.email,
        cells: cells.as_ref(),
        code: fault.code.as_str(),
        error: &fault.error,
        remedy: &fault.remedy,
    });
    failed_rows_csv(lines).map_err(|e| CoreError::Internal(format!("a file cannot be written: {e}")))
}

/// The fault of a failed row; `None` for any other row.
fn fault(row: &ImportRow) -> Option<RowFault> {
    match &row.state {
        RowState::Open | RowState::Imported(_) | RowState::Skipped => None,
        RowState::Faulty(fault) => Some(fault.clone()),
        RowState::NoRoom(reason) => Some(no_room(*reason)),
        RowState::Refused(finding) => Some(RowFault {
            code: finding.code,
            error: failure_text(finding).to_owned(),
            remedy: finding.remedy.clone(),
        }),
    }
}

/// The words for a row that the plan has no place for.
fn no_room(reason: NoRoom) -> RowFault {
    let error = match reason {
        NoRoom::PlanFull => "Mailbox limit reached for your plan",
        NoRoom::NoSubscription => "Active subscription required",
        NoRoom::WorkspaceClosed => "The workspace was closed",
    };
    let code = reason.code();
    RowFault { code, error: error.to_owned(), remedy: code.remedy_template().to_owned() }
}
