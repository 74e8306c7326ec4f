//! The scripted server as a bad one: each misbehaviour as the client sees it.

use std::time::Duration;

use mail_lab::scripted::{
    AfterAuth, Auth, Behaviour, Capability, Greeting, Listener, Mechanism, Protocol, Reply, ScriptedServer, Starttls,
    Submission, Tls,
};
use tokio::time::timeout;

use super::client::{Client, auth_plain};

const USER: &str = "a@example.test";
const LONG: Duration = Duration::from_secs(20);

fn server(behaviour: Behaviour) -> ScriptedServer {
    ScriptedServer::builder().account(USER, "right").behaviour(Listener::ALL, behaviour).start().unwrap()
}

/// `None`: nothing comes in time. Where a line is expected there is time enough for a busy machine.
async fn first_line(greeting: Greeting, listener: Listener, patience: Duration) -> Option<String> {
    let server = server(Behaviour { greeting, ..Behaviour::default() });
    let mut client = Client::plain(server.addr(listener)).await;
    timeout(patience, client.line()).await.ok()
}

#[tokio::test]
async fn greetings() {
    let smtp = Listener::SmtpStarttls;
    let imap = Listener::ImapStarttls;
    let check = async |reply: Reply, listener, expected: Option<&str>| {
        let patience = if expected.is_some() { LONG } else { Duration::from_millis(100) };
        let line = first_line(Greeting::Scripted(reply), listener, patience).await;
        assert_eq!(line.as_deref(), expected);
    };
    check("554 5.7.1 No".into(), smtp, Some("554 5.7.1 No")).await;
    check("* BYE full".into(), imap, Some("* BYE full")).await;
    check(Reply::Bytes(b"\0\xff\n".to_vec()), smtp, Some("\0\u{fffd}")).await;
    check(Reply::Silent, smtp, None).await;
    check(Reply::Drop, smtp, Some("")).await;
    check(Reply::Drip(Duration::from_millis(5)), imap, None).await;
    check(Reply::EndlessLines, smtp, Some("220-and so on")).await;
    let line = first_line(Greeting::OtherProtocol, smtp, LONG).await.unwrap();
    assert!(line.starts_with("* OK"));
    let line = first_line(Greeting::OtherProtocol, imap, LONG).await.unwrap();
    assert!(line.starts_with("220 "));
    let line = first_line(Greeting::Http, imap, LONG).await.unwrap();
    assert!(line.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_line_of_100_mb() {
    let server =
        server(Behaviour { greeting: Greeting::Scripted(Reply::HugeLine(100_000_000)), ..Behaviour::default() });
    let mut client = Client::plain(server.addr(Listener::SmtpStarttls)).await;
    assert_eq!(client.line().await.len(), 100_000_000);
}

#[tokio::test]
async fn too_many_connections() {
    let server = server(Behaviour { max_connections: Some(1), ..Behaviour::default() });
    let addr = server.addr(Listener::SmtpStarttls);
    let mut first = Client::plain(addr).await;
    assert!(first.reply().await.starts_with("220"));
    let mut second = Client::plain(addr).await;
    assert!(second.reply().await.starts_with("421"));
    assert_eq!(second.line().await, "");
}

#[tokio::test]
async fn starttls_faults() {
    let start = async |starttls| {
        let server = server(Behaviour { starttls, ..Behaviour::default() });
        let mut client = Client::plain(server.addr(Listener::SmtpStarttls)).await;
        client.reply().await;
        let ehlo = client.smtp("EHLO me").await;
        let reply = client.smtp("STARTTLS").await;
        (server, client, ehlo, reply)
    };
    let (_server, _, ehlo, reply) = start(Starttls::NotOffered).await;
    assert!(!ehlo.contains("STARTTLS") && reply.starts_with("500"));

    let refused = Starttls::Refused("454 4.7.0 TLS not available".into());
    let (_server, mut client, ehlo, reply) = start(refused).await;
    assert!(ehlo.contains("STARTTLS") && reply.starts_with("454"));
    assert!(client.smtp("NOOP").await.starts_with("250"));

    let injected = Starttls::Injected(b"235 evil\r\n".to_vec());
    let (_server, mut client, _, reply) = start(injected).await;
    assert!(reply.starts_with("220"));
    assert_eq!(client.line().await, "235 evil");
    let mut client = client.upgrade("localhost").await.unwrap();
    assert!(client.smtp("EHLO me").await.contains("AUTH PLAIN"));

    let (_server, mut client, _, reply) = start(Starttls::Closes).await;
    assert!(reply.starts_with("220"));
    assert_eq!(client.line().await, "");

    let (_server, client, _, _) = start(Starttls::Stalls).await;
    let upgrade = timeout(Duration::from_millis(100), client.upgrade("localhost"));
    assert!(upgrade.await.is_err());
}

#[tokio::test]
async fn certificates_and_handshakes() {
    let server = server(Behaviour::default());
    let addr = server.addr(Listener::ImapImplicit);
    let error = async |tls| {
        let behaviour = Behaviour { tls, ..Behaviour::default() };
        server.set([Listener::ImapImplicit], behaviour);
        Client::tls(addr).await.err().unwrap().to_string()
    };
    assert!(error(Tls::WrongName).await.contains("hostname mismatch"));
    assert!(error(Tls::Expired).await.contains("expired"));
    assert!(error(Tls::NotYetValid).await.contains("not yet valid"));
    assert!(error(Tls::SelfSigned).await.contains("self-signed"));
    assert!(error(Tls::UnknownCa).await.contains("unable to get local issuer"));
    assert!(error(Tls::Alert).await.contains("handshake failure"));
    error(Tls::Closes).await;
    let failures = |n| move |s: &mail_lab::scripted::Stats| s.listener(Listener::ImapImplicit).tls_failures == n;
    server.wait_until(failures(5)).await;

    let behaviour = Behaviour { tls: Tls::Silent, ..Behaviour::default() };
    server.set(Listener::IMAP, behaviour);
    assert!(timeout(Duration::from_millis(100), Client::tls(addr)).await.is_err());
}

#[tokio::test]
async fn capabilities() {
    let server = server(Behaviour { capability: Capability::keywords(&["AUTH NTLM"]), ..Behaviour::default() });
    let mut client = Client::plain(server.addr(Listener::SmtpStarttls)).await;
    client.reply().await;
    let reply = client.smtp("EHLO me").await;
    assert_eq!(reply, "250-mail.example.test\n250-AUTH NTLM\n250 STARTTLS");

    let keywords = Capability::keywords(&["IMAP4rev1", "LOGINDISABLED"]);
    let behaviour = Behaviour { capability: keywords, ..Behaviour::default() };
    server.set(Listener::IMAP, behaviour);
    let mut client = Client::imaps(server.addr(Listener::ImapImplicit)).await;
    let reply = client.imap("a CAPABILITY").await;
    assert!(reply.starts_with("* CAPABILITY IMAP4rev1 LOGINDISABLED\n"));
}

async fn smtp_auth(server: &ScriptedServer) -> (Client, String) {
    let mut client = Client::submissions(server.addr(Listener::SmtpImplicit)).await;
    let reply = client.smtp(&auth_plain(USER, "right")).await;
    (client, reply)
}

async fn imap_auth(server: &ScriptedServer) -> (Client, String) {
    let mut client = Client::imaps(server.addr(Listener::ImapImplicit)).await;
    let reply = client.imap(&format!("a LOGIN {USER} right")).await;
    (client, reply)
}

#[tokio::test]
async fn scripted_logins() {
    let gmail = "534-5.7.9 Application-specific password required.\n534 5.7.9 See the page";
    let server = server(Behaviour { auth: Auth::Scripted(gmail.into()), ..Behaviour::default() });
    assert_eq!(smtp_auth(&server).await.1, gmail);
    let alert = "* NO [ALERT] Log in by web\nNO [ALERT] Application-specific password required";
    server.set_auth(Protocol::Imap, USER, Auth::Scripted(alert.into()));
    let reply = imap_auth(&server).await.1;
    assert!(reply.starts_with("* NO [ALERT] Log in by web\na NO [ALERT]"), "{reply}");

    let sequence = vec!["454 4.7.0 Later".into(), Reply::Drop];
    server.set_auth(Protocol::Smtp, USER, Auth::Sequence(sequence));
    assert!(smtp_auth(&server).await.1.starts_with("454"));
    assert_eq!(smtp_auth(&server).await.1, "");
    assert!(smtp_auth(&server).await.1.starts_with("235"));
    let counts = server.logins(Protocol::Smtp, USER);
    assert_eq!((counts.refused, counts.temporary, counts.unanswered, counts.accepted), (1, 1, 1, 1));

    let plain_fails = Auth::RefuseMechanism(Mechanism::Plain, "535 5.7.8 not so".into());
    server.set_auth(Protocol::Smtp, USER, plain_fails);
    let (mut client, reply) = smtp_auth(&server).await;
    assert_eq!(reply, "535 5.7.8 not so");
    client.smtp(&format!("AUTH LOGIN {}", super::client::base64(USER))).await;
    assert!(client.smtp(&super::client::base64("right")).await.starts_with("235"));

    server.clear_auth(Protocol::Imap, USER);
    server.set(Listener::IMAP, Behaviour { auth: Auth::Scripted(Reply::Silent), ..Behaviour::default() });
    tokio::select! {
        (_, reply) = imap_auth(&server) => panic!("a reply: {reply}"),
        () = server.wait_until(|s| s.logins(Protocol::Imap, USER).unanswered == 1) => {}
    }
}

#[tokio::test]
async fn a_command_may_be_refused_before_the_password() {
    let server = server(Behaviour {
        auth: Auth::RefuseCommand(Mechanism::Plain, "504 5.5.4 not this one".into()),
        ..Behaviour::default()
    });
    let mut client = Client::submissions(server.addr(Listener::SmtpImplicit)).await;
    assert!(client.smtp("AUTH PLAIN").await.starts_with("504"));
    assert_eq!(server.logins(Protocol::Smtp, USER).attempts, 0);
    client.smtp("AUTH LOGIN").await;
    client.smtp(&super::client::base64(USER)).await;
    assert!(client.smtp(&super::client::base64("right")).await.starts_with("235"));
}

#[tokio::test]
async fn after_a_login() {
    let server = server(Behaviour { after_auth: AfterAuth::Bye("* BYE maintenance".into()), ..Behaviour::default() });
    let (mut client, reply) = imap_auth(&server).await;
    assert!(reply.contains("a OK"));
    assert_eq!(client.line().await, "* BYE maintenance");
    assert_eq!(client.line().await, "");

    server.set(Listener::SMTP, Behaviour { after_auth: AfterAuth::Silent, ..Behaviour::default() });
    let (mut client, reply) = smtp_auth(&server).await;
    assert!(reply.starts_with("235"));
    assert!(timeout(Duration::from_millis(100), client.smtp("QUIT")).await.is_err());
}

#[tokio::test]
async fn mail_is_refused_at_each_step() {
    let server = server(Behaviour::default());
    // The replies to MAIL, RCPT, DATA and, when it comes so far, to the dot.
    let send = async |submission| {
        server.set(Listener::SMTP, Behaviour { submission, ..Behaviour::default() });
        let (mut client, _) = smtp_auth(&server).await;
        let mut replies = Vec::new();
        for command in ["MAIL FROM:<a@x>", "RCPT TO:<b@y>", "DATA", "..one\nbare\r\n."] {
            if replies.last().is_none_or(|last: &String| last.starts_with(['2', '3'])) {
                replies.push(client.smtp(command).await);
            }
        }
        replies
    };
    let no = || Some("550 5.7.1 no".into());
    assert_eq!(send(Submission { mail: no(), ..Submission::default() }).await.len(), 1);
    assert_eq!(send(Submission { rcpt: no(), ..Submission::default() }).await.len(), 2);
    assert_eq!(send(Submission { data: no(), ..Submission::default() }).await.len(), 3);
    assert_eq!(server.stats().messages_received, 0);
    let replies = send(Submission { end: no(), ..Submission::default() }).await;
    assert_eq!((replies.len(), replies[3].as_str()), (4, "550 5.7.1 no"));
    let replies = send(Submission { end: Some(Reply::Drop), ..Submission::default() }).await;
    assert_eq!((replies.len(), replies[3].as_str()), (4, ""));
    assert_eq!((server.stats().messages_received, server.stats().messages_accepted), (2, 0));
    let replies = send(Submission { end: Some("250 2.0.0 mine".into()), ..Submission::default() }).await;
    assert_eq!(replies[3], "250 2.0.0 mine");
    assert_eq!((server.stats().messages_received, server.stats().messages_accepted), (3, 1));
    let message = server.messages().remove(0);
    assert_eq!((message.data.as_slice(), message.wire.as_slice()), (&b".one\r\nbare\r\n"[..], &b"..one\nbare\r\n"[..]));
}
