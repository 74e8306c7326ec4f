//! Certificates, STARTTLS, and settings that do not fit the port.

use std::net::SocketAddr;

use futures_util::future::join_all;
use mail_client::{ProbeSettings, Prober};
use mail_lab::scripted::{Behaviour, Listener, Reply, ScriptedServer, Starttls, Tls};
use shared_models::domain::diagnosis::{Class, Stage, TlsMode};
use shared_models::domain::{FailureCode, Security};

use crate::support::{
    PASSWORD, USER, endpoint, failed, failed_at, guard, hasty, passed, probe, probe_at, prober, prober_with, server,
    settings,
};

#[tokio::test]
async fn bad_certificates_end_the_check_before_the_password() {
    let prober = prober();
    for (tls, code) in [
        (Tls::Expired, FailureCode::TlsCertExpired),
        (Tls::NotYetValid, FailureCode::TlsCertNotYetValid),
        (Tls::SelfSigned, FailureCode::TlsCertSelfSigned),
        (Tls::UnknownCa, FailureCode::TlsCertUntrusted),
        (Tls::WrongName, FailureCode::TlsCertNameMismatch),
        (Tls::Alert, FailureCode::TlsNoSharedCipher),
    ] {
        let server = server(Behaviour { tls, ..Behaviour::default() });
        for listener in Listener::ALL {
            let report = probe(&prober, &server, listener, PASSWORD).await;
            failed_at(&report, code, Stage::Tls, Class::Permanent);
            let remedy = &failed(&report, code).remedy;
            match tls {
                Tls::WrongName => assert!(remedy.contains("for other.example.test."), "{remedy}"),
                Tls::Expired => assert!(remedy.contains("GMT"), "{remedy}"),
                Tls::SelfSigned => assert!(remedy.split_once("SHA-256 ").unwrap().1.len() > 64),
                _ => {}
            }
            assert_eq!(server.total_logins(listener.protocol()).attempts, 0);
        }
    }
}

#[tokio::test]
async fn handshakes_that_do_not_end() {
    let prober = &prober_with(hasty(), None);
    let mut checks = Vec::new();
    for (tls, code) in [(Tls::Silent, FailureCode::TlsHandshakeTimeout), (Tls::Closes, FailureCode::NetReset)] {
        for listener in Listener::ALL {
            checks.push(async move {
                let server = server(Behaviour { tls, ..Behaviour::default() });
                let report = probe(prober, &server, listener, PASSWORD).await;
                failed_at(&report, code, Stage::Tls, Class::Temporary);
            });
        }
    }
    join_all(checks).await;
}

#[tokio::test]
async fn a_port_may_change_from_starttls_to_tls() {
    let prober = prober();
    let host = mail_lab::free_loopback();
    let port = mail_lab::free_port(host).unwrap();
    let mut connections = Vec::new();
    for listener in [Listener::ImapStarttls, Listener::ImapImplicit, Listener::ImapImplicit] {
        let server =
            ScriptedServer::builder().account(USER, PASSWORD).ip(host).listen_on(listener, port).start().unwrap();
        passed(&probe(&prober, &server, listener, PASSWORD).await);
        connections.push(server.listener(listener).connections);
    }
    // First login: TLS, then STARTTLS. Second: STARTTLS as remembered, a TLS hello that reveals TLS, then TLS. Third: TLS.
    assert_eq!(connections, [2, 3, 1]);
}

#[tokio::test]
async fn starttls_that_fails() {
    let prober = prober_with(hasty(), None);
    let injected = b"250-evil\r\n250 AUTH PLAIN\r\n".to_vec();
    let refused = |text: &str| Starttls::Refused(Reply::text(text));
    use FailureCode as Code;
    for (listener, starttls, code, class) in [
        (Listener::SmtpStarttls, Starttls::NotOffered, Code::TlsNotOffered, Class::Permanent),
        (Listener::ImapStarttls, Starttls::NotOffered, Code::TlsNotOffered, Class::Permanent),
        (
            Listener::SmtpStarttls,
            refused("454 4.7.0 TLS not available due to local problem"),
            Code::TlsStarttlsFailed,
            Class::Temporary,
        ),
        (Listener::SmtpStarttls, refused("500 5.3.3 Unrecognized command"), Code::TlsStarttlsFailed, Class::Permanent),
        (Listener::ImapStarttls, refused("NO not now"), Code::TlsStarttlsFailed, Class::Permanent),
        (Listener::SmtpStarttls, Starttls::Injected(injected.clone()), Code::TlsPlaintextInjected, Class::Permanent),
        (
            Listener::ImapStarttls,
            Starttls::Injected(b"* CAPABILITY IMAP4rev1\r\na2 OK\r\n".to_vec()),
            Code::TlsPlaintextInjected,
            Class::Permanent,
        ),
        (Listener::SmtpStarttls, Starttls::Stalls, Code::TlsHandshakeTimeout, Class::Temporary),
        (Listener::ImapStarttls, Starttls::Closes, Code::NetReset, Class::Temporary),
    ] {
        // The server would accept a clear-text login, which must not happen.
        let server = server(Behaviour { starttls, plaintext_auth: true, ..Behaviour::default() });
        for security in [Security::Required, Security::Opportunistic] {
            let endpoint = endpoint(server.addr(listener), security);
            let report = probe_at(&prober, &endpoint, listener, PASSWORD).await;
            assert_eq!(failed(&report, code).class, class, "{report:?}");
        }
        assert_eq!(server.total_logins(listener.protocol()).attempts, 0);
        assert_eq!(server.plaintext_passwords(), 0);
    }
}

#[tokio::test]
async fn clear_text_only_where_endpoint_and_operator_allow_it() {
    let allowed = prober_with(ProbeSettings { allow_plaintext_login: true, ..settings() }, None);
    let behaviour = Behaviour { starttls: Starttls::NotOffered, plaintext_auth: true, ..Behaviour::default() };
    let server = server(behaviour);
    for listener in [Listener::SmtpStarttls, Listener::ImapStarttls] {
        let optional = endpoint(server.addr(listener), Security::Opportunistic);
        let report = probe_at(&allowed, &optional, listener, PASSWORD).await;
        passed(&report);
        assert_eq!(report.observed.tls, Some(TlsMode::None));
        assert_eq!(server.logins(listener.protocol(), USER).accepted, 1);
        let required = endpoint(server.addr(listener), Security::Required);
        let report = probe_at(&allowed, &required, listener, PASSWORD).await;
        failed(&report, FailureCode::TlsNotOffered);
    }
    assert_eq!(server.plaintext_passwords(), 2);
}

#[tokio::test]
async fn optional_encryption_is_used_when_offered() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    for listener in [Listener::SmtpStarttls, Listener::ImapStarttls] {
        let endpoint = endpoint(server.addr(listener), Security::Opportunistic);
        let report = probe_at(&prober, &endpoint, listener, PASSWORD).await;
        passed(&report);
        assert_eq!(report.observed.tls, Some(TlsMode::Starttls));
        assert_eq!(server.listener(listener).connections, 1);
    }
}

/// A server on a standard port of an address of its own (ports below 1024 need root or
/// `net.ipv4.ip_unprivileged_port_start=0`, as in containers).
fn on_standard_port(listener: Listener, port: u16) -> (ScriptedServer, SocketAddr) {
    let server = ScriptedServer::builder()
        .account(USER, PASSWORD)
        .ip(mail_lab::free_loopback())
        .listen_on(listener, port)
        .start()
        .unwrap();
    let address = server.addr(listener);
    (server, address)
}

#[tokio::test]
async fn a_clear_text_server_on_a_tls_port() {
    let prober = prober();
    for (listener, port) in [(Listener::SmtpStarttls, 465), (Listener::ImapStarttls, 993)] {
        let (server, address) = on_standard_port(listener, port);
        let endpoint = endpoint(address, Security::Opportunistic);
        let report = probe_at(&prober, &endpoint, listener, PASSWORD).await;
        let finding = failed(&report, FailureCode::CfgPortTlsMismatch);
        let words = format!("Port {port} expects STARTTLS.");
        assert!(finding.remedy.starts_with(&words), "{}", finding.remedy);
        assert_eq!(server.total_logins(listener.protocol()).attempts, 0);
    }
}

#[tokio::test]
async fn a_tls_server_on_a_clear_text_port() {
    let prober = &prober();
    let (smtp, submission) = on_standard_port(Listener::SmtpImplicit, 2525);
    let imap = server(Behaviour::default());
    let check = async |listener, server: &ScriptedServer, address, security| {
        let endpoint = endpoint(address, security);
        let report = probe_at(prober, &endpoint, listener, PASSWORD).await;
        let finding = failed(&report, FailureCode::CfgPortTlsMismatch);
        assert!(finding.remedy.contains("expects SSL/TLS."), "{}", finding.remedy);
        assert!(report.millis < 4000, "found out by waiting: {report:?}");
        assert_eq!(server.total_logins(listener.protocol()).attempts, 0);
    };
    let imap_address = imap.addr(Listener::ImapImplicit);
    tokio::join!(
        check(Listener::SmtpImplicit, &smtp, submission, Security::Required),
        check(Listener::ImapImplicit, &imap, imap_address, Security::Opportunistic),
    );
}

#[tokio::test]
async fn standard_ports_work_as_their_number_says() {
    let prober = prober();
    for (listener, port) in [(Listener::SmtpImplicit, 465), (Listener::SmtpStarttls, 2525)] {
        let (server, address) = on_standard_port(listener, port);
        let endpoint = endpoint(address, Security::Required);
        passed(&probe_at(&prober, &endpoint, listener, PASSWORD).await);
        assert_eq!(server.listener(listener).connections, 1);
    }
}

#[tokio::test]
async fn extra_roots_must_be_certificates() {
    for nonsense in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let made = Prober::new(settings(), guard(&[], None), Some(nonsense.as_bytes()));
        assert!(made.is_err(), "{nonsense}");
    }
}
