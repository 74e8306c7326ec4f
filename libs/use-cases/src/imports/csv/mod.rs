//! A CSV file of mailboxes. The file is read or refused as a whole; each row is valid or faulty by itself. Knows no
//! HTTP and no store.
//!
//! A password is copied once, into [`Password`]; all other work is done on buffers that are wiped. The types that are
//! shown ([`GivenCells`], [`FileFault`], [`RowFault`]) never hold one.

mod columns;
mod decode;
mod fault;
mod records;
mod row;
mod spreadsheet;

pub use fault::FileFault;
use serde::{Deserialize, Serialize};
pub use shared_models::domain::imports::RowFault;
use shared_models::domain::{EmailAddress, Password, ServerEndpoint};
pub use spreadsheet::{FailedRow, failed_rows_csv};

/// Upper bound of the rows of an upload.
pub const MAX_ROWS: usize = 500;

/// A file for customers to start from. ASCII and CRLF, which every spreadsheet opens unchanged.
pub const TEMPLATE: &str = "\
email,password,smtphost,smtpport,smtpsecure,imaphost,imapport,imapsecure,displayname\r\n\
dana@company.example,app-password-of-dana,smtp.company.example,587,true,imap.company.example,993,true,Dana Field\r\n\
kim@company.example,app-password-of-kim,smtp.company.example,,,imap.company.example,,,\r\n";

/// The content of a file.
#[derive(Debug)]
pub struct AccountsFile {
    /// In the order of the file, without blank lines.
    pub rows: Vec<AccountRow>,
}

/// One row of a file.
#[derive(Debug)]
pub struct AccountRow {
    /// Line of the file on which the row starts, 1-based.
    pub line: u64,
    /// The normalised address. If it is invalid: the text of the cell, without control characters and cut to 254. Empty
    /// if the text could be the value of another column.
    pub email: String,
    /// The given cells. `None` if the row does not fit the header: a password could be in any of them.
    pub cells: Option<GivenCells>,
    /// The mailbox, or the first fault of the row.
    pub account: Result<Account, RowFault>,
}

/// The cells of a row except the password: trimmed, without control characters, each cut to 255 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the columns'")]
pub struct GivenCells {
    pub email: String,
    pub smtphost: String,
    pub smtpport: String,
    pub smtpsecure: String,
    pub imaphost: String,
    pub imapport: String,
    pub imapsecure: String,
    pub displayname: String,
}

/// A mailbox to connect. The address is the login name of both servers.
#[derive(Clone, Debug)]
pub struct Account {
    /// Normalised.
    pub email: EmailAddress,
    /// As given, or the local part of the address.
    pub display_name: String,
    /// Submission. Port 587 and not required to be encrypted, unless the row says otherwise.
    pub smtp: ServerEndpoint,
    /// Mail access. Port 993 and encrypted, unless the row says otherwise.
    pub imap: ServerEndpoint,
    /// For both servers.
    pub password: Password,
}

/// Reads a file of at most `max_rows` rows. Separated by comma, semicolon or tab; the first line that
/// is not blank names the columns.
///
/// # Errors
/// When the file as a whole is unreadable or has too many rows; see [`FileFault`].
pub fn read(bytes: &[u8], max_rows: Option<usize>) -> Result<AccountsFile, FileFault> {
    let text = decode::decode(bytes)?;
    let (header, mut records) = columns::find_header(text)?;
    let mut record = records.record();
    let mut rows = Vec::new();
    let mut count = 0;
    while records.read(&mut record)? {
        if record.is_blank() {
            continue;
        }
        count += 1;
        if max_rows.is_none_or(|max| count <= max) {
            rows.push(row::account_row(&record, &header));
        }
    }
    match max_rows {
        _ if count == 0 => Err(FileFault::NoRows),
        Some(max) if count > max => Err(FileFault::TooManyRows { rows: count, max }),
        _ => Ok(AccountsFile { rows }),
    }
}
