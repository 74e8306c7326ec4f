//! The failures that refusals of a message mean, and the outcome when the server answers wrongly or not at all.

use mail_lab::scripted::{Behaviour, Listener, Protocol, Reply, Submission};
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Class, Fault, Stage};

use super::{message, not_sent, scripted, send, unknown};
use crate::support::{USER, hasty, prober, prober_with, server};

/// The command of a submission that is refused.
#[derive(Clone, Copy)]
enum Step {
    Mail,
    Rcpt,
    Data,
    End,
}

impl Step {
    fn answered(self, reply: Reply) -> Submission {
        let (mut submission, reply) = (Submission::default(), Some(reply));
        match self {
            Self::Mail => submission.mail = reply,
            Self::Rcpt => submission.rcpt = reply,
            Self::Data => submission.data = reply,
            Self::End => submission.end = reply,
        }
        submission
    }
}

/// Step, reply, and the failure: code, class, fault and a part of the remedy.
type Row = (Step, &'static str, FailureCode, Class, Fault, &'static str);

#[rustfmt::skip]
fn refusals() -> Vec<Row> {
    use FailureCode as Code;
    use Step::*;
    vec![
        (Mail, "553 5.7.1 <me@example.test>: Sender address rejected: not owned by user me@example.test", Code::SendFromNotOwned, Class::Permanent, Fault::User, "me@example.test may not send as me@example.test"),
        (Mail, "550 5.1.7 no such sender", Code::SendFromNotOwned, Class::Permanent, Fault::User, "refuses me@example.test as the sender"),
        (Mail, "530 5.7.0 Authentication required", Code::SendRelayDenied, Class::Permanent, Fault::User, "stranger"),
        (Mail, "451 4.3.0 Temporary lookup failure", Code::LimitServerBusy, Class::Temporary, Fault::Server, "try again later"),
        // Postfix checks the sender only at RCPT.
        (Rcpt, "553 5.7.1 <me@example.test>: Sender address rejected: not owned by user x", Code::SendFromNotOwned, Class::Permanent, Fault::User, "me@example.test may not send as me@example.test"),
        (Rcpt, "550 5.1.1 <friend@elsewhere.example>: Recipient address rejected: User unknown", Code::SendTestRecipientRefused, Class::Permanent, Fault::User, "check the address"),
        (Rcpt, "554 5.7.1 <friend@elsewhere.example>: Relay access denied", Code::SendRelayDenied, Class::Permanent, Fault::User, "stranger"),
        (Rcpt, "450 4.7.1 <friend@elsewhere.example>: Greylisted", Code::LimitGreylisted, Class::Temporary, Fault::Server, "greylisting"),
        (Data, "550 5.4.5 Daily user sending limit exceeded.", Code::LimitSendQuota, Class::Temporary, Fault::User, "quota"),
        (Data, "554 5.5.1 No valid recipients", Code::ProtoUnexpected, Class::Permanent, Fault::Server, "refuses the message"),
        (End, "550 5.4.5 Daily user sending quota exceeded.", Code::LimitSendQuota, Class::Temporary, Fault::User, "quota"),
        (End, "554 5.2.252 SendAsDenied; me@example.test not allowed to send as x@example.test", Code::SendFromNotOwned, Class::Permanent, Fault::User, "me@example.test may not send as me@example.test"),
        (End, "550 5.1.8 Access denied, bad outbound sender", Code::SendAccountBlocked, Class::Permanent, Fault::Admin, "suspended"),
        (End, "554 5.7.1 Message rejected as spam", Code::ProtoUnexpected, Class::Permanent, Fault::Server, "refuses the message"),
        (End, "452 4.3.1 Insufficient system storage", Code::LimitServerBusy, Class::Temporary, Fault::Server, "try again later"),
    ]
}

#[tokio::test]
async fn refusals_name_the_step_that_failed() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    for (step, reply, code, class, fault, words) in refusals() {
        let submission = step.answered(reply.into());
        server.set(Listener::SMTP, Behaviour { submission, ..Behaviour::default() });
        let finding = not_sent(send(&prober, &server, &message()).await);
        assert_eq!((finding.code, finding.class, finding.fault), (code, class, fault), "{reply}");
        assert_eq!(finding.stage, Stage::Envelope, "{reply}");
        assert!(finding.remedy.contains(words), "{reply}: {}", finding.remedy);
        assert!(finding.server_reply.is_some_and(|said| said.starts_with(&reply[..3])), "{reply}");
    }
    assert_eq!(server.stats().messages_accepted, 0);
}

#[tokio::test]
async fn unexpected_answers_send_nothing() {
    let prober = prober_with(hasty(), None);
    for (submission, code) in [
        (Submission { mail: Some("354 go on".into()), ..Submission::default() }, FailureCode::ProtoUnexpected),
        (Submission { rcpt: Some(Reply::Drop), ..Submission::default() }, FailureCode::NetReset),
        (Submission { data: Some("250 2.0.0 fine".into()), ..Submission::default() }, FailureCode::ProtoUnexpected),
        (Submission { data: Some(Reply::Silent), ..Submission::default() }, FailureCode::SysDeadline),
        // An attacker in between answers before the content is sent.
        (
            Submission {
                data: Some(Reply::Bytes(b"354 go on\r\n250 2.0.0 queued\r\n".to_vec())),
                ..Submission::default()
            },
            FailureCode::ProtoUnexpected,
        ),
    ] {
        let server = scripted(submission.clone());
        let finding = not_sent(send(&prober, &server, &message()).await);
        assert_eq!((finding.code, finding.stage), (code, Stage::Envelope), "{submission:?}");
        server.wait_until(|stats| stats.open() == 0).await;
        assert_eq!(server.stats().messages_received, 0, "{submission:?}");
    }
}

#[tokio::test]
async fn without_an_answer_to_the_dot_the_outcome_is_unknown() {
    let prober = prober_with(hasty(), None);
    for (end, code) in [
        (Reply::Drop, FailureCode::NetReset),
        (Reply::Silent, FailureCode::SysDeadline),
        (Reply::Bytes(b"Thank you!\r\n".to_vec()), FailureCode::ProtoUnexpected),
        ("354 and now?".into(), FailureCode::ProtoUnexpected),
        (Reply::HugeLine(100_000), FailureCode::ProtoFlood),
    ] {
        let server = scripted(Submission { end: Some(end.clone()), ..Submission::default() });
        let finding = unknown(send(&prober, &server, &message()).await);
        assert_eq!((finding.code, finding.stage), (code, Stage::Envelope), "{end:?}");
        let (stats, logins) = (server.stats(), server.logins(Protocol::Smtp, USER));
        assert_eq!((stats.messages_received, stats.connections(), logins.attempts), (1, 1, 1), "{end:?}: once");
    }
}
