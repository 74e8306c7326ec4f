//! Splits text into records and cells (RFC 4180, with any line end).
//!
//! The `csv` crate repairs an unclosed quotation mark and text after a closing one, which would silently change a
//! password; both are refused here. It also keeps copies of cells. A test compares both on texts that this accepts.

use zeroize::Zeroizing;

use super::fault::FileFault;

/// The cells of one record. The buffer is reused for all records and wiped on drop.
pub(super) struct Record {
    line: u64,
    text: Zeroizing<String>,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
}

impl Record {
    /// The line on which the record starts, 1-based.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(start..*self.ends.get(index)?)
    }

    pub(super) fn cells(&self) -> impl DoubleEndedIterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// The number of cells without the blank ones at the end.
    pub(super) fn filled(&self) -> usize {
        self.len() - self.cells().rev().take_while(|cell| trim(cell).is_empty()).count()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.filled() == 0
    }
}

/// Trims white space, no-break spaces, and characters without a width (U+FEFF, U+200B).
pub(super) fn trim(cell: &str) -> &str {
    cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}' || c == '\u{200B}')
}

/// The number of line ends: LF, CRLF (counted once) and CR.
pub(super) fn line_ends(text: &str) -> u64 {
    let mut previous = b' ';
    let mut count = 0;
    for byte in text.bytes() {
        count += u64::from(byte == b'\r' || (byte == b'\n' && previous != b'\r'));
        previous = byte;
    }
    count
}

/// The token after a cell.
#[derive(PartialEq)]
enum Next {
    Cell,
    Record,
}

/// Reads one record after the other.
pub(super) struct Records<'a> {
    rest: &'a str,
    separator: char,
    line: u64,
}

impl<'a> Records<'a> {
    /// `line` is the number of the first line of `text`.
    pub(super) fn new(text: &'a str, separator: char, line: u64) -> Self {
        Self { rest: text, separator, line }
    }

    /// A record to read into. Its capacity is that of the whole text: growing would leave unwiped copies behind.
    pub(super) fn record(&self) -> Record {
        Record { line: self.line, text: Zeroizing::new(String::with_capacity(self.rest.len())), ends: Vec::new() }
    }

    pub(super) fn separator(&self) -> char {
        self.separator
    }

    /// Fills `record`; false at the end of the text. An empty line is a record of one empty cell.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, FileFault> {
        record.text.clear();
        record.ends.clear();
        record.line = self.line;
        if self.rest.is_empty() {
            return Ok(false);
        }
        loop {
            match self.rest.trim_start_matches(' ').strip_prefix('"') {
                Some(quoted) => self.quoted(quoted, &mut record.text)?,
                None => self.bare(&mut record.text),
            }
            record.ends.push(record.text.len());
            if self.end_of_cell() == Next::Record {
                return Ok(true);
            }
        }
    }

    /// A cell that is not in quotation marks. Those inside it mean nothing.
    fn bare(&mut self, cell: &mut String) {
        let end = self.rest.find([self.separator, '\r', '\n']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        cell.push_str(text);
        self.rest = rest;
    }

    /// A cell in quotation marks, from behind the first. Spaces around them do not belong to it.
    fn quoted(&mut self, mut rest: &'a str, cell: &mut String) -> Result<(), FileFault> {
        let opened = self.line;
        loop {
            let (text, behind) = rest.split_once('"').ok_or(FileFault::UnclosedQuote { line: opened })?;
            cell.push_str(text);
            self.line += line_ends(text);
            match behind.strip_prefix('"') {
                Some(behind) => {
                    cell.push('"');
                    rest = behind;
                }
                None => {
                    self.rest = behind.trim_start_matches(' ');
                    let ended = self.rest.is_empty() || self.rest.starts_with([self.separator, '\r', '\n']);
                    return if ended { Ok(()) } else { Err(FileFault::TextAfterQuote { opened, closed: self.line }) };
                }
            }
        }
    }

    fn end_of_cell(&mut self) -> Next {
        if let Some(rest) = self.rest.strip_prefix(self.separator) {
            self.rest = rest;
            return Next::Cell;
        }
        if let Some(rest) = ["\r\n", "\n", "\r"].iter().find_map(|end| self.rest.strip_prefix(end)) {
            self.rest = rest;
            self.line += 1;
        }
        Next::Record
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<(u64, Vec<String>)>, FileFault> {
        let mut records = Records::new(text, ',', 1);
        let mut record = records.record();
        let mut all = vec![];
        while records.read(&mut record)? {
            all.push((record.line(), record.cells().map(str::to_owned).collect()));
        }
        Ok(all)
    }

    /// The records as the `csv` crate reads them. It leaves out empty lines and does not count them.
    fn by_csv(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    /// Every text of up to six of these characters.
    #[test]
    fn agrees_with_csv_wherever_it_reads() {
        let alphabet = ['a', '"', ',', '\r', '\n'];
        let mut texts = vec![String::new()];
        let mut read_by_both = 0;
        for _ in 0..6 {
            texts = texts.iter().flat_map(|text| alphabet.map(|c| format!("{text}{c}"))).collect();
            for text in &texts {
                let Ok(records) = read(text) else { continue };
                let not_empty = |cells: &Vec<String>| *cells != [""];
                let ours: Vec<_> = records.into_iter().map(|(_, cells)| cells).filter(not_empty).collect();
                assert_eq!(ours, by_csv(text).into_iter().filter(not_empty).collect::<Vec<_>>(), "{text:?}");
                read_by_both += 1;
            }
        }
        assert!(read_by_both > 10_000, "{read_by_both}");
    }

    #[test]
    fn knows_the_line_of_everything() {
        let lines =
            |text: &str| read(text).map(|records| records.into_iter().map(|(line, _)| line).collect::<Vec<_>>());
        assert_eq!(lines("a\nb\nc"), Ok(vec![1, 2, 3]));
        assert_eq!(lines("a\r\n\r\nb\rc\n"), Ok(vec![1, 2, 3, 4]));
        assert_eq!(lines("a,\"x\r\ny\n\rz\"\nb"), Ok(vec![1, 5]));
        assert_eq!(lines("a\nb,\"x\ny"), Err(FileFault::UnclosedQuote { line: 2 }));
        assert_eq!(lines("a\n\"x\ny\",\"z\r\r"), Err(FileFault::UnclosedQuote { line: 3 }));
        assert_eq!(lines("a\n\"x\ny\"z"), Err(FileFault::TextAfterQuote { opened: 2, closed: 3 }));
    }

    #[test]
    fn spaces_belong_to_bare_cells_and_not_to_quotation_marks() {
        let cells = |text: &str| read(text).unwrap().remove(0).1;
        assert_eq!(cells(" a , b"), [" a ", " b"]);
        assert_eq!(cells("  \" a \" , \"b\" "), [" a ", "b"]);
        assert_eq!(cells("a\"b , c\"d\""), ["a\"b ", " c\"d\""]);
    }
}
