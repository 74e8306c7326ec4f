//! What a customer has to make: an HTTPS server that takes events, or does not, and looks at their signatures with
//! the libraries there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e_tests::LIMIT;
use mail_lab::{CertSpec, TestCa};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_native_tls::{TlsAcceptor, TlsStream};

pub(super) struct Receiver {
    pub(super) url: String,
    takes: Arc<AtomicBool>,
    posts: UnboundedReceiver<Post>,
}

/// What was posted.
#[derive(Debug)]
pub(super) struct Post {
    /// Names in lower case.
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Receiver {
    /// It takes everything.
    pub(super) async fn start() -> Self {
        let identity = TestCa::shared().issue(&CertSpec::default()).unwrap().identity().unwrap();
        let acceptor = TlsAcceptor::from(native_tls::TlsAcceptor::new(identity).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        let takes = Arc::new(AtomicBool::new(true));
        let (seen, posts) = unbounded_channel();
        let taking = takes.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), taking.clone(), seen.clone()));
            }
        });
        Self { url, takes, posts }
    }

    /// From now on, whether it takes what is posted.
    pub(super) fn takes(&self, takes: bool) {
        self.takes.store(takes, Ordering::SeqCst);
    }

    /// The next post.
    pub(super) async fn post(&mut self) -> Post {
        tokio::time::timeout(LIMIT, self.posts.recv()).await.expect("nothing is posted").unwrap()
    }

    /// What was posted and not asked for.
    pub(super) fn rest(&mut self) -> Vec<Post> {
        std::iter::from_fn(|| self.posts.try_recv().ok()).collect()
    }
}

impl Post {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the library for Standard Webhooks takes it for genuine.
    pub(super) fn is_standard(&self, secret: &str) -> bool {
        let headers: HeaderMap = ["webhook-id", "webhook-timestamp", "webhook-signature"]
            .into_iter()
            .map(|name| (name.parse().unwrap(), self.header(name).parse().unwrap()))
            .collect();
        standardwebhooks::Webhook::new(secret).unwrap().verify(&self.body, &headers).is_ok()
    }

    /// Whether this header has the HMAC of the body in hex.
    pub(super) fn is_signed(&self, header: &str, secret: &str) -> bool {
        let key = PKey::hmac(secret.as_bytes()).unwrap();
        let mac = Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(&self.body).unwrap();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        self.header(header) == format!("sha256={hex}")
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, takes: Arc<AtomicBool>, seen: UnboundedSender<Post>) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let Some(post) = read(&mut stream).await else { return };
    let status = if takes.load(Ordering::SeqCst) { "204 OK" } else { "500 No" };
    let _ = seen.send(post);
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Option<Post> {
    let mut bytes = vec![];
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(head + 4);
    let head = String::from_utf8(bytes).ok()?;
    let headers: BTreeMap<String, String> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Post { headers, body })
}
