//! The columns, the header line, and the separator, which is derived from that line.

use super::fault::FileFault;
use super::records::{Record, Records, trim};

/// A known column; others are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Email,
    Password,
    SmtpHost,
    SmtpPort,
    SmtpSecure,
    ImapHost,
    ImapPort,
    ImapSecure,
    DisplayName,
}

impl Column {
    pub(super) const ALL: [Self; 9] = [
        Self::Email,
        Self::Password,
        Self::SmtpHost,
        Self::SmtpPort,
        Self::SmtpSecure,
        Self::ImapHost,
        Self::ImapPort,
        Self::ImapSecure,
        Self::DisplayName,
    ];
    const REQUIRED: [Self; 4] = [Self::Email, Self::Password, Self::SmtpHost, Self::ImapHost];

    /// The documented spelling.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Password => "password",
            Self::SmtpHost => "smtphost",
            Self::SmtpPort => "smtpport",
            Self::SmtpSecure => "smtpsecure",
            Self::ImapHost => "imaphost",
            Self::ImapPort => "imapport",
            Self::ImapSecure => "imapsecure",
            Self::DisplayName => "displayname",
        }
    }

    /// `SMTP Host`, `smtp_host` and `Smtp-Host` all name `smtphost`.
    fn parse(cell: &str) -> Option<Self> {
        let kept = trim(cell).chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'));
        let name: String = kept.flat_map(char::to_lowercase).collect();
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

/// Possible separators. Of those that yield equally many known columns the last wins.
const SEPARATORS: [char; 3] = ['\t', ';', ','];

/// The positions of the columns.
pub(super) struct Header {
    /// In the order of [`Column::ALL`].
    positions: [Option<usize>; Column::ALL.len()],
    repeated: Option<Column>,
    /// Without the blank cells at the end.
    len: usize,
    pub(super) separator: char,
}

impl Header {
    fn new(record: &Record, separator: char) -> Self {
        let mut header = Self { positions: Default::default(), repeated: None, len: record.filled(), separator };
        for (index, cell) in record.cells().enumerate() {
            let Some(column) = Column::parse(cell) else { continue };
            match &mut header.positions[column as usize] {
                Some(_) => header.repeated = header.repeated.or(Some(column)),
                free => *free = Some(index),
            }
        }
        header
    }

    /// Upper bound of the cells of a row.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn position(&self, column: Column) -> Option<usize> {
        self.positions[column as usize]
    }

    /// Lower bound of the cells of a row. Excel leaves out blank cells at the end of some rows.
    pub(super) fn least(&self) -> usize {
        Column::REQUIRED.iter().filter_map(|column| self.position(*column)).max().map_or(0, |last| last + 1)
    }

    fn known(&self) -> usize {
        self.positions.iter().flatten().count()
    }

    fn check(&self) -> Result<(), FileFault> {
        if let Some(column) = self.repeated {
            return Err(FileFault::RepeatedColumn { column: column.name() });
        }
        let missing = Column::REQUIRED.into_iter().filter(|column| self.position(*column).is_none());
        let missing: Vec<_> = missing.map(Column::name).collect();
        if missing.is_empty() { Ok(()) } else { Err(FileFault::MissingColumns { columns: missing.join(", ") }) }
    }
}

/// Reads the header with the separator that yields the most known columns. Returns it with the rows to read.
pub(super) fn find_header(text: &str) -> Result<(Header, Records<'_>), FileFault> {
    let (header, records) = match declared_separator(text) {
        Some((separator, rest)) => read_header(Records::new(rest, separator, 2))?,
        None => {
            let readings = SEPARATORS.map(|separator| read_header(Records::new(text, separator, 1)));
            let sense = |reading: &Result<(Header, _), _>| reading.as_ref().map_or(0, |(header, _)| header.known());
            readings.into_iter().max_by_key(sense).unwrap_or(Err(FileFault::Empty))?
        }
    };
    header.check()?;
    Ok((header, records))
}

/// The separator of a first line `sep=;`, which is meant for Excel, and the text after that line.
fn declared_separator(text: &str) -> Option<(char, &str)> {
    let (line, rest) = text.split_at(text.find(['\r', '\n'])?);
    let unquoted = line.trim_matches('"');
    let (word, declared) = unquoted.split_at_checked("sep=".len())?;
    let separator = SEPARATORS.into_iter().find(|separator| declared.starts_with(*separator))?;
    let only = word.eq_ignore_ascii_case("sep=") && declared.chars().all(|c| c == separator || c == '"' || c == ' ');
    let rest = ["\r\n", "\n", "\r"].iter().find_map(|end| rest.strip_prefix(end))?;
    only.then_some((separator, rest))
}

fn read_header(mut records: Records<'_>) -> Result<(Header, Records<'_>), FileFault> {
    let mut record = records.record();
    while records.read(&mut record)? {
        if !record.is_blank() {
            return Ok((Header::new(&record, records.separator()), records));
        }
    }
    Err(FileFault::Empty)
}
