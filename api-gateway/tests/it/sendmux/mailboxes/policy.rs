//! Answers of the policy service that Postfix asks before it accepts a message.

use std::sync::Arc;

use api_gateway::mail_platform::MailPlatform;
use reqwest::Method;
use serde_json::json;
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use service_runtime::settings::MailPlatformSettings;
use service_runtime::shutdown::CancellationToken;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// One question; as Postfix writes it, in pieces.
async fn ask(stream: &mut TcpStream, sender: &str, recipient: &str) -> String {
    let question = format!("request=smtpd_access_policy\nsender={sender}\nrecipient={recipient}\nsize=12=3\n\n");
    let (begin, end) = question.split_at(40);
    for piece in [begin, end] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut answer = vec![];
    while !answer.ends_with(b"\n\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection was closed");
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_is_told_whom_a_recipient_takes_mail_from() {
    let world = World::with_acme().await;
    let port = mail_lab::free_port("127.0.0.1".parse().unwrap()).unwrap();
    let settings = json!({
        "hostname": "mail.example", "imap_port": 993, "smtp_port": 587, "doveadm_url": "", "doveadm_api_key": "",
        "policy_listen": format!("127.0.0.1:{port}"), "milter_listen": "",
    });
    let settings: MailPlatformSettings = serde_json::from_value(settings).unwrap();
    let (stop, broker) = (CancellationToken::new(), EmbeddedBroker::new(world.store.clone(), Sharing::Alone));
    let platform = MailPlatform::open(&settings, &world.store).await.unwrap();
    let running = tokio::spawn(platform.run(Arc::new(broker), stop.clone()));

    let id = world.mailbox_id("kim@acme.example").await;
    let rules = json!({"mode": "denylist", "rules": [{"type": "deny", "pattern": "bad.example"}]});
    world.sendmux(Method::PUT, &format!("/mailboxes/{id}/filters")).json(&rules).ask().await.ok(200);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    for (sender, recipient, refused) in [
        ("eve@good.example", "kim@acme.example", false),
        ("Eve@BAD.example", "Kim@ACME.example", true),
        ("", "kim@acme.example", false),
        ("eve@bad.example", "nobody@acme.example", false),
    ] {
        let answer = ask(&mut stream, sender, recipient).await;
        let expected = if refused { "action=550 5.7.1 " } else { "action=DUNNO\n\n" };
        assert!(answer.starts_with(expected), "{sender} to {recipient}: {answer}");
    }
    // Whoever never comes to an end is not listened to for ever.
    let mut endless = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // It may be closed before all is written.
    let _ = endless.write_all(&b"x".repeat(100_000)).await;
    let mut rest = vec![];
    let _ = endless.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    stop.cancel();
    running.await.unwrap();
}
