//! Messages handed to a submission server: how they look there, and what its answers mean.

use std::time::Duration;

use mail_client::{OutgoingMessage, ProbeSettings, Prober};
use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, Reply, ScriptedServer, Starttls, Submission};
use mail_lab::{Dovecot, DovecotOptions};
use shared_models::domain::diagnosis::{Class, Fault, Finding, Stage};
use shared_models::domain::mailboxes::Delivery;
use shared_models::domain::{EmailAddress, FailureCode, Security};

use crate::support::{PASSWORD, USER, endpoint, guard, hasty, probe, prober, prober_with, secret, server, settings};

const RECIPIENT: &str = "friend@elsewhere.example";

fn message() -> OutgoingMessage {
    OutgoingMessage {
        from: EmailAddress::parse(USER).unwrap(),
        display_name: "Dana".to_owned(),
        recipient: EmailAddress::parse(RECIPIENT).unwrap(),
        message_id: "<0b5c8c5e-3f6c-4c2e-9f5e-6c1f0f7b1a11@example.test>".to_owned(),
        subject: "Test message".to_owned(),
        text: "Hello.\n".to_owned(),
    }
}

async fn send(prober: &Prober, server: &ScriptedServer, message: &OutgoingMessage) -> Delivery {
    send_at(prober, server, Listener::SmtpImplicit, PASSWORD, message).await
}

async fn send_at(
    prober: &Prober,
    server: &ScriptedServer,
    listener: Listener,
    password: &str,
    message: &OutgoingMessage,
) -> Delivery {
    let endpoint = endpoint(server.addr(listener), Security::Required);
    prober.send(&endpoint, &secret(password), message).await
}

/// A server that answers the steps of a mail so.
fn scripted(submission: Submission) -> ScriptedServer {
    server(Behaviour { submission, ..Behaviour::default() })
}

#[track_caller]
fn not_sent(end: Delivery) -> Finding {
    let Delivery::NotSent(finding) = end else { panic!("{end:?}") };
    checked(*finding)
}

#[track_caller]
fn unknown(end: Delivery) -> Finding {
    let Delivery::Unknown(finding) = end else { panic!("{end:?}") };
    assert!(finding.remedy.starts_with("It is unknown whether the message was sent"), "{}", finding.remedy);
    checked(*finding)
}

/// Nothing is promised that is not done, and nobody but the user is named.
#[track_caller]
fn checked(finding: Finding) -> Finding {
    assert!(!finding.remedy.contains("we will") && !finding.remedy.contains('{'), "{}", finding.remedy);
    let reply = finding.server_reply.as_deref().unwrap_or_default();
    assert!(!reply.contains(RECIPIENT) && !reply.contains(PASSWORD), "{reply}");
    finding
}

/// The lines of the header, unfolded, and the body.
fn split(wire: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8(wire.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let lines = head.replace("\r\n ", " ");
    (lines.split("\r\n").map(str::to_owned).collect(), body.to_owned())
}

/// What RFC 5321 and RFC 5322 ask of every message, and every server takes.
fn assert_well_formed(wire: &[u8]) {
    assert!(wire.is_ascii());
    for line in wire.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\r\n").expect("every line ends with CRLF");
        assert!(!bare.contains(&b'\r') && !bare.contains(&0) && bare.len() <= 998, "{bare:?}");
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_meant() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    for (n, listener) in Listener::SMTP.into_iter().enumerate() {
        assert_eq!(send_at(&prober, &server, listener, PASSWORD, &message()).await, Delivery::Sent);
        assert_eq!(server.stats().messages_received, n as u64 + 1);
    }
    for arrived in server.messages() {
        assert_eq!((arrived.user.as_deref(), arrived.from.as_str()), (Some(USER), USER));
        assert_eq!(arrived.to, [RECIPIENT]);
        assert_well_formed(&arrived.wire);
        let (mut header, body) = split(&arrived.wire);
        header.retain(|line| !line.starts_with("Date: "));
        let expected = [
            "From: Dana <me@example.test>",
            "To: friend@elsewhere.example",
            "Subject: Test message",
            "Message-ID: <0b5c8c5e-3f6c-4c2e-9f5e-6c1f0f7b1a11@example.test>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 7bit",
        ];
        assert_eq!((header.as_slice(), body.as_str()), (&expected.map(str::to_owned)[..], "Hello.\r\n\r\n"));
        let date = split(&arrived.wire).0.into_iter().find_map(|line| Some(line.strip_prefix("Date: ")?.to_owned()));
        let date = date.unwrap();
        assert!(date.contains(" 20") && date.ends_with(" +0000"), "{date}");
    }
    assert_eq!(server.logins(Protocol::Smtp, USER).accepted, 2);
    assert_eq!(server.plaintext_passwords(), 0);
}

/// Dovecot, which passes on what it is given to a scripted server.
#[tokio::test]
async fn a_real_server_takes_it() {
    let dovecot = Dovecot::start(DovecotOptions::users(&[(USER, PASSWORD)])).unwrap();
    let prober = prober();
    let text = "Hello.\n.\n..hidden\n".to_owned();
    let message = OutgoingMessage { text, display_name: "Dána".to_owned(), ..message() };
    let send = async |listener| {
        prober.send(&endpoint(dovecot.addr(listener), Security::Required), &secret(PASSWORD), &message).await
    };
    for (n, listener) in Listener::SMTP.into_iter().enumerate() {
        assert_eq!(send(listener).await, Delivery::Sent, "{listener:?}");
        assert_eq!(dovecot.relay().stats().messages_accepted, n as u64 + 1);
        let arrived = dovecot.relay().messages().pop().unwrap();
        assert_eq!((arrived.from.as_str(), arrived.to.join(" ").as_str()), (USER, RECIPIENT));
        assert!(arrived.data.ends_with(b"\r\n\r\nHello.\r\n.\r\n..hidden\r\n\r\n"), "{:?}", arrived.data);
    }
    let no = Submission { rcpt: Some("550 5.1.1 User unknown".into()), ..Submission::default() };
    dovecot.relay().set(Listener::SMTP, Behaviour { submission: no, open_relay: true, ..Behaviour::default() });
    let finding = not_sent(send(Listener::SmtpImplicit).await);
    assert_eq!(finding.code, FailureCode::SendTestRecipientRefused, "{:?}", finding.server_reply);
    assert_eq!(dovecot.relay().stats().messages_received, 2);
}

#[tokio::test]
async fn dots_names_and_texts_of_all_kinds_survive() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    let dots = ".\n..\n.hidden\nend.\n.\n";
    assert_eq!(send(&prober, &server, &OutgoingMessage { text: dots.to_owned(), ..message() }).await, Delivery::Sent);
    let arrived = server.messages().pop().unwrap();
    assert!(arrived.data.ends_with(b"\r\n\r\n.\r\n..\r\n.hidden\r\nend.\r\n.\r\n\r\n"), "{:?}", arrived.data);
    assert!(arrived.wire.ends_with(b"\r\n\r\n..\r\n...\r\n..hidden\r\nend.\r\n..\r\n\r\n"), "{:?}", arrived.wire);

    let long = "x".repeat(5000);
    for (name, from) in [
        ("", "me@example.test"),
        ("Dana Smith", "\"Dana Smith\" <me@example.test>"),
        ("Dana \"D\" \\", "\"Dana \\\"D\\\" \\\\\" <me@example.test>"),
        // RFC 2047, as base64 of UTF-8.
        ("Dána", "=?utf-8?b?RMOhbmE=?= <me@example.test>"),
        ("Smith, D. <x@y.example>", "=?utf-8?b?U21pdGgsIEQuIDx4QHkuZXhhbXBsZT4=?= <me@example.test>"),
        ("D\r\nBcc: x@y.example", "=?utf-8?b?RCBCY2M6IHhAeS5leGFtcGxl?= <me@example.test>"),
    ] {
        let text = format!("Grüße, {name}\n.\n{long}\n");
        let message = OutgoingMessage { display_name: name.to_owned(), text, ..message() };
        assert_eq!(send(&prober, &server, &message).await, Delivery::Sent);
        let arrived = server.messages().pop().unwrap();
        assert_well_formed(&arrived.wire);
        let (header, _) = split(&arrived.wire);
        assert!(header.contains(&format!("From: {from}")), "{header:?}");
        assert!(!header.iter().any(|line| line.starts_with("Bcc")), "{header:?}");
        let encoding = header.iter().find_map(|line| line.strip_prefix("Content-Transfer-Encoding: "));
        assert!(matches!(encoding, Some("quoted-printable" | "base64")), "{encoding:?}");
    }
    let domain = ["d".repeat(60).as_str(); 3].join(".") + ".example";
    let id = format!("<0b5c8c5e-3f6c-4c2e-9f5e-6c1f0f7b1a11@{domain}>");
    let from = EmailAddress::parse(&format!("me@{domain}")).unwrap();
    let message = OutgoingMessage { from, message_id: id.clone(), ..message() };
    assert_eq!(send(&prober, &server, &message).await, Delivery::Sent);
    let (header, _) = split(&server.messages().pop().unwrap().wire);
    assert!(header.contains(&format!("Message-ID: {id}")), "{header:?}");
}

#[tokio::test]
async fn what_refusals_mean() {
    use FailureCode as Code;
    let steps: [fn(Reply) -> Submission; 4] = [
        |reply| Submission { mail: Some(reply), ..Submission::default() },
        |reply| Submission { rcpt: Some(reply), ..Submission::default() },
        |reply| Submission { data: Some(reply), ..Submission::default() },
        |reply| Submission { end: Some(reply), ..Submission::default() },
    ];
    let [mail, rcpt, data, end] = steps;
    let permanent = (Class::Permanent, Fault::User);
    let prober = prober();
    let server = server(Behaviour::default());
    for (step, reply, code, (class, fault), words) in [
        (
            mail,
            "553 5.7.1 <me@example.test>: Sender address rejected: not owned by user me@example.test",
            Code::SendFromNotOwned,
            permanent,
            "me@example.test may not send as me@example.test",
        ),
        (mail, "550 5.1.7 no such sender", Code::SendFromNotOwned, permanent, "refuses me@example.test as the sender"),
        (mail, "530 5.7.0 Authentication required", Code::SendRelayDenied, permanent, "stranger"),
        (
            mail,
            "451 4.3.0 Temporary lookup failure",
            Code::LimitServerBusy,
            (Class::Temporary, Fault::Server),
            "try again later",
        ),
        // Postfix looks at the sender only when the recipient has come.
        (
            rcpt,
            "553 5.7.1 <me@example.test>: Sender address rejected: not owned by user x",
            Code::SendFromNotOwned,
            permanent,
            "me@example.test may not send as me@example.test",
        ),
        (
            rcpt,
            "550 5.1.1 <friend@elsewhere.example>: Recipient address rejected: User unknown",
            Code::SendTestRecipientRefused,
            permanent,
            "check the address",
        ),
        (
            rcpt,
            "554 5.7.1 <friend@elsewhere.example>: Relay access denied",
            Code::SendRelayDenied,
            permanent,
            "stranger",
        ),
        (
            rcpt,
            "450 4.7.1 <friend@elsewhere.example>: Greylisted",
            Code::LimitGreylisted,
            (Class::Temporary, Fault::Server),
            "greylisting",
        ),
        (
            data,
            "550 5.4.5 Daily user sending limit exceeded.",
            Code::LimitSendQuota,
            (Class::Temporary, Fault::User),
            "quota",
        ),
        (
            data,
            "554 5.5.1 No valid recipients",
            Code::ProtoUnexpected,
            (Class::Permanent, Fault::Server),
            "refuses the message",
        ),
        (
            end,
            "550 5.4.5 Daily user sending quota exceeded.",
            Code::LimitSendQuota,
            (Class::Temporary, Fault::User),
            "quota",
        ),
        (
            end,
            "554 5.2.252 SendAsDenied; me@example.test not allowed to send as x@example.test",
            Code::SendFromNotOwned,
            permanent,
            "me@example.test may not send as me@example.test",
        ),
        (
            end,
            "550 5.1.8 Access denied, bad outbound sender",
            Code::SendAccountBlocked,
            (Class::Permanent, Fault::Admin),
            "suspended",
        ),
        (
            end,
            "554 5.7.1 Message rejected as spam",
            Code::ProtoUnexpected,
            (Class::Permanent, Fault::Server),
            "refuses the message",
        ),
        (
            end,
            "452 4.3.1 Insufficient system storage",
            Code::LimitServerBusy,
            (Class::Temporary, Fault::Server),
            "try again later",
        ),
    ] {
        server.set(Listener::SMTP, Behaviour { submission: step(reply.into()), ..Behaviour::default() });
        let finding = not_sent(send(&prober, &server, &message()).await);
        assert_eq!((finding.code, finding.class, finding.fault), (code, class, fault), "{reply}");
        assert_eq!(finding.stage, Stage::Envelope, "{reply}");
        assert!(finding.remedy.contains(words), "{reply}: {}", finding.remedy);
        assert!(finding.server_reply.is_some_and(|said| said.starts_with(&reply[..3])), "{reply}");
    }
    assert_eq!(server.stats().messages_accepted, 0);
}

#[tokio::test]
async fn answers_that_are_none_send_nothing() {
    let prober = prober_with(hasty(), None);
    for (submission, code) in [
        (Submission { mail: Some("354 go on".into()), ..Submission::default() }, FailureCode::ProtoUnexpected),
        (Submission { rcpt: Some(Reply::Drop), ..Submission::default() }, FailureCode::NetReset),
        (Submission { data: Some("250 2.0.0 fine".into()), ..Submission::default() }, FailureCode::ProtoUnexpected),
        (Submission { data: Some(Reply::Silent), ..Submission::default() }, FailureCode::SysDeadline),
        // Somebody in between answers for the server before it was asked.
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
async fn without_an_answer_to_the_dot_nobody_knows() {
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

#[tokio::test]
async fn a_farewell_that_nobody_hears_changes_nothing() {
    let last_words = Reply::Bytes(b"250 2.0.0 queued\r\n421 4.3.2 shutting down\r\n".to_vec());
    let server = scripted(Submission { end: Some(last_words), ..Submission::default() });
    assert_eq!(send(&prober(), &server, &message()).await, Delivery::Sent);
}

#[tokio::test]
async fn a_refused_password_is_tried_once_and_nothing_is_sent() {
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
async fn who_waits_is_not_kept_in_line_for_long() {
    let limits = ProbeSettings { leg_timeout: Duration::from_millis(700), per_host_concurrency: 1, ..hasty() };
    let prober = prober_with(limits, None);
    let server = server(Behaviour { auth: Auth::Scripted(Reply::Silent), ..Behaviour::default() });
    let message = message();
    // Two logins before it take a whole deadline each, which is one more than it waits.
    let slow = || probe(&prober, &server, Listener::SmtpImplicit, PASSWORD);
    let (_, _, end) = tokio::join!(biased; slow(), slow(), send(&prober, &server, &message));
    let finding = not_sent(end);
    assert_eq!((finding.code, finding.stage), (FailureCode::SysDeadline, Stage::System));
    assert!(finding.remedy.starts_with("We are busy"), "{}", finding.remedy);
    assert_eq!(server.logins(Protocol::Smtp, USER).attempts, 2);
}
