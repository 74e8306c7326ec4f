//! Faults for which a file is refused as a whole.

/// A fault of a file, in a text for the person who made it. Never holds the content of a cell, which could be a
/// password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it; lines count from 1")]
pub enum FileFault {
    #[error("The file is empty. Its first line must name the columns: {REQUIRED}.")]
    Empty,
    #[error("The file is an Excel workbook, not a CSV file. {SAVE_AS}")]
    Workbook,
    #[error("The file is stored as UTF-16, which Excel calls Unicode Text. {SAVE_AS}")]
    Utf16,
    #[error(
        "Line {line} has characters that are not UTF-8; the file is probably stored as Latin-1 (Windows-1252). \
         {SAVE_AS}"
    )]
    NotUtf8 { line: u64 },
    #[error("Line {line} has NUL bytes, so the file is damaged or not a text file. {SAVE_AS}")]
    Nul { line: u64 },
    #[error(
        "The quotation mark that opens a value on line {line} is never closed. Close it; if it belongs to the value, \
         put the whole value in quotation marks and write each one inside it twice."
    )]
    UnclosedQuote { line: u64 },
    #[error(
        "A value in quotation marks begins on line {opened} and ends on line {closed} with more text behind it. Put the \
         whole value in quotation marks and write each one that belongs to it twice."
    )]
    TextAfterQuote { opened: u64, closed: u64 },
    #[error("Columns are missing: {columns}. The first line must name at least these: {REQUIRED}.")]
    MissingColumns { columns: String },
    #[error("The column {column} is there more than once. Keep one of them.")]
    RepeatedColumn { column: &'static str },
    #[error("The file has no rows below the line that names the columns. Add a line for each mailbox.")]
    NoRows,
    #[error("The file has {rows} rows, and at most {max} are allowed. Split it into several files.")]
    TooManyRows { rows: usize, max: usize },
}

const REQUIRED: &str = "email, password, smtphost, imaphost";
const SAVE_AS: &str = "Save it with File > Save As as \"CSV UTF-8 (Comma delimited)\", or with the encoding UTF-8 in \
                       another program, and use the new file.";
