//! Servers that never end: each check must end by its deadline, with the right code and little memory.

use std::time::Duration;

use futures_util::future::join_all;
use mail_lab::scripted::{AfterAuth, Auth, Behaviour, Capability, Greeting, Listener, Protocol, Reply};
use shared_models::domain::diagnosis::{Class, Stage};
use shared_models::domain::{FailureCode, Security};

use crate::support::{PASSWORD, endpoint, failed, failed_at, hasty, probe, probe_at, prober, prober_with, server};

/// Milliseconds that two busy cores may add.
const SLACK: u64 = 2500;

fn never_ending() -> [(Reply, bool); 4] {
    [
        (Reply::Silent, false),
        (Reply::Drip(Duration::from_millis(50)), false),
        (Reply::EndlessLines, true),
        (Reply::HugeLine(100_000_000), true),
    ]
}

#[tokio::test]
async fn every_stage_ends_by_its_deadline() {
    // A flood ends the check at once, so it gets a long deadline: a busy machine may reach it late.
    let (patient, prober) = (&prober(), &prober_with(hasty(), None));
    let limit = hasty().leg_timeout.as_millis() as u64 + SLACK;
    let mut checks = Vec::new();
    for (reply, is_flood) in never_ending() {
        for (stage, behaviour) in [
            (Stage::Greeting, Behaviour { greeting: Greeting::Scripted(reply.clone()), ..Behaviour::default() }),
            (Stage::Capability, Behaviour { capability: Capability::Scripted(reply.clone()), ..Behaviour::default() }),
            (Stage::Auth, Behaviour { auth: Auth::Scripted(reply.clone()), ..Behaviour::default() }),
        ] {
            let (code, class) = match (is_flood, stage) {
                (true, _) => (FailureCode::ProtoFlood, Class::Permanent),
                (false, Stage::Greeting) => (FailureCode::ProtoGreetingTimeout, Class::Temporary),
                (false, _) => (FailureCode::SysDeadline, Class::Temporary),
            };
            for listener in Listener::ALL {
                let behaviour = behaviour.clone();
                // The first of endless IMAP lines is a valid greeting; the flood is noticed in the next stage.
                let stage = match (&reply, listener.protocol(), stage) {
                    (Reply::EndlessLines, Protocol::Imap, Stage::Greeting) => Stage::Capability,
                    _ => stage,
                };
                checks.push(async move {
                    let server = server(behaviour);
                    // On a STARTTLS port TLS is optional here, so that the first connection reads the greeting.
                    let endpoint = match listener.is_implicit_tls() {
                        true => endpoint(server.addr(listener), Security::Required),
                        false => endpoint(server.addr(listener), Security::Opportunistic),
                    };
                    let prober = if is_flood { patient } else { prober };
                    let report = probe_at(prober, &endpoint, listener, PASSWORD).await;
                    failed_at(&report, code, stage, class);
                    assert!(is_flood || report.millis < limit, "{report:?}");
                    assert_eq!(server.plaintext_passwords(), 0);
                });
            }
        }
    }
    join_all(checks).await;
}

/// An accepted login is 235 in all lines of a reply that comes after the command.
#[tokio::test]
async fn nothing_else_is_taken_for_an_accepted_login() {
    let prober = prober();
    let early = "250-mail.example.test\n250 AUTH PLAIN LOGIN\n235 2.7.0 welcome";
    for behaviour in [
        Behaviour { auth: Auth::Scripted("535-5.7.8 no\n235 2.7.0 yes".into()), ..Behaviour::default() },
        Behaviour { auth: Auth::Scripted("250 2.0.0 Ok".into()), ..Behaviour::default() },
        Behaviour {
            capability: Capability::Scripted(early.into()),
            auth: Auth::Scripted("535 5.7.8 no".into()),
            ..Behaviour::default()
        },
    ] {
        let server = server(behaviour);
        let report = probe(&prober, &server, Listener::SmtpImplicit, PASSWORD).await;
        failed(&report, FailureCode::ProtoUnexpected);
    }
}

#[tokio::test]
async fn silence_after_sign_in() {
    let prober = prober_with(hasty(), None);
    let server = server(Behaviour { after_auth: AfterAuth::Silent, ..Behaviour::default() });
    let report = probe(&prober, &server, Listener::SmtpImplicit, PASSWORD).await;
    assert!(report.passed() && report.millis < 2000, "waited for the answer to QUIT: {report:?}");
    let report = probe(&prober, &server, Listener::ImapImplicit, PASSWORD).await;
    assert!(report.passed() && report.millis < 4000, "the login was accepted: {report:?}");
}

#[tokio::test]
async fn connections_that_break_off() {
    let prober = prober();
    for (stage, behaviour) in [
        (Stage::Greeting, Behaviour { greeting: Greeting::Scripted(Reply::Drop), ..Behaviour::default() }),
        (Stage::Capability, Behaviour { capability: Capability::Scripted(Reply::Drop), ..Behaviour::default() }),
        (Stage::Auth, Behaviour { auth: Auth::Scripted(Reply::Drop), ..Behaviour::default() }),
    ] {
        let server = server(behaviour);
        for listener in [Listener::SmtpImplicit, Listener::ImapImplicit] {
            let report = probe(&prober, &server, listener, PASSWORD).await;
            failed_at(&report, FailureCode::NetReset, stage, Class::Temporary);
        }
    }
}

#[tokio::test]
async fn garbage_causes_no_panic() {
    let prober = &prober_with(hasty(), None);
    let garbage: [&[u8]; 9] = [
        b"\r\n",
        b"\0\0\0\r\n",
        b"\xff\xfe\xfd 220\r\n",
        b"22\r\n",
        b"220",
        b"2\xc3\xa90 x\r\n",
        b"* \r\n",
        b"* OK [CAPABILITY\r\n* OK [\r\n",
        b"+\r\n+\r\n",
    ];
    let mut checks = Vec::new();
    for bytes in garbage {
        let reply = || Reply::Bytes(bytes.into());
        for behaviour in [
            Behaviour { greeting: Greeting::Scripted(reply()), ..Behaviour::default() },
            Behaviour { capability: Capability::Scripted(reply()), ..Behaviour::default() },
            Behaviour { auth: Auth::Scripted(reply()), ..Behaviour::default() },
        ] {
            for listener in [Listener::SmtpImplicit, Listener::ImapImplicit] {
                let behaviour = behaviour.clone();
                checks.push(async move {
                    let server = server(behaviour);
                    let report = probe(prober, &server, listener, PASSWORD).await;
                    if let Some(failure) = &report.failure {
                        failed(&report, failure.code);
                    }
                    assert!(report.millis < 2500 + SLACK, "{report:?}");
                });
            }
        }
    }
    join_all(checks).await;
}
