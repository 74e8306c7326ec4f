//! Replies of the milter about a message that a mailbox submits. Here the test speaks the protocol; in the journeys,
//! Postfix does.

use std::sync::Arc;

use api_gateway::mail_platform::MailPlatform;
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use service_runtime::settings::MailPlatformSettings;
use service_runtime::shutdown::CancellationToken;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// First packet of Postfix 3.7: the negotiation (`SMFIC_OPTNEG`).
const OFFER: &[u8] = b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";

/// Postfix's end.
struct Talk(TcpStream);

impl Talk {
    async fn tell(&mut self, packet: &[u8]) {
        self.0.write_u32(u32::try_from(packet.len()).unwrap()).await.unwrap();
        self.0.write_all(packet).await.unwrap();
    }

    /// The next answer.
    async fn answer(&mut self) -> Vec<u8> {
        let mut packet = vec![0; self.0.read_u32().await.unwrap() as usize];
        self.0.read_exact(&mut packet).await.unwrap();
        packet
    }

    async fn ask(&mut self, packet: &[u8]) -> Vec<u8> {
        self.tell(packet).await;
        self.answer().await
    }

    /// The answer to a message of whoever has signed in as this.
    async fn submit(&mut self, login: &str, from: &str) -> Vec<u8> {
        self.tell(format!("DM{{auth_authen}}\0{login}\0").as_bytes()).await;
        assert_eq!(self.ask(format!("M<{login}>\0").as_bytes()).await, b"c");
        self.tell(format!("LFrom\0 {from}\0").as_bytes()).await;
        let header = self.ask(b"N").await;
        if header != b"c" {
            return header;
        }
        self.tell(b"Bhello\r\n").await;
        self.ask(b"E").await
    }

    /// It was closed, without an answer.
    async fn closed(mut self) {
        let mut rest = vec![];
        // TCP resets a connection that is closed before all data was read. That error is ignored.
        let _ = self.0.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_gets_a_signature_or_a_refusal() {
    let world = World::with_acme().await;
    let port = mail_lab::free_port("127.0.0.1".parse().unwrap()).unwrap();
    let mut settings = MailPlatformSettings::at("mail.example", 993, 587);
    settings.milter_listen = Some(([127, 0, 0, 1], port).into());
    let (stop, broker) = (CancellationToken::new(), EmbeddedBroker::new(world.store.clone(), Sharing::Alone));
    let platform = MailPlatform::open(&settings, &world.store).await.unwrap();
    let running = tokio::spawn(platform.run(Arc::new(broker), stop.clone()));
    let connect = async || Talk(TcpStream::connect(("127.0.0.1", port)).await.unwrap());

    let kim = world.mailbox_id("kim@acme.example").await;
    let mut postfix = connect().await;
    assert_eq!(postfix.ask(OFFER).await, b"O\0\0\0\x06\0\0\0\x01\0\x18\x03\x8b");
    for _ in 0..2 {
        let field = String::from_utf8(postfix.submit("kim@acme.example", "Kim <kim@acme.example>").await).unwrap();
        assert!(field.starts_with("i\0\0\0\0DKIM-Signature\0 v=1; a=rsa-sha256; c=relaxed/relaxed; d=acme.example;"));
        assert_eq!(postfix.answer().await, b"c");
    }
    let refused = postfix.submit("kim@acme.example", "ben@acme.example").await;
    assert_eq!(refused, b"y550 5.7.1 From: must be the mailbox's own address\0");
    let unknown = postfix.submit("ben@acme.example", "ben@acme.example").await;
    assert_eq!(unknown, b"y451 4.3.0 The message cannot be signed now\0");
    assert_eq!(postfix.ask(b"M<kim@acme.example>\0").await, b"a", "nobody has signed in");
    // The key is read for each message, so a deleted mailbox cannot sign.
    world.of_mailbox(reqwest::Method::DELETE, &kim, "").await.ok(200);
    let gone = postfix.submit("kim@acme.example", "kim@acme.example").await;
    assert!(gone.starts_with(b"y451"), "{}", gone.escape_ascii());
    postfix.tell(b"Q").await;
    postfix.closed().await;

    for hostile in [b"N".as_slice(), b"O\0", b"LFrom\0x", b"\xff", b"O\0\0\0\x02\0\0\0\0\0\0\0\0"] {
        let mut talk = connect().await;
        talk.tell(hostile).await;
        talk.closed().await;
    }
    for length in [0, u32::MAX] {
        let mut talk = connect().await;
        talk.0.write_u32(length).await.unwrap();
        talk.closed().await;
    }
    let mut endless = connect().await;
    // It may be closed before all is written.
    let _ = endless.0.write_all(&b"x".repeat(100_000)).await;
    endless.closed().await;
    // Whoever stops in the middle of a packet keeps nobody else away, and not the end either.
    let mut silent = connect().await;
    silent.0.write_all(b"\0\0\0\x0dO\0").await.unwrap();
    assert_eq!(connect().await.ask(OFFER).await[0], b'O');
    stop.cancel();
    running.await.unwrap();
}
