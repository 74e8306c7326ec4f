//! Texts for people about a failed login: what to do, and what the server said.

use shared_models::domain::Finding;
use shared_models::domain::diagnosis::Leg;
use shared_models::domain::imports::NoRoom;

/// Of an account that was not taken.
pub(in crate::coldsend) fn refused_login(finding: &Finding) -> String {
    let protocol = match finding.leg {
        Leg::Smtp => "SMTP",
        Leg::Imap => "IMAP",
    };
    format!("{protocol} connection failed: {}", reason(finding))
}

/// Of a test message that the server did not take, or of which nobody knows what became.
pub(in crate::coldsend) fn refused_message(finding: &Finding) -> String {
    format!("Test email failed: {}", reason(finding))
}

/// Neither part of it ever holds a password.
fn reason(finding: &Finding) -> String {
    match &finding.server_reply {
        Some(reply) => format!("{} The server said: {reply}", finding.remedy),
        None => finding.remedy.clone(),
    }
}

/// The words for an account of a list that the plan has no place for.
pub(super) fn no_room(reason: NoRoom) -> &'static str {
    match reason {
        NoRoom::PlanFull => "Inbox limit reached for your plan",
        NoRoom::NoSubscription => "Active subscription required",
        NoRoom::WorkspaceClosed => "The workspace was closed",
    }
}
