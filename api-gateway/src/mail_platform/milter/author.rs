//! The author of a message: the address in `From:` (RFC 5322 section 3.6.2).

use lettre::message::Mailboxes;
use shared_models::domain::EmailAddress;

/// The address of a field with exactly one. Values that mail programs read differently, such as an address in the place
/// of a name, are rejected: they could show another author than the one that is checked. `value` is everything after
/// the colon.
pub(super) fn of(value: &[u8]) -> Option<EmailAddress> {
    // Lossy: octets that are not UTF-8 occur in names, which are not compared.
    let text = without_comments(&String::from_utf8_lossy(value))?;
    let mailboxes: Mailboxes = text.trim().parse().ok()?;
    let mut mailboxes = mailboxes.into_iter();
    match (mailboxes.next(), mailboxes.next()) {
        (Some(author), None) => EmailAddress::parse(author.email.as_ref()).ok(),
        _ => None,
    }
}

/// Unfolds a value and replaces each comment (RFC 5322 section 3.2.2) by a space, as lettre does not parse comments.
/// `None` if a comment or a quoted string is not closed.
fn without_comments(text: &str) -> Option<String> {
    let (mut plain, mut depth, mut quoted) = (String::with_capacity(text.len()), 0_usize, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let mut keep = |letter: char| {
            if depth == 0 {
                plain.push(letter)
            }
        };
        match letter {
            '\r' | '\n' => {}
            '\\' if quoted || depth > 0 => {
                keep(letter);
                keep(letters.next()?);
            }
            '"' if depth == 0 => {
                quoted = !quoted;
                keep(letter);
            }
            '(' if !quoted => {
                keep(' ');
                depth += 1;
            }
            ')' if depth > 0 => depth -= 1,
            _ => keep(letter),
        }
    }
    (depth == 0 && !quoted).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address() {
        for value in [
            "kim@acme.test",
            " Kim@ACME.test ",
            "<kim@acme.test>",
            "Kim <kim@acme.test>",
            "Kim\n\t<kim@acme.test>\r\n ",
            "Kim Q. Doe <kim@acme.test>",
            "\"Doe, Kim\" <kim@acme.test>",
            "\"a \\\" (b <ceo@acme.test>\" <kim@acme.test>",
            "=?utf-8?q?J=C3=BCrgen?= =?utf-8?b?w7w=?= <kim@acme.test>",
            "Jürgen <kim@acme.test>",
            "kim@acme.test (Kim)",
            "(a (nested) comment) Kim (\\) <ceo@acme.test>) <kim@acme.test> (at \"work)",
        ] {
            assert_eq!(of(value.as_bytes()).as_ref().map(EmailAddress::as_str), Some("kim@acme.test"), "{value}");
        }
        assert_eq!(of(b" J\xfcrgen <kim@acme.test>").as_ref().map(EmailAddress::as_str), Some("kim@acme.test"));
    }

    #[test]
    fn not_one_address() {
        for value in [
            "",
            " \n ",
            "Kim",
            "kim@acme.test, ben@acme.test",
            "Kim <kim@acme.test>, Kim <kim@acme.test>",
            "ceo@acme.test <kim@acme.test>",
            "<ceo@acme.test> <kim@acme.test>",
            "<kim@acme.test> ceo@acme.test",
            "<kim@acme.test",
            "kim@acme.test>",
            "kim (x)@acme.test ceo@acme.test",
            "Team: kim@acme.test;",
            "kim@acme.test;",
            "<@relay.test:kim@acme.test>",
            "Kim (no end <kim@acme.test>",
            "\"Kim <kim@acme.test>",
            "Kim \\",
            "=?utf-8?q?kim=40acme.test?=",
            "kim@[127.0.0.1]",
            "Kim\0 <kim@acme.test\0>",
        ] {
            assert_eq!(of(value.as_bytes()), None, "{value}");
        }
        for part in ["(", "a ", "a.", "\"", "\\", "<a@b.c>", "a@", ",", "=?utf-8?q?a?= "] {
            assert_eq!(of(part.repeat(50_000).as_bytes()), None, "{part}");
        }
    }
}
