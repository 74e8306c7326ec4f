//! The file of failed rows, which customers correct in a spreadsheet and upload again.
//!
//! A spreadsheet runs a cell that begins with `=` or the like as a formula ("CSV injection" at OWASP), so such cells
//! get an apostrophe in front, which [`read`](super::read) strips. A spreadsheet that separates at semicolons splits
//! the cells of this file elsewhere, so everything that could be the beginning of a cell is treated as one.

use super::GivenCells;

/// One row of the file.
#[derive(Clone, Copy, Debug)]
pub struct FailedRow<'a> {
    /// Written if there are no cells.
    pub email: &'a str,
    /// The cells as they were given.
    pub cells: Option<&'a GivenCells>,
    /// The failure code.
    pub code: &'a str,
    /// The fault in a few words.
    pub error: &'a str,
    /// The instruction for the customer.
    pub remedy: &'a str,
}

const HEADER: [&str; 12] = [
    "email",
    "password",
    "smtphost",
    "smtpport",
    "smtpsecure",
    "imaphost",
    "imapport",
    "imapsecure",
    "displayname",
    "code",
    "error",
    "remedy",
];
/// Without it Excel reads the file in the code page of the computer. (With a line `sep=,` Excel ignores this mark.)
const BOM: &str = "\u{FEFF}";

/// Writes a file that [`read`](super::read) accepts once the passwords are filled in: UTF-8 with a byte order mark,
/// commas, CRLF.
///
/// # Errors
/// Those of the CSV writer, which a writer into memory does not cause.
pub fn failed_rows_csv<'a>(rows: impl IntoIterator<Item = FailedRow<'a>>) -> std::io::Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(BOM.as_bytes().to_vec());
    writer.write_record(HEADER)?;
    let nothing = GivenCells::default();
    for row in rows {
        let cells = row.cells.unwrap_or(&nothing);
        let email = if row.cells.is_some() { &cells.email } else { row.email };
        let fields = [
            email,
            "",
            &cells.smtphost,
            &cells.smtpport,
            &cells.smtpsecure,
            &cells.imaphost,
            &cells.imapport,
            &cells.imapsecure,
            &cells.displayname,
            row.code,
            row.error,
            row.remedy,
        ];
        writer.write_record(fields.map(neutral))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

/// True also for the full-width forms, which some spreadsheets treat as the ASCII ones.
fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// True if a cell can begin after `c`. `could` is the answer for the position before `c`.
fn can_begin_behind(c: char, could: bool) -> bool {
    matches!(c, ',' | ';' | '|' | '\t' | '\r' | '\n') || (could && (c.is_whitespace() || c == '"'))
}

fn neutral(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for c in text.chars() {
        if begins && begins_formula(c) {
            out.push('\'');
        }
        out.push(c);
        begins = can_begin_behind(c, begins);
    }
    out
}

/// Reverts [`neutral`].
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let added = begins && c == '\'' && chars.peek().is_some_and(|next| begins_formula(*next));
        if !added {
            out.push(c);
            begins = can_begin_behind(c, begins);
        }
    }
    out
}
