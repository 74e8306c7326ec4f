//! Hosts that cannot be found, reached or allowed, and servers of the wrong kind.

use std::net::Ipv4Addr;

use mail_client::{Prober, Urgency};
use mail_lab::scripted::{Behaviour, Greeting, Listener};
use shared_models::domain::diagnosis::{Class, Stage};
use shared_models::domain::{FailureCode, Security, ServerEndpoint};

use crate::support::{
    Answer, PASSWORD, dns, endpoint, failed, failed_at, guard, hasty, probe, probe_at, prober, prober_with, secret,
    server, settings,
};

fn named(host: &str, port: u16) -> ServerEndpoint {
    ServerEndpoint::parse(host, port, Security::Required).unwrap()
}

#[tokio::test]
async fn names_without_address() {
    let names = [
        ("none.example.test", Answer::A(vec![])),
        ("broken.example.test", Answer::Code(2)),
        ("inside.example.test", Answer::A(vec![Ipv4Addr::new(10, 1, 2, 3)])),
        ("mixed.example.test", Answer::A(vec![Ipv4Addr::LOCALHOST, Ipv4Addr::new(169, 254, 169, 254)])),
    ];
    let prober = prober_with(settings(), Some(dns(&names)));
    use FailureCode as Code;
    for (host, code, stage, class) in [
        ("missing.example.test", Code::NetHostNotFound, Stage::Resolve, Class::Permanent),
        ("smtp.gmial.com", Code::NetHostNotFound, Stage::Resolve, Class::Permanent),
        ("none.example.test", Code::NetNoAddress, Stage::Resolve, Class::Permanent),
        ("broken.example.test", Code::NetDnsTemporary, Stage::Resolve, Class::Temporary),
        ("inside.example.test", Code::NetTargetForbidden, Stage::Egress, Class::Permanent),
        ("mixed.example.test", Code::NetTargetForbidden, Stage::Egress, Class::Permanent),
        ("::1", Code::NetTargetForbidden, Stage::Egress, Class::Permanent),
    ] {
        let report = prober.smtp(&named(host, 587), &secret(PASSWORD), Urgency::Single).await;
        failed_at(&report, code, stage, class);
        assert_eq!((report.observed.ip, &*report.observed.host), (None, host));
        if host == "smtp.gmial.com" {
            let remedy = &failed(&report, code).remedy;
            assert!(remedy.contains("Did you mean smtp.gmail.com?"), "{remedy}");
        }
    }
}

#[tokio::test]
async fn our_own_machine_is_forbidden_unless_allowed() {
    let server = server(Behaviour::default());
    let prober = Prober::new(settings(), guard(&[], None), None).unwrap();
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1"] {
        let endpoint = named(host, server.port(Listener::SmtpImplicit));
        let report = prober.smtp(&endpoint, &secret(PASSWORD), Urgency::Single).await;
        let finding = failed(&report, FailureCode::NetTargetForbidden);
        assert_eq!(finding.remedy, "This server address is not allowed.");
    }
    assert_eq!(server.stats().connections(), 0);
}

#[tokio::test]
async fn ports_where_nobody_answers() {
    let prober = prober_with(hasty(), None);
    let refused = mail_lab::refused_port().unwrap();
    let swallowed = mail_lab::blackhole_port().unwrap();
    for listener in [Listener::SmtpImplicit, Listener::ImapImplicit] {
        let at_refused = endpoint(refused.addr(), Security::Required);
        let report = probe_at(&prober, &at_refused, listener, PASSWORD).await;
        failed_at(&report, FailureCode::NetConnectRefused, Stage::Connect, Class::Permanent);
        let at_swallowed = endpoint(swallowed.addr(), Security::Required);
        let report = probe_at(&prober, &at_swallowed, listener, PASSWORD).await;
        failed_at(&report, FailureCode::NetConnectTimeout, Stage::Connect, Class::Temporary);
        assert!(report.millis < 3500, "{report:?}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_without_dialling() {
    let prober = prober();
    let report = prober.smtp(&named("aspmx.l.google.com", 587), &secret(PASSWORD), Urgency::Single).await;
    let finding = failed(&report, FailureCode::CfgMxHostUsed);
    assert!(finding.remedy.contains("For Google use smtp.gmail.com."), "{}", finding.remedy);
    let report = prober.smtp(&named("mail.example.com", 995), &secret(PASSWORD), Urgency::Single).await;
    failed_at(&report, FailureCode::CfgPortNotSubmission, Stage::Config, Class::Permanent);
}

#[tokio::test]
async fn port_25_is_the_reason_when_nothing_answers_there() {
    let prober = prober_with(hasty(), None);
    let host = mail_lab::free_loopback().to_string();
    let report = prober.smtp(&named(&host, 25), &secret(PASSWORD), Urgency::Single).await;
    failed(&report, FailureCode::CfgPortNotSubmission);
    let report = prober.imap(&named(&host, 25), &secret(PASSWORD), Urgency::Single).await;
    failed(&report, FailureCode::NetConnectRefused);
}

#[tokio::test]
async fn servers_of_the_wrong_kind() {
    let prober = prober();
    for (greeting, code) in [
        (Greeting::OtherProtocol, FailureCode::CfgProtocolSwapped),
        (Greeting::Scripted("+OK POP3 ready".into()), FailureCode::CfgProtocolSwapped),
        (Greeting::Http, FailureCode::ProtoUnexpected),
        (Greeting::Scripted("SSH-2.0-OpenSSH_9.2p1".into()), FailureCode::ProtoUnexpected),
    ] {
        let server = server(Behaviour { greeting, ..Behaviour::default() });
        for listener in Listener::ALL {
            let report = probe(&prober, &server, listener, PASSWORD).await;
            let finding = failed(&report, code);
            // The reply would reveal which service listens there.
            assert_eq!(finding.server_reply, None);
        }
        assert_eq!(server.plaintext_passwords(), 0);
    }
}

#[tokio::test]
async fn greetings_that_refuse() {
    let prober = prober();
    use FailureCode as Code;
    for (listener, text, code, class) in [
        (Listener::SmtpImplicit, "421 4.3.2 Service not available", Code::ProtoGreetingRefused, Class::Temporary),
        (Listener::SmtpStarttls, "554 No SMTP service here", Code::ProtoGreetingRefused, Class::Permanent),
        (
            Listener::SmtpStarttls,
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
            Code::NetWeAreBlocked,
            Class::Permanent,
        ),
        (Listener::ImapImplicit, "* BYE not now", Code::ProtoGreetingRefused, Class::Temporary),
    ] {
        let greeting = Greeting::Scripted(text.into());
        let server = server(Behaviour { greeting, ..Behaviour::default() });
        let report = probe(&prober, &server, listener, PASSWORD).await;
        failed_at(&report, code, Stage::Greeting, class);
    }
}
