//! A complete reply of a server, in the form in which the rules look at it.

use crate::text::one_line;

/// Status word of an IMAP response (RFC 9051 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

/// The machine-readable part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Reply code, 200-599.
    Smtp(u16),
    /// Status word of the last line, and the response codes (`[...]`) of all lines in upper case.
    Imap(Status, Vec<String>),
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) head: Head,
    /// All lines joined to one, without repeated enhanced status codes.
    pub(crate) text: String,
}

impl Reply {
    /// A reply from its code and the text behind the code of each line. Gmail repeats the enhanced status code
    /// (RFC 3463) on each line; only the first is kept.
    pub(crate) fn smtp(code: u16, lines: &[String]) -> Self {
        let enhanced = lines.first().and_then(|line| enhanced_code(line));
        let mut text = code.to_string();
        for (n, line) in lines.iter().enumerate() {
            let line = match enhanced {
                Some(enhanced) if n > 0 => line.trim_start().strip_prefix(enhanced).unwrap_or(line),
                _ => line,
            };
            text.push(' ');
            text.push_str(line);
        }
        Self { head: Head::Smtp(code), text: one_line(&text) }
    }

    /// A reply from its last line without the tag, and the untagged lines before it. Of those only the ones that can
    /// explain a refusal are kept: `NO`, `BYE` and alerts.
    pub(crate) fn imap(status: Status, line: &str, untagged: &[String]) -> Self {
        let explaining =
            untagged.iter().filter_map(|line| line.strip_prefix("* ")).filter(|line| match status_of(line) {
                Some(Status::No | Status::Bye) => true,
                Some(Status::Ok | Status::Bad) => response_code(line) == Some("ALERT".into()),
                _ => false,
            });
        let lines = explaining.chain([line]).collect::<Vec<_>>();
        Self {
            head: Head::Imap(status, lines.iter().filter_map(|line| response_code(line)).collect()),
            text: one_line(&lines.join(" ")),
        }
    }
}

fn enhanced_code(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next()?;
    let mut parts = word.split('.');
    let numeric =
        |part: Option<&str>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    (numeric(parts.next()) && numeric(parts.next()) && numeric(parts.next()) && parts.next().is_none()).then_some(word)
}

/// The status word at the start of a line without tag.
pub(crate) fn status_of(line: &str) -> Option<Status> {
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    [("OK", Status::Ok), ("NO", Status::No), ("BAD", Status::Bad), ("BYE", Status::Bye), ("PREAUTH", Status::Preauth)]
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, status)| status)
}

/// The response code behind the status word (RFC 9051 section 7.1), without its arguments.
fn response_code(line: &str) -> Option<String> {
    let rest = line.split_once(' ')?.1.trim_start().strip_prefix('[')?;
    let inside = rest.split_once(']').map_or(rest, |(code, _)| code);
    inside.split_whitespace().next().map(str::to_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_enhanced_codes_are_said_once() {
        let lines = ["5.7.9 Application-specific", "5.7.9 password", "5.7.9  required"];
        let reply = Reply::smtp(534, &lines.map(str::to_owned));
        assert_eq!(reply.text, "534 5.7.9 Application-specific password required");
    }

    #[test]
    fn untagged_chatter_is_left_out() {
        let before = ["* CAPABILITY IMAP4rev1", "* OK hello", "* OK [ALERT] Quota", "* 3 EXISTS"];
        let reply = Reply::imap(Status::No, "NO [INUSE] later", &before.map(str::to_owned));
        assert_eq!(reply.text, "OK [ALERT] Quota NO [INUSE] later");
        assert_eq!(reply.head, Head::Imap(Status::No, vec!["ALERT".into(), "INUSE".into()]));
    }
}
