//! The rules that turn login reports into the status of a mailbox. Pure; no I/O.

use crate::domain::diagnosis::{Category, Class, FailureCode, Fault, Finding, LoginReport, Stage};
use crate::domain::mailboxes::mailbox::{MailboxStatus, RefusalPolicy};

/// The consequence of a login report for the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both logins count as passed. The note is shown as the last error.
    Accept {
        /// A fault that is not held against the mailbox (a guessed IMAP server that failed).
        note: Option<Finding>,
    },
    /// A fault that stays until somebody changes something.
    Refuse(Finding),
    /// A temporary fault; the verification is attempted again.
    Defer(Finding),
}

/// Decides on a report. A permanent fault of either leg refuses at once; otherwise a temporary one defers.
pub fn judge(report: &LoginReport) -> Verdict {
    let imap = report.imap.as_ref().and_then(|leg| leg.failure.as_ref());
    let (imap_fatal, imap_note) = if report.imap_guessed { (None, imap) } else { (imap, None) };
    let fatal = || report.smtp.failure.iter().chain(imap_fatal);
    let first = |class: Class| fatal().filter(|f| f.class == class).min_by_key(|f| (rank(f), f.leg)).cloned();
    match (first(Class::Permanent), first(Class::Temporary)) {
        (Some(finding), _) => Verdict::Refuse(finding),
        (None, Some(finding)) => Verdict::Defer(finding),
        (None, None) => Verdict::Accept { note: imap_note.cloned() },
    }
}

/// The finding of a mailbox that met a temporary fault in every attempt. The last fault stays visible through the
/// server's reply, the stage and the text.
pub fn exhausted(cause: Finding) -> Finding {
    Finding {
        code: FailureCode::SysAttemptsExhausted,
        cause: Some(cause.code),
        class: Class::Permanent,
        fault: Fault::Us,
        remedy: format!(
            "We tried several times and {} still could not be checked ({}). Check the server and add the mailbox again.",
            cause.observed.host, cause.remedy
        ),
        ..cause
    }
}

/// The effect of a refused verification on a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalEffect {
    /// The mailbox is deleted and its slot on the plan returned.
    Delete,
    /// The mailbox stays, with status [`MailboxStatus::Failed`].
    Fail,
}

/// Decides whether a refused mailbox stays. A dialect chooses the policy when it creates the mailbox; a mailbox that
/// was accepted without a verification is never deleted by a later one.
pub fn effect_of_refusal(policy: RefusalPolicy, status: MailboxStatus) -> RefusalEffect {
    match (policy, status) {
        (RefusalPolicy::Delete, MailboxStatus::Unverified) => RefusalEffect::Delete,
        _ => RefusalEffect::Fail,
    }
}

/// The finding with the lower rank decides when both legs failed.
fn rank(finding: &Finding) -> u8 {
    match finding.code.category() {
        _ if finding.code == FailureCode::NetTargetForbidden => 0,
        Category::SignIn | Category::Policy | Category::Oauth => 1,
        Category::Config | Category::Tls => 2,
        Category::Protocol => 3,
        Category::Sending | Category::Folders => 4,
        Category::Network => 5,
        Category::Limit => 6,
        Category::System => 7,
    }
}

/// True if the server refused the credentials themselves. They must not be offered to that server again.
pub fn is_credential_refusal(finding: &Finding) -> bool {
    finding.class == Class::Permanent && finding.stage == Stage::Auth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::{Leg, LegReport, Observed};

    fn observed() -> Observed {
        Observed { host: "mail.example".into(), port: 587, ip: None, tls: None }
    }

    fn leg(leg: Leg, failure: Option<(FailureCode, Class)>) -> LegReport {
        let failure = failure.map(|(code, class)| Finding {
            code,
            cause: None,
            leg,
            stage: Stage::Auth,
            class,
            fault: Fault::User,
            retry_after: None,
            remedy: String::new(),
            server_reply: None,
            observed: observed(),
        });
        LegReport { observed: observed(), millis: 1, failure, warnings: vec![] }
    }

    fn verdict(
        smtp: Option<(FailureCode, Class)>,
        imap: Option<(FailureCode, Class)>,
        imap_guessed: bool,
    ) -> (&'static str, Option<(Leg, FailureCode)>) {
        let report = LoginReport { smtp: leg(Leg::Smtp, smtp), imap: Some(leg(Leg::Imap, imap)), imap_guessed };
        let brief = |f: Finding| (f.leg, f.code);
        match judge(&report) {
            Verdict::Accept { note } => ("accept", note.map(brief)),
            Verdict::Refuse(f) => ("refuse", Some(brief(f))),
            Verdict::Defer(f) => ("defer", Some(brief(f))),
        }
    }

    #[test]
    fn only_a_first_verification_deletes() {
        use MailboxStatus::{Active, Failed, Pending, Unverified};
        assert_eq!(effect_of_refusal(RefusalPolicy::Delete, Unverified), RefusalEffect::Delete);
        for status in [Pending, Active, Failed] {
            assert_eq!(effect_of_refusal(RefusalPolicy::Delete, status), RefusalEffect::Fail);
        }
        for status in [Unverified, Pending, Active, Failed] {
            assert_eq!(effect_of_refusal(RefusalPolicy::Keep, status), RefusalEffect::Fail);
        }
    }

    #[test]
    fn the_transition_table() {
        use Class::{Permanent as P, Temporary as T};
        use FailureCode::*;
        assert_eq!(verdict(None, None, false), ("accept", None));
        assert_eq!(
            verdict(Some((AuthBadCredentials, P)), None, false),
            ("refuse", Some((Leg::Smtp, AuthBadCredentials)))
        );
        assert_eq!(
            verdict(None, Some((AuthBadCredentials, P)), false),
            ("refuse", Some((Leg::Imap, AuthBadCredentials)))
        );
        assert_eq!(
            verdict(None, Some((AuthBadCredentials, P)), true),
            ("accept", Some((Leg::Imap, AuthBadCredentials)))
        );
        assert_eq!(verdict(Some((LimitServerBusy, T)), None, false), ("defer", Some((Leg::Smtp, LimitServerBusy))));
        // Permanent beats temporary, whatever the leg.
        assert_eq!(
            verdict(Some((LimitServerBusy, T)), Some((AuthBadCredentials, P)), false),
            ("refuse", Some((Leg::Imap, AuthBadCredentials)))
        );
        // Two permanent faults: sign-in before network, SMTP before IMAP.
        assert_eq!(
            verdict(Some((NetHostNotFound, P)), Some((AuthBadCredentials, P)), false),
            ("refuse", Some((Leg::Imap, AuthBadCredentials)))
        );
        assert_eq!(
            verdict(Some((AuthBadCredentials, P)), Some((AuthBadCredentials, P)), false),
            ("refuse", Some((Leg::Smtp, AuthBadCredentials)))
        );
        assert_eq!(
            verdict(Some((AuthBadCredentials, P)), Some((NetTargetForbidden, P)), false),
            ("refuse", Some((Leg::Imap, NetTargetForbidden)))
        );
    }
}
