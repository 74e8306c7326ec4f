//! Servers of the wrong kind, recognised by the first thing they say.

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Leg, Stage};

use crate::failure::Failure;

/// The failure that a first line means which is not in the language of this leg. The line itself is
/// not quoted: whatever listens there is none of the caller's business.
pub(crate) fn foreign(line: &str, leg: Leg) -> Failure {
    let line = line.to_ascii_lowercase();
    let is_imap = ["* ok", "* preauth", "* bye"].iter().any(|start| line.starts_with(start));
    let is_smtp = line.starts_with("220") && !line.contains("ftp");
    let swapped = |found, wanted| {
        Failure::new(FailureCode::CfgProtocolSwapped, Stage::Greeting).with("found", found).with("wanted", wanted)
    };
    match leg {
        Leg::Smtp if is_imap => swapped("IMAP", "SMTP"),
        Leg::Imap if is_smtp => swapped("SMTP", "IMAP"),
        Leg::Smtp if line.starts_with("+ok") => {
            swapped("POP3", "SMTP").says("{host}:{port} is a POP3 server; enter the SMTP server (port 465 or 587).")
        }
        Leg::Imap if line.starts_with("+ok") => {
            swapped("POP3", "IMAP").says("{host}:{port} is a POP3 server; enter the IMAP server (port 993 or 143).")
        }
        _ => Failure::new(FailureCode::ProtoUnexpected, Stage::Greeting),
    }
}
