//! Messages as they arrive at a server.

use mail_client::OutgoingMessage;
use mail_lab::scripted::{Behaviour, Listener, Protocol, Submission};
use mail_lab::{Dovecot, DovecotOptions};
use shared_models::domain::mailboxes::Delivery;
use shared_models::domain::{EmailAddress, FailureCode, Security};

use super::{RECIPIENT, message, not_sent, send, send_at};
use crate::support::{PASSWORD, USER, endpoint, prober, secret, server};

/// The lines of the header, unfolded, and the body.
fn split(wire: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8(wire.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let lines = head.replace("\r\n ", " ");
    (lines.split("\r\n").map(str::to_owned).collect(), body.to_owned())
}

/// Only CRLF ends a line, and a line has at most 998 octets (RFC 5322 section 2.1.1).
fn assert_well_formed(wire: &[u8]) {
    assert!(wire.is_ascii());
    for line in wire.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\r\n").expect("every line ends with CRLF");
        assert!(!bare.contains(&b'\r') && !bare.contains(&0) && bare.len() <= 998, "{bare:?}");
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_written() {
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

/// Dovecot, which relays to a scripted server.
#[tokio::test]
async fn a_real_server_accepts_it() {
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
async fn dots_names_and_texts_of_all_kinds_arrive() {
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
        // Encoded words (RFC 2047): base64 of UTF-8.
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
