//! Everything that a customer can get wrong about a mail server, or a mail server about its trade:
//! the mailbox is refused for good, and the reason is reported.

use std::net::SocketAddr;

use e2e_tests::{Plan, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Greeting, Listener, Protocol, Reply, ScriptedServer, Starttls, Tls};
use mail_lab::{Knot, RefusedPort, free_loopback, refused_port};
use serde_json::{Value, json};

use crate::setup;

const AUTHENTICATION: &str = "Authentication failed. Check username/password.";
const TLS: &str = "TLS negotiation failed";
const NO_SMTP: &str = "Could not connect to SMTP server";
const NO_IMAP: &str = "Could not connect to IMAP server";

/// As Gmail says it (nodemailer#1116).
const GMAIL: &str = "534-5.7.9 Application-specific password required. Learn more at\n\
    534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor 5b1f17b1804b1-gsmtp";

struct Case {
    name: &'static str,
    /// Where the mailbox is said to be.
    smtp: (String, u16),
    imap: (String, u16),
    secure: bool,
    /// Error text, stage, code.
    told: [&'static str; 3],
    /// Words that the remedy must contain, so that the customer knows what to do.
    remedy: String,
    /// Whose SMTP and IMAP logins are counted.
    server: ScriptedServer,
    /// SMTP passwords, IMAP passwords that the server may have seen.
    passwords: [u64; 2],
}

fn place(addr: SocketAddr) -> (String, u16) {
    (addr.ip().to_string(), addr.port())
}

/// A mailbox at a server with this behaviour, STARTTLS for SMTP and implicit TLS for IMAP.
fn at_server(
    name: &'static str,
    smtp: Behaviour,
    imap: Behaviour,
    told: [&'static str; 3],
    remedy: &str,
    passwords: [u64; 2],
) -> Case {
    let builder = ScriptedServer::builder().accept_all().ip(free_loopback());
    let server = builder.behaviour(Listener::SMTP, smtp).behaviour(Listener::IMAP, imap).start().unwrap();
    let (smtp, imap) = (place(server.addr(Listener::SmtpStarttls)), place(server.addr(Listener::ImapImplicit)));
    Case { name, smtp, imap, secure: true, told, remedy: remedy.to_owned(), server, passwords }
}

fn tls(tls: Tls) -> Behaviour {
    Behaviour { tls, ..Behaviour::default() }
}

fn good() -> Behaviour {
    Behaviour::default()
}

fn certificates() -> Vec<Case> {
    let bad =
        |name, behaviour, code, remedy| at_server(name, tls(behaviour), good(), [TLS, "smtp", code], remedy, [0, 1]);
    let mut other_name =
        at_server("name", good(), good(), [TLS, "smtp", "TLS_CERT_NAME_MISMATCH"], "mail.example.test", [0, 0]);
    // A name of the same server that its certificate does not know.
    other_name.smtp.0 = "mx.example.test".to_owned();
    other_name.imap.0 = "mx.example.test".to_owned();
    vec![
        other_name,
        bad("expired", Tls::Expired, "TLS_CERT_EXPIRED", "expired on"),
        bad("not-yet", Tls::NotYetValid, "TLS_CERT_NOT_YET_VALID", "not valid yet"),
        bad("self-signed", Tls::SelfSigned, "TLS_CERT_SELF_SIGNED", "SHA-256"),
        bad("unknown-ca", Tls::UnknownCa, "TLS_CERT_UNTRUSTED", "issuer"),
        at_server("imap-tls", good(), tls(Tls::Expired), [TLS, "imap", "TLS_CERT_EXPIRED"], "expired on", [1, 0]),
    ]
}

fn encryption() -> Vec<Case> {
    let bare = || Behaviour { starttls: Starttls::NotOffered, plaintext_auth: true, ..good() };
    let told = [TLS, "smtp", "TLS_NOT_OFFERED"];
    let mut optional = at_server("no-starttls-optional", bare(), good(), told, "no encryption", [0, 1]);
    // `secure: false` means "encrypted when possible": without the operator's leave no password goes out in clear.
    optional.secure = false;
    vec![at_server("no-starttls", bare(), good(), told, "no encryption", [0, 1]), optional]
}

fn places(nobody: &RefusedPort) -> Vec<Case> {
    let at = |name, told, remedy: &str, smtp: Option<(String, u16)>, imap: Option<(String, u16)>, passwords| {
        let mut case = at_server(name, good(), good(), told, remedy, passwords);
        case.smtp = smtp.unwrap_or(case.smtp);
        case.imap = imap.unwrap_or(case.imap);
        case
    };
    let named = |host: &str| Some((host.to_owned(), 587));
    let port = format!("127.0.0.1:{}", nobody.addr().port());
    vec![
        at(
            "no-host",
            [NO_SMTP, "smtp", "NET_HOST_NOT_FOUND"],
            "gone.example.test",
            named("gone.example.test"),
            None,
            [0, 1],
        ),
        at(
            "no-imap-host",
            [NO_IMAP, "imap", "NET_HOST_NOT_FOUND"],
            "gone.example.test",
            None,
            named("gone.example.test"),
            [1, 0],
        ),
        at("nobody", [NO_SMTP, "smtp", "NET_CONNECT_REFUSED"], &port, Some(place(nobody.addr())), None, [0, 1]),
        at("private", [NO_SMTP, "smtp", "NET_TARGET_FORBIDDEN"], "not allowed", named("10.1.2.3"), None, [0, 1]),
        at(
            "metadata",
            [NO_SMTP, "smtp", "NET_TARGET_FORBIDDEN"],
            "not allowed",
            named("metadata.example.test"),
            None,
            [0, 1],
        ),
    ]
}

fn servers() -> Vec<Case> {
    let answers = |auth: &str| Behaviour { auth: Auth::Scripted(Reply::from(auth)), ..good() };
    let web = Behaviour { greeting: Greeting::Http, ..good() };
    vec![
        at_server(
            "gmail",
            answers(GMAIL),
            good(),
            [AUTHENTICATION, "smtp", "AUTH_APP_PASSWORD_REQUIRED"],
            "apppasswords",
            [1, 1],
        ),
        at_server("web", web, good(), [NO_SMTP, "smtp", "PROTO_UNEXPECTED"], "not a mail server", [0, 1]),
    ]
}

fn body(case: &Case) -> Value {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let mut body = mailbox(&email(case), "x", nowhere, nowhere);
    for (protocol, (host, port)) in [("smtp", &case.smtp), ("imap", &case.imap)] {
        body[protocol]["host"] = json!(host);
        body[protocol]["port"] = json!(port);
    }
    body["smtp"]["secure"] = json!(case.secure);
    body
}

fn email(case: &Case) -> String {
    format!("{}@example.test", case.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_has_its_own_answer() {
    let nobody = refused_port().unwrap();
    let cases: Vec<Case> = [certificates(), encryption(), places(&nobody), servers()].into_iter().flatten().collect();
    let zone = format!("mx A {}\nmetadata A 169.254.169.254\n", cases[0].server.addr(Listener::SmtpStarttls).ip());
    let knot = Knot::start(&[("example.test", &zone)]).unwrap();
    let system = setup().with("MAILMOOR__DNS__SERVERS", knot.addr()).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;

    let mut ids = Vec::new();
    for case in &cases {
        ids.push(tenant.api.add(&body(case)).await);
    }
    for (case, id) in cases.iter().zip(&ids) {
        let test = tenant.api.refused(id).await;
        let told = ["error", "stage", "code"].map(|member| test[member].as_str().unwrap_or_default());
        assert_eq!(told, case.told, "{}: {test}", case.name);
        let remedy = test["remedy"].as_str().unwrap_or_default();
        assert!(remedy.contains(&case.remedy), "{}: {remedy}", case.name);
        let seen = [Protocol::Smtp, Protocol::Imap].map(|p| case.server.logins(p, &email(case)).attempts);
        assert_eq!(seen, case.passwords, "{}: passwords that the server has seen", case.name);
        assert_eq!(case.server.plaintext_passwords(), 0, "{}", case.name);
    }
    assert_eq!(tenant.api.count("").await, 0);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 0);
}
