//! Sending obeys the rules of every login: addresses, encryption, refused passwords, limits.

use std::time::Duration;

use mail_client::{ProbeSettings, Prober};
use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, Reply, Starttls, Submission};
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::Stage;
use shared_models::domain::mailboxes::Delivery;

use super::{message, not_sent, scripted, send, send_at};
use crate::support::{PASSWORD, USER, guard, hasty, probe, prober, prober_with, server, settings};

#[tokio::test]
async fn a_connection_that_ends_before_the_farewell_changes_nothing() {
    let last_words = Reply::Bytes(b"250 2.0.0 queued\r\n421 4.3.2 shutting down\r\n".to_vec());
    let server = scripted(Submission { end: Some(last_words), ..Submission::default() });
    assert_eq!(send(&prober(), &server, &message()).await, Delivery::Sent);
}

#[tokio::test]
async fn a_refused_password_is_sent_once_and_no_message() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    for (n, listener) in Listener::SMTP.into_iter().enumerate() {
        let finding = not_sent(send_at(&prober, &server, listener, "wr0ng-password", &message()).await);
        assert_eq!((finding.code, finding.stage), (FailureCode::AuthBadCredentials, Stage::Auth));
        let logins = server.logins(Protocol::Smtp, USER);
        assert_eq!((logins.attempts, logins.refused), (n as u64 + 1, n as u64 + 1));
    }
    server.set(Listener::SMTP, Behaviour { auth: Auth::Scripted(Reply::Drop), ..Behaviour::default() });
    let finding = not_sent(send(&prober, &server, &message()).await);
    assert_eq!((finding.code, server.logins(Protocol::Smtp, USER).attempts), (FailureCode::NetReset, 3));
    assert_eq!(server.stats().messages_received, 0);
}

#[tokio::test]
async fn the_rules_of_every_login_hold() {
    let server = server(Behaviour { starttls: Starttls::NotOffered, ..Behaviour::default() });
    let clear = send_at(&prober(), &server, Listener::SmtpStarttls, PASSWORD, &message()).await;
    assert_eq!(not_sent(clear).code, FailureCode::TlsNotOffered);
    assert_eq!((server.plaintext_passwords(), server.total_logins(Protocol::Smtp).attempts), (0, 0));

    let strict = Prober::new(settings(), guard(&[], None), None).unwrap();
    let finding = not_sent(send(&strict, &server, &message()).await);
    assert_eq!(finding.code, FailureCode::NetTargetForbidden);
    assert_eq!(server.listener(Listener::SmtpImplicit).connections, 0);
}

#[tokio::test]
async fn a_message_does_not_wait_long_for_a_slot() {
    let limits = ProbeSettings { leg_timeout: Duration::from_millis(700), per_host_concurrency: 1, ..hasty() };
    let prober = prober_with(limits, None);
    let server = server(Behaviour { auth: Auth::Scripted(Reply::Silent), ..Behaviour::default() });
    let message = message();
    // Two logins before it take a whole deadline each; it waits for one only.
    let slow = || probe(&prober, &server, Listener::SmtpImplicit, PASSWORD);
    let (_, _, end) = tokio::join!(biased; slow(), slow(), send(&prober, &server, &message));
    let finding = not_sent(end);
    assert_eq!((finding.code, finding.stage), (FailureCode::SysDeadline, Stage::System));
    assert!(finding.remedy.starts_with("We are busy"), "{}", finding.remedy);
    assert_eq!(server.logins(Protocol::Smtp, USER).attempts, 2);
}
