//! From bytes to text. Each wrong format that spreadsheets write has a fault of its own.

use super::fault::FileFault;
use super::records::line_ends;

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// Magic numbers of .xlsx (a ZIP archive) and .xls (a compound file).
const WORKBOOKS: [&[u8]; 2] = [b"PK\x03\x04", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"];
/// Bytes that are searched for UTF-16 without a byte order mark.
const SAMPLE: usize = 256;

/// The text without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, FileFault> {
    if WORKBOOKS.iter().any(|magic| bytes.starts_with(magic)) {
        return Err(FileFault::Workbook);
    }
    if is_utf16(bytes) {
        return Err(FileFault::Utf16);
    }
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        FileFault::NotUtf8 { line: 1 + line_ends(&String::from_utf8_lossy(valid)) }
    })?;
    if let Some((before, _)) = text.split_once('\0') {
        return Err(FileFault::Nul { line: 1 + line_ends(before) });
    }
    if text.trim().is_empty() {
        return Err(FileFault::Empty);
    }
    Ok(text)
}

/// True for a byte order mark of UTF-16, or if every second byte of the sample is NUL, as in ASCII text.
fn is_utf16(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return true;
    }
    let (pairs, _) = bytes.get(..SAMPLE).unwrap_or(bytes).as_chunks::<2>();
    let high_first = pairs.iter().filter(|[first, _]| *first == 0).count();
    let low_first = pairs.iter().filter(|[_, second]| *second == 0).count();
    (high_first == 0) != (low_first == 0) && 2 * high_first.max(low_first) > pairs.len()
}
