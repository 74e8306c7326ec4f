//! The scripted server as a well-behaved one.

use mail_lab::scripted::{Behaviour, Listener, LoginCounts, LoginOutcome, Mechanism, Protocol, ScriptedServer};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::client::{Client, auth_plain, base64};

const USER: &str = "a@example.test";

fn server() -> ScriptedServer {
    ScriptedServer::builder().account(USER, "p\"w\\d").start().unwrap()
}

#[tokio::test]
async fn submission_takes_plain_and_login() {
    let server = server();
    let addr = server.addr(Listener::SmtpStarttls);
    let mut client = Client::submission(addr).await;
    let reply = client.smtp(&auth_plain(USER, "p\"w\\d")).await;
    assert!(reply.starts_with("235"), "{reply}");
    assert!(client.smtp("QUIT").await.starts_with("221"));
    assert_eq!(client.line().await, "");

    let mut client = Client::submissions(server.addr(Listener::SmtpImplicit)).await;
    assert_eq!(client.smtp("AUTH PLAIN").await, "334");
    let wrong = base64(&format!("\0{USER}\0wrong"));
    assert!(client.smtp(&wrong).await.starts_with("535"));
    assert_eq!(client.smtp("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(client.smtp(&base64(USER)).await, "334 UGFzc3dvcmQ6");
    assert!(client.smtp(&base64("p\"w\\d")).await.starts_with("235"));

    let counts = server.logins(Protocol::Smtp, USER);
    let expected = LoginCounts { attempts: 3, accepted: 2, refused: 1, ..LoginCounts::default() };
    assert_eq!(counts, expected);
    let log = server.login_log(USER);
    assert_eq!(log[1].outcome, LoginOutcome::Refused);
    assert_eq!(log[2].mechanism, Mechanism::Login);
    assert!(log.iter().all(|event| event.tls));
    assert_eq!(server.plaintext_passwords(), 0);
}

#[tokio::test]
async fn imap_takes_quoted_literal_and_sasl() {
    let server = server();
    let mut client = Client::imap_starttls(server.addr(Listener::ImapStarttls)).await;
    assert!(client.imap("b CAPABILITY").await.contains("SASL-IR"));
    let reply = client.imap(&format!("c LOGIN {USER} \"p\\\"w\\\\d\"")).await;
    assert_eq!(reply, "c OK Logged in");
    assert!(client.imap("d SELECT INBOX").await.contains("0 EXISTS"));
    assert!(client.imap("e LIST \"\" *").await.contains("INBOX"));
    assert!(client.imap("f LOGOUT").await.contains("* BYE"));

    let addr = server.addr(Listener::ImapImplicit);
    let mut client = Client::imaps(addr).await;
    client.send(&format!("a LOGIN {{{}}}", USER.len())).await;
    assert_eq!(client.line().await, "+ OK");
    client.send(&format!("{USER} {{3+}}\r\nbad")).await;
    assert!(client.tagged("a").await.contains("a NO [AUTH"));
    client.send(&format!("b LOGIN {USER} {{5+}}")).await;
    client.send("p\"w\\d").await;
    assert_eq!(client.tagged("b").await, "b OK Logged in");

    let secret = base64(&format!("\0{USER}\0p\"w\\d"));
    let mut client = Client::imaps(addr).await;
    let reply = client.imap(&format!("a AUTHENTICATE PLAIN {secret}")).await;
    assert_eq!(reply, "a OK Logged in");
    let mut client = Client::imaps(addr).await;
    client.send("a AUTHENTICATE PLAIN").await;
    assert_eq!(client.line().await, "+");
    client.send(&secret).await;
    assert_eq!(client.tagged("a").await, "a OK Logged in");
    assert_eq!(server.logins(Protocol::Imap, USER).accepted, 4);
}

#[tokio::test]
async fn mail_is_kept() {
    let server = server();
    let mut client = Client::submission(server.addr(Listener::SmtpStarttls)).await;
    assert!(client.smtp("MAIL FROM:<a@x>").await.starts_with("530"));
    client.smtp(&auth_plain(USER, "p\"w\\d")).await;
    assert!(client.smtp("DATA").await.starts_with("503"));
    client.smtp("MAIL FROM:<a@x>").await;
    client.smtp("RCPT TO:<b@y>").await;
    assert!(client.smtp("DATA").await.starts_with("354"));
    let reply = client.smtp("Subject: x\r\n\r\n..dot\r\n.").await;
    assert!(reply.starts_with("250"));
    let message = server.messages().remove(0);
    assert_eq!(message.user.as_deref(), Some(USER));
    assert_eq!((message.from.as_str(), message.to.join(",").as_str()), ("a@x", "b@y"));
    assert_eq!(message.data, b"Subject: x\r\n\r\n.dot\r\n");
}

#[tokio::test]
async fn passwords_outside_tls_are_refused_and_counted() {
    let server = server();
    let mut client = Client::plain(server.addr(Listener::SmtpStarttls)).await;
    client.reply().await;
    assert!(!client.smtp("EHLO me").await.contains("AUTH"));
    let reply = client.smtp(&auth_plain(USER, "p\"w\\d")).await;
    assert!(reply.starts_with("530"), "{reply}");
    let mut client = Client::plain(server.addr(Listener::ImapStarttls)).await;
    client.line().await;
    assert!(client.imap("a CAPABILITY").await.contains("LOGINDISABLED"));
    let reply = client.imap("b LOGIN x y").await;
    assert!(reply.contains("PRIVACYREQUIRED"), "{reply}");
    assert_eq!(server.plaintext_passwords(), 2);

    let behaviour = Behaviour { plaintext_auth: true, ..Behaviour::default() };
    server.set(Listener::ALL, behaviour);
    let mut client = Client::plain(server.addr(Listener::SmtpStarttls)).await;
    client.reply().await;
    assert!(client.smtp("EHLO me").await.contains("AUTH PLAIN"));
    let reply = client.smtp(&auth_plain(USER, "p\"w\\d")).await;
    assert!(reply.starts_with("235"), "{reply}");
    assert_eq!(server.plaintext_passwords(), 3);
}

#[tokio::test]
async fn accounts_change_while_it_runs() {
    let server = server();
    let attempt = async |password| {
        let mut client = Client::imaps(server.addr(Listener::ImapImplicit)).await;
        client.imap(&format!("a LOGIN {USER} {password}")).await
    };
    server.set_account(USER, "new");
    assert!(attempt("new").await.contains("a OK"));
    server.remove_account(USER);
    assert!(attempt("new").await.contains("a NO"));
    server.set_accept_all(true);
    assert!(attempt("whatever").await.contains("a OK"));
}

#[tokio::test]
async fn a_thousand_connections_are_counted_and_delayed() {
    let server = ScriptedServer::builder()
        .listen(Listener::SmtpStarttls)
        .behaviour(Listener::ALL, Behaviour { reply_delay: Duration::from_millis(300), ..Behaviour::default() })
        .start()
        .unwrap();
    let addr = server.addr(Listener::SmtpStarttls);
    let begin = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        clients.spawn(async move {
            let mut client = Client::plain(addr).await;
            client.reply().await;
            client
        });
    }
    let clients = clients.join_all().await;
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(server.stats().open(), 1_000);
    drop(clients);
    server.wait_until(|stats| stats.open() == 0).await;
    let stats = server.stats();
    assert_eq!((stats.max_open, stats.connections()), (1_000, 1_000));
}

#[tokio::test]
async fn drop_closes_everything() {
    let server = server();
    let addr = server.addr(Listener::SmtpStarttls);
    let mut client = Client::plain(addr).await;
    client.reply().await;
    drop(server);
    assert_eq!(client.line().await, "");
    let error = tokio::net::TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
