//! Parts of the grammar of IMAP: lists of capabilities, and strings.

/// The list in a `[CAPABILITY ...]` response code, in upper case.
pub(super) fn capabilities_in(line: &str) -> Option<Vec<String>> {
    let (_, code) = line.split_once('[')?;
    let (code, _) = code.split_once(']')?;
    let (word, list) = code.split_once(' ')?;
    word.eq_ignore_ascii_case("CAPABILITY").then(|| capability_list(list))
}

/// The words of a list of capabilities, in upper case.
pub(super) fn capability_list(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_ascii_uppercase).collect()
}

/// True if the text fits into a quoted string (RFC 3501 section 4.3): printable ASCII only.
pub(super) fn is_quotable(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

/// The text as a quoted string.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_of_a_greeting() {
        let line = "OK [CAPABILITY IMAP4rev1 SASL-IR auth=plain] Dovecot ready.";
        let list = capabilities_in(line);
        assert_eq!(list, Some(vec!["IMAP4REV1".into(), "SASL-IR".into(), "AUTH=PLAIN".into()]));
        assert_eq!(capabilities_in("OK [ALERT] hello"), None);
        assert_eq!(capabilities_in("OK ready"), None);
    }

    #[test]
    fn quoting() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
        assert!(is_quotable("") && is_quotable("a b\"\\"));
        assert!(!is_quotable("pässword") && !is_quotable("a\r\nb"));
    }
}
