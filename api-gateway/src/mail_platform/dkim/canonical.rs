//! Relaxed canonicalisation (RFC 6376 sections 3.4.2 and 3.4.4) of the message as Postfix will send it: Postfix breaks
//! lines of more than 998 octets by CR LF SP. The signature has to cover these breaks.

use openssl::sha::Sha256;

/// Longest line that is sent unbroken, in octets without its end: Postfix's `smtp_line_length_limit`.
const MAX_LINE: usize = 998;
/// Line ends that are hashed in one call.
const LINE_ENDS: [u8; 128] = {
    let mut bytes = [b'\n'; 128];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = b'\r';
        at += 2;
    }
    bytes
};

/// A canonical header field without the CR LF at its end. `value` is everything after the colon, folded by LF or CR LF.
pub(super) fn header(name: &str, value: &[u8]) -> Vec<u8> {
    let mut field = name.to_ascii_lowercase().into_bytes();
    field.push(b':');
    let (mut column, mut space, mut begun) = (field.len(), false, false);
    for (at, &byte) in value.iter().enumerate() {
        if byte == b'\n' || (byte == b'\r' && value.get(at + 1) == Some(&b'\n')) {
            column = 0;
            continue;
        }
        if column == MAX_LINE {
            (space, column) = (true, 1);
        }
        column += 1;
        if matches!(byte, b' ' | b'\t') {
            space = true;
            continue;
        }
        if space && begun {
            field.push(b' ');
        }
        (space, begun) = (false, true);
        field.push(byte);
    }
    field
}

/// The hash of a body that arrives in pieces, none of which is kept.
pub(super) struct BodyHash {
    hash: Sha256,
    /// Octets of the current line.
    column: usize,
    /// Line ends that are hashed only if content follows them.
    line_ends: usize,
    /// White space that is hashed only if content follows it in its line.
    space: bool,
    /// The last octet was a CR, which may be half of a line end.
    cr: bool,
    /// Content was hashed.
    begun: bool,
}

impl BodyHash {
    pub(super) fn new() -> Self {
        Self { hash: Sha256::new(), column: 0, line_ends: 0, space: false, cr: false, begun: false }
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        let mut ready = Vec::with_capacity(piece.len() + 2);
        for &byte in piece {
            if std::mem::take(&mut self.cr) {
                if byte == b'\n' {
                    (self.line_ends, self.space, self.column) = (self.line_ends + 1, false, 0);
                    continue;
                }
                self.content(b'\r', &mut ready);
            }
            match byte {
                b'\r' => self.cr = true,
                _ => self.content(byte, &mut ready),
            }
        }
        self.hash.update(&ready);
    }

    /// SHA-256 of the canonical body.
    pub(super) fn finish(mut self) -> [u8; 32] {
        let mut ready = vec![];
        if self.cr {
            self.content(b'\r', &mut ready);
        }
        // Empty lines at the end are dropped, and the last line always has an end (section 3.4.4).
        if self.begun {
            ready.extend_from_slice(b"\r\n");
        }
        self.hash.update(&ready);
        self.hash.finish()
    }

    fn content(&mut self, byte: u8, ready: &mut Vec<u8>) {
        if self.column == MAX_LINE {
            (self.line_ends, self.space, self.column) = (self.line_ends + 1, true, 1);
        }
        self.column += 1;
        if matches!(byte, b' ' | b'\t') {
            self.space = true;
            return;
        }
        self.end_lines(ready);
        if std::mem::take(&mut self.space) {
            ready.push(b' ');
        }
        ready.push(byte);
        self.begun = true;
    }

    fn end_lines(&mut self, ready: &mut Vec<u8>) {
        let mut left = std::mem::take(&mut self.line_ends) * 2;
        if left > LINE_ENDS.len() {
            // A body may hold any number of empty lines before content; they are not collected in memory.
            self.hash.update(ready);
            ready.clear();
            while left > LINE_ENDS.len() {
                self.hash.update(&LINE_ENDS);
                left -= LINE_ENDS.len();
            }
        }
        ready.extend_from_slice(&LINE_ENDS[..left]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: &[&[u8]]) -> [u8; 32] {
        let mut hash = BodyHash::new();
        pieces.iter().for_each(|piece| hash.update(piece));
        hash.finish()
    }

    /// Asserts the canonical form of a body, for every way to cut it in two.
    fn becomes(raw: &[u8], canonical: &[u8]) {
        let expected = openssl::sha::sha256(canonical);
        for at in 0..=raw.len() {
            let (begin, end) = raw.split_at(at);
            assert_eq!(body(&[begin, end]), expected, "{} cut at {at}", raw.escape_ascii());
        }
        let single: Vec<&[u8]> = raw.chunks(1).collect();
        assert_eq!(body(&single), expected, "{}", raw.escape_ascii());
    }

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(header("A", b" X"), b"a:X");
        assert_eq!(header("B", b" Y\t\r\n\tZ  "), b"b:Y Z");
        becomes(b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n");
    }

    #[test]
    fn header_fields() {
        assert_eq!(header("SUBJECT", b""), b"subject:");
        assert_eq!(header("Subject", b" \t\n "), b"subject:");
        assert_eq!(header("Subject", b"a\n\t  b \t c"), b"subject:a b c");
        assert_eq!(header("Subject", b" a\rb \xff"), b"subject:a\rb \xff");
        // As it goes on its way: `to:` and 995 octets, a break, and 997 octets in each further line.
        let long = "x".repeat(998 - 3 - 1);
        assert_eq!(header("to", format!(" {long}").as_bytes()), format!("to:{long}").as_bytes());
        let expected = format!("to:{long} {} {}", "y".repeat(997), "y".repeat(3));
        assert_eq!(header("to", format!(" {long}{}", "y".repeat(1000)).as_bytes()), expected.as_bytes());
        let folded = format!(" {long}\n {}", "z".repeat(997));
        assert_eq!(header("to", folded.as_bytes()), format!("to:{long} {}", "z".repeat(997)).as_bytes());
    }

    #[test]
    fn bodies() {
        becomes(b"", b"");
        becomes(b"\r\n\r\n", b"");
        becomes(b" \t\r\n \r\n", b"");
        becomes(b"a", b"a\r\n");
        becomes(b"a \t", b"a\r\n");
        becomes(b"\r\n\r\na\r\n", b"\r\n\r\na\r\n");
        becomes(b"a\r\n \t \r\nb\r\n", b"a\r\n\r\nb\r\n");
        becomes(b".\r\n..\r\n", b".\r\n..\r\n");
        becomes(b"a \rb\r\r\nc\nd\r", b"a \rb\r\r\nc\nd\r\r\n");
        becomes(b"\xff\x00  \xfe\r\n", b"\xff\x00 \xfe\r\n");
    }

    #[test]
    fn many_empty_lines_take_no_room() {
        for count in [63, 64, 65, 100_000] {
            let raw = format!("a{}b\r\n", "\r\n".repeat(count));
            assert_eq!(body(&[raw.as_bytes()]), openssl::sha::sha256(raw.as_bytes()), "{count}");
            let mut hash = BodyHash::new();
            (0..count).for_each(|_| hash.update(b"\r\n"));
            hash.update(b"b");
            let expected = format!("{}b\r\n", "\r\n".repeat(count));
            assert_eq!(hash.finish(), openssl::sha::sha256(expected.as_bytes()), "{count}");
        }
    }

    #[test]
    fn long_lines_are_broken_as_they_will_be() {
        let line = "x".repeat(MAX_LINE);
        assert_eq!(body(&[format!("{line}\r\n").as_bytes()]), openssl::sha::sha256(format!("{line}\r\n").as_bytes()));
        let raw = format!("{line}{}z\r\nshort\r\n", "y".repeat(997));
        let expected = format!("{line}\r\n {}\r\n z\r\nshort\r\n", "y".repeat(997));
        assert_eq!(body(&[raw.as_bytes()]), openssl::sha::sha256(expected.as_bytes()));
        // A line broken before a space continues with two spaces, which are reduced to one (RFC 6376 section 3.4.4).
        let raw = format!("{line} z\r\n");
        assert_eq!(body(&[raw.as_bytes()]), openssl::sha::sha256(format!("{line}\r\n z\r\n").as_bytes()));
    }
}
