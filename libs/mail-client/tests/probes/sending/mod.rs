//! Messages handed to a submission server.

mod content;
mod logins;
mod refusals;

use mail_client::{OutgoingMessage, Prober};
use mail_lab::scripted::{Behaviour, Listener, ScriptedServer, Submission};
use shared_models::domain::diagnosis::Finding;
use shared_models::domain::mailboxes::Delivery;
use shared_models::domain::{EmailAddress, Security};

use crate::support::{PASSWORD, USER, endpoint, secret, server};

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

/// A server that answers the steps of a submission this way.
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

/// The finding, after a check that it promises no other attempt and names neither recipient nor password.
#[track_caller]
fn checked(finding: Finding) -> Finding {
    assert!(!finding.remedy.contains("we will") && !finding.remedy.contains('{'), "{}", finding.remedy);
    let reply = finding.server_reply.as_deref().unwrap_or_default();
    assert!(!reply.contains(RECIPIENT) && !reply.contains(PASSWORD), "{reply}");
    finding
}
