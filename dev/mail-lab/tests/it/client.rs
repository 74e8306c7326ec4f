//! A line client for tests: plain or TLS, with the laboratory's authority as its only trusted root.

use std::net::SocketAddr;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_lab::TestCa;
use native_tls::Certificate;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub struct Client {
    io: BufReader<Box<dyn Io>>,
}

pub type TlsResult = Result<Client, native_tls::Error>;

impl Client {
    pub async fn plain(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        Self { io: BufReader::new(Box::new(stream)) }
    }

    /// Implicit TLS as `mail.example.test`.
    pub async fn tls(addr: SocketAddr) -> TlsResult {
        Self::plain(addr).await.upgrade("mail.example.test").await
    }

    pub async fn upgrade(self, name: &str) -> TlsResult {
        let stream = connector().connect(name, self.io.into_inner()).await?;
        Ok(Self { io: BufReader::new(Box::new(stream)) })
    }

    pub async fn send(&mut self, line: &str) {
        self.io.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// The next line; empty at the end of the connection.
    pub async fn line(&mut self) -> String {
        let mut bytes = Vec::new();
        // A connection that is reset is as closed as one that ended well.
        let _ = self.io.read_until(b'\n', &mut bytes).await;
        String::from_utf8_lossy(&bytes).trim_end().to_string()
    }

    /// All lines of one SMTP reply.
    pub async fn reply(&mut self) -> String {
        let mut all = Vec::new();
        loop {
            let line = self.line().await;
            let more = line.as_bytes().get(3) == Some(&b'-');
            all.push(line);
            if !more {
                return all.join("\n");
            }
        }
    }

    pub async fn smtp(&mut self, command: &str) -> String {
        self.send(command).await;
        self.reply().await
    }

    /// Everything up to and with the tagged line (or the end).
    pub async fn imap(&mut self, command: &str) -> String {
        self.send(command).await;
        let tag = command.split(' ').next().unwrap().to_string();
        self.tagged(&tag).await
    }

    pub async fn tagged(&mut self, tag: &str) -> String {
        let mut all = Vec::new();
        loop {
            let line = self.line().await;
            let last = line.is_empty() || line.starts_with(&format!("{tag} "));
            all.push(line);
            if last {
                return all.join("\n");
            }
        }
    }

    /// Greeting, EHLO, STARTTLS, EHLO.
    pub async fn submission(addr: SocketAddr) -> Self {
        let mut client = Self::plain(addr).await;
        assert!(client.reply().await.starts_with("220"));
        assert!(client.smtp("EHLO me").await.contains("STARTTLS"));
        assert!(client.smtp("STARTTLS").await.starts_with("220"));
        let mut client = client.upgrade("mail.example.test").await.unwrap();
        assert!(client.smtp("EHLO me").await.contains("AUTH PLAIN LOGIN"));
        client
    }

    pub async fn submissions(addr: SocketAddr) -> Self {
        let mut client = Self::tls(addr).await.unwrap();
        assert!(client.reply().await.starts_with("220"));
        assert!(client.smtp("EHLO me").await.contains("AUTH PLAIN LOGIN"));
        client
    }

    pub async fn imaps(addr: SocketAddr) -> Self {
        let mut client = Self::tls(addr).await.unwrap();
        assert!(client.line().await.starts_with("* OK"));
        client
    }

    pub async fn imap_starttls(addr: SocketAddr) -> Self {
        let mut client = Self::plain(addr).await;
        assert!(client.line().await.starts_with("* OK"));
        assert!(client.imap("a STARTTLS").await.contains("a OK"));
        client.upgrade("mail.example.test").await.unwrap()
    }
}

pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

pub fn auth_plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", base64(&format!("\0{user}\0{password}")))
}

/// Made once: OpenSSL reads all system roots for each connector (30 ms), even when they are not wanted.
fn connector() -> &'static tokio_native_tls::TlsConnector {
    static CONNECTOR: OnceLock<tokio_native_tls::TlsConnector> = OnceLock::new();
    CONNECTOR.get_or_init(|| {
        let root = Certificate::from_pem(&TestCa::shared().pem().unwrap()).unwrap();
        let connector =
            native_tls::TlsConnector::builder().disable_built_in_roots(true).add_root_certificate(root).build();
        connector.unwrap().into()
    })
}
