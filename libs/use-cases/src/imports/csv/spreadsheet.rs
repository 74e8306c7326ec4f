//! The file of failed rows, which people open in a spreadsheet, put right and upload again.
//!
//! A spreadsheet runs a cell that begins with `=` or its like as a formula, so such cells get an
//! apostrophe in front ("CSV injection" at OWASP), and [`read`](super::read) takes it away again. Where
//! the semicolon separates, the cells of this file begin elsewhere; so whatever could be the beginning
//! of a cell is treated as one.

use super::GivenCells;

/// One row of the file.
#[derive(Clone, Copy, Debug)]
pub struct FailedRow<'a> {
    /// Shown where there are no cells.
    pub email: &'a str,
    /// What was given.
    pub cells: Option<&'a GivenCells>,
    /// A failure code.
    pub code: &'a str,
    /// What went wrong.
    pub error: &'a str,
    /// What to do about it.
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
/// Without it Excel takes the file for one in the code page of the computer. (A line `sep=,` would
/// make it forget this mark.)
const BOM: &str = "\u{FEFF}";

/// The rows as a file that [`read`](super::read) accepts once the passwords are filled in. UTF-8 with
/// a byte order mark, commas, CRLF.
///
/// # Errors
/// None that a writer into memory can cause; they are passed on.
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

/// Also the wide forms, which some spreadsheets take for the narrow ones.
fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// Whether a cell can begin behind this character, or still can.
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

/// Takes away what [`neutral`] adds.
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
