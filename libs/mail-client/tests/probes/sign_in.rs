//! Right and wrong passwords, mechanisms, and the steps after sign-in.

use mail_client::Urgency;
use mail_lab::scripted::{AfterAuth, Auth, Behaviour, Capability, Listener, Mechanism, Protocol};
use shared_models::domain::diagnosis::{Class, Fault, Stage, TlsMode};
use shared_models::domain::{FailureCode, Security, ServerEndpoint};

use crate::support::{
    Answer, PASSWORD, USER, dns, endpoint, failed, failed_at, passed, plain_server, probe, prober, prober_with, secret,
    server, settings, v4,
};

#[tokio::test]
async fn the_right_password_passes_everywhere() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    for listener in Listener::ALL {
        let report = probe(&prober, &server, listener, PASSWORD).await;
        passed(&report);
        let mode = if listener.is_implicit_tls() { TlsMode::Implicit } else { TlsMode::Starttls };
        assert_eq!(report.observed.tls, Some(mode));
        assert_eq!(report.observed.ip, Some(server.addr(listener).ip()));
        assert!(report.warnings.is_empty());
    }
    for protocol in [Protocol::Smtp, Protocol::Imap] {
        let logins = server.logins(protocol, USER);
        assert_eq!((logins.attempts, logins.accepted), (2, 2));
    }
    assert_eq!(server.plaintext_passwords(), 0);
    // One connection is enough, except for the first login at a STARTTLS port with an unusual number.
    assert_eq!(server.listener(Listener::SmtpImplicit).connections, 1);
    assert_eq!(server.listener(Listener::SmtpStarttls).connections, 2);
    passed(&probe(&prober, &server, Listener::SmtpStarttls, PASSWORD).await);
    assert_eq!(server.listener(Listener::SmtpStarttls).connections, 3);
}

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    for listener in Listener::ALL {
        let report = probe(&prober, &server, listener, "wr0ng-password").await;
        failed_at(&report, FailureCode::AuthBadCredentials, Stage::Auth, Class::Permanent);
        let finding = failed(&report, FailureCode::AuthBadCredentials);
        assert_eq!(finding.fault, Fault::User);
        let reply = finding.server_reply.as_deref().unwrap();
        assert!(reply.contains("535") || reply.contains("AUTHENTICATIONFAILED"), "{reply}");
    }
    for protocol in [Protocol::Smtp, Protocol::Imap] {
        let logins = server.logins(protocol, USER);
        assert_eq!((logins.attempts, logins.refused), (2, 2));
    }
    assert_eq!(server.plaintext_passwords(), 0);
}

#[tokio::test]
async fn every_password_arrives_as_typed_by_every_mechanism() {
    let long = "long".repeat(120);
    let passwords = ["pa\"ss\\word", " pässwörd ", "a b", "日本語", "{5}", &long];
    let smtp = [&["AUTH PLAIN LOGIN"][..], &["AUTH PLAIN"], &["AUTH LOGIN"], &["AUTH=LOGIN"]];
    let imap = [
        &["IMAP4rev1", "SASL-IR", "AUTH=PLAIN"][..],
        &["IMAP4rev1", "AUTH=PLAIN"],
        &["IMAP4rev1", "AUTH=PLAIN", "LOGINDISABLED"],
        &["IMAP4rev1"],
    ];
    let (prober, server) = (prober(), server(Behaviour::default()));
    for (listener, keywords) in smtp
        .iter()
        .map(|keywords| (Listener::SmtpImplicit, keywords))
        .chain(imap.iter().map(|keywords| (Listener::ImapImplicit, keywords)))
    {
        let capability = Capability::keywords(keywords);
        server.set([listener], Behaviour { capability, ..Behaviour::default() });
        for password in passwords {
            server.set_account(USER, password);
            let report = probe(&prober, &server, listener, password).await;
            assert!(report.passed(), "{keywords:?} {password}: {report:?}");
        }
    }
}

#[tokio::test]
async fn replies_of_providers_have_their_codes() {
    let (prober, server) = (prober(), server(Behaviour::default()));
    let app = "534-5.7.9 Application-specific password required. Learn more at\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor";
    let web = "* NO [WEBALERT https://accounts.google.com/signin] Web login required.\nNO [AUTHENTICATIONFAILED] Invalid credentials (Failure)";
    let permanent = Class::Permanent;
    for (listener, reply, code, class) in [
        (Listener::SmtpImplicit, app, FailureCode::AuthAppPasswordRequired, permanent),
        (
            Listener::SmtpImplicit,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            FailureCode::PolicySmtpAuthDisabled,
            permanent,
        ),
        (
            Listener::SmtpStarttls,
            "454 4.7.0 Temporary authentication failure",
            FailureCode::LimitAuthBackend,
            Class::Temporary,
        ),
        (
            Listener::SmtpImplicit,
            "421 4.7.0 Try again later, closing connection",
            FailureCode::LimitServerBusy,
            Class::Temporary,
        ),
        (
            Listener::SmtpImplicit,
            "454 4.7.0 Too many login attempts, please try again later.",
            FailureCode::LimitLoginRate,
            Class::Temporary,
        ),
        (Listener::ImapImplicit, web, FailureCode::AuthWebLoginRequired, permanent),
        (
            Listener::ImapStarttls,
            "NO [UNAVAILABLE] Temporary authentication failure.",
            FailureCode::LimitAuthBackend,
            Class::Temporary,
        ),
        (
            Listener::ImapImplicit,
            "NO [ALERT] Too many simultaneous connections. (Failure)",
            FailureCode::LimitConnections,
            Class::Temporary,
        ),
        (
            Listener::ImapImplicit,
            "* BYE Session expired, please login again.",
            FailureCode::ImapSessionEnded,
            Class::Temporary,
        ),
        (Listener::ImapImplicit, "BAD [CLIENTBUG] Invalid sasl argument", FailureCode::ProtoSaslArgument, permanent),
    ] {
        let auth = Auth::Scripted(reply.into());
        server.set([listener], Behaviour { auth, ..Behaviour::default() });
        let report = probe(&prober, &server, listener, PASSWORD).await;
        failed_at(&report, code, Stage::Auth, class);
    }
}

#[tokio::test]
async fn another_mechanism_only_when_the_mechanism_was_refused() {
    let prober = prober();
    for (listener, auth) in [
        (
            Listener::SmtpImplicit,
            Auth::RefuseCommand(Mechanism::Plain, "504 5.7.4 Unrecognized authentication type".into()),
        ),
        (Listener::SmtpImplicit, Auth::RefuseMechanism(Mechanism::Plain, "501 5.5.2 Invalid argument".into())),
        (
            Listener::ImapImplicit,
            Auth::RefuseMechanism(Mechanism::Plain, "BAD [CLIENTBUG] AUTHENTICATE Invalid sasl argument".into()),
        ),
    ] {
        let server = server(Behaviour { auth, ..Behaviour::default() });
        passed(&probe(&prober, &server, listener, PASSWORD).await);
    }
    for (listener, reply) in [
        (Listener::SmtpImplicit, "535 5.7.8 Error: authentication failed"),
        (Listener::ImapImplicit, "NO [AUTHENTICATIONFAILED] Authentication failed."),
    ] {
        let auth = Auth::RefuseMechanism(Mechanism::Plain, reply.into());
        let server = server(Behaviour { auth, ..Behaviour::default() });
        let report = probe(&prober, &server, listener, PASSWORD).await;
        failed(&report, FailureCode::AuthBadCredentials);
        assert_eq!(server.logins(listener.protocol(), USER).attempts, 1);
    }
}

#[tokio::test]
async fn servers_without_password_sign_in() {
    let prober = prober();
    for (listener, keywords) in [
        (Listener::SmtpImplicit, &["AUTH NTLM GSSAPI"][..]),
        (Listener::SmtpImplicit, &["SIZE 1000"]),
        (Listener::ImapImplicit, &["IMAP4rev1", "LOGINDISABLED", "AUTH=GSSAPI"]),
    ] {
        let capability = Capability::keywords(keywords);
        let server = server(Behaviour { capability, ..Behaviour::default() });
        let report = probe(&prober, &server, listener, PASSWORD).await;
        failed(&report, FailureCode::AuthMechUnavailable);
        assert_eq!(server.total_logins(listener.protocol()).attempts, 0);
    }
}

#[tokio::test]
async fn failures_after_sign_in() {
    let prober = prober();
    let with = |after_auth| server(Behaviour { after_auth, ..Behaviour::default() });
    let bye = with(AfterAuth::Bye("* BYE Session expired, please login again.".into()));
    passed(&probe(&prober, &bye, Listener::SmtpImplicit, PASSWORD).await);
    let report = probe(&prober, &bye, Listener::ImapImplicit, PASSWORD).await;
    failed_at(&report, FailureCode::ImapSessionEnded, Stage::PostAuth, Class::Temporary);

    let drop = with(AfterAuth::Drop);
    passed(&probe(&prober, &drop, Listener::SmtpImplicit, PASSWORD).await);
    let report = probe(&prober, &drop, Listener::ImapImplicit, PASSWORD).await;
    passed(&report);
    assert_eq!((report.warnings[0].code, report.warnings[0].class), (FailureCode::NetReset, Class::Warning));
}

#[tokio::test]
async fn the_inbox_is_opened() {
    let plaintext = prober_with(mail_client::ProbeSettings { allow_plaintext_login: true, ..settings() }, None);
    const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
    let look = async |greeting, answers| {
        let (address, lines) = plain_server(greeting, answers);
        let endpoint = endpoint(address, Security::Opportunistic);
        let report = plaintext.imap(&endpoint, &secret(PASSWORD), Urgency::Single).await;
        (report, lines.await.unwrap())
    };

    let answers = &["{tag} OK in\r\n", "* OK [OVERQUOTA] full\r\n{tag} OK [READ-ONLY] done\r\n"];
    let (report, lines) = look(GREETING, answers).await;
    passed(&report);
    assert_eq!(report.observed.tls, Some(TlsMode::None));
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(report.warnings[0].code, FailureCode::ImapMailboxFull);
    assert_eq!(lines[1..], ["a2 EXAMINE INBOX", "a3 LOGOUT"]);

    let answers = &["{tag} OK in\r\n", "{tag} BAD User is authenticated but not connected.\r\n"];
    let (report, _) = look(GREETING, answers).await;
    failed_at(&report, FailureCode::AuthOkNotConnected, Stage::PostAuth, Class::Permanent);

    let answers = &["{tag} OK in\r\n", "{tag} BAD Unknown command.\r\n"];
    let (report, _) = look(GREETING, answers).await;
    passed(&report);
    assert_eq!(
        (report.warnings[0].code, report.warnings[0].class),
        (FailureCode::ImapInboxUnavailable, Class::Warning)
    );

    let answers = &["{tag} OK in\r\n", "{tag} NO [NONEXISTENT] Unknown Mailbox: INBOX\r\n"];
    let (report, _) = look(GREETING, answers).await;
    failed(&report, FailureCode::ImapInboxUnavailable);

    let answers = &["* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n", "{tag} OK [READ-ONLY] done\r\n"];
    let (report, lines) = look("* PREAUTH welcome\r\n", answers).await;
    passed(&report);
    assert_eq!(report.warnings[0].code, FailureCode::AuthNotRequired);
    assert_eq!(lines[1], "a2 EXAMINE INBOX");
}

#[tokio::test]
async fn a_repeated_password_is_removed_from_the_reply() {
    use base64::Engine;
    let prober = prober();
    let password = "hunter2-s3cret";
    let blob = base64::engine::general_purpose::STANDARD.encode(format!("\0{USER}\0{password}"));
    for (listener, status) in [(Listener::SmtpImplicit, "535"), (Listener::ImapImplicit, "NO")] {
        let reply = format!("{status} you said {password} or {blob}");
        let auth = Auth::Scripted(reply.as_str().into());
        let server = server(Behaviour { auth, ..Behaviour::default() });
        let report = probe(&prober, &server, listener, password).await;
        let everything = format!("{report:?}");
        assert!(!everything.contains(password) && !everything.contains(&blob), "{everything}");
        assert!(everything.contains("<secret> or <secret>"), "{everything}");
    }
}

#[tokio::test]
async fn a_guessed_imap_host_gets_a_second_guess_but_no_second_refusal() {
    let smtp_only = mail_lab::free_loopback();
    let server = server(Behaviour::default());
    let imap = server.addr(Listener::ImapImplicit);
    let names =
        [("smtp.example.test", Answer::A(vec![v4(smtp_only)])), ("imap.example.test", Answer::A(vec![v4(imap.ip())]))];
    let prober = prober_with(settings(), Some(dns(&names)));
    let guess = ServerEndpoint::parse("smtp.example.test", imap.port(), Security::Required).unwrap();
    let report = prober.guessed_imap(&guess, &secret(PASSWORD)).await;
    passed(&report);
    assert_eq!(report.observed.host, "imap.example.test");

    // Both names lead to the same server. It refuses the password, so there is no second login.
    let names = ["smtp.example.test", "imap.example.test"].map(|name| (name, Answer::A(vec![v4(imap.ip())])));
    let prober = prober_with(settings(), Some(dns(&names)));
    let report = prober.guessed_imap(&guess, &secret("wr0ng-password")).await;
    failed(&report, FailureCode::AuthBadCredentials);
    assert_eq!(report.observed.host, "smtp.example.test");
    assert_eq!(server.logins(Protocol::Imap, USER).refused, 1);
}
