//! Servers of another protocol, recognised by their first line.

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Leg, Stage};

use crate::failure::Failure;

/// The failure for a first line that is no greeting in the protocol of this leg. The line is not quoted: a customer
/// must not learn from us which service listens on a port of a network that is not theirs.
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
