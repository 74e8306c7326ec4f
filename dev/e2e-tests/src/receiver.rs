//! A customer's HTTPS server for webhooks. Signatures are checked with published libraries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

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

use crate::LIMIT;

/// A receiver of webhooks on the loopback interface, with a certificate of the laboratory's authority.
pub struct Receiver {
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    posts: UnboundedReceiver<Post>,
}

#[derive(Clone, Copy)]
pub enum Answer {
    /// 204.
    Accept,
    /// 500.
    Refuse,
    /// Nothing; the connection stays open.
    Silence,
}

/// A post as it arrived.
#[derive(Debug)]
pub struct Post {
    /// Names in lower case.
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Receiver {
    /// Starts a receiver that accepts everything.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start() -> Self {
        let identity = TestCa::shared().issue(&CertSpec::default()).unwrap().identity().unwrap();
        let acceptor = TlsAcceptor::from(native_tls::TlsAcceptor::new(identity).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        let answer = Arc::new(Mutex::new(Answer::Accept));
        let (seen, posts) = unbounded_channel();
        let answering = answer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), answering.clone(), seen.clone()));
            }
        });
        Self { url, answer, posts }
    }

    /// Changes how posts are answered that arrive from now on.
    ///
    /// # Panics
    /// When a test panicked meanwhile.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Waits for the next post.
    ///
    /// # Panics
    /// When none comes within [`LIMIT`].
    pub async fn post(&mut self) -> Post {
        tokio::time::timeout(LIMIT, self.posts.recv()).await.expect("nothing is posted").unwrap()
    }

    /// The posts that have arrived and were not returned by [`Self::post`].
    pub fn rest(&mut self) -> Vec<Post> {
        std::iter::from_fn(|| self.posts.try_recv().ok()).collect()
    }
}

impl Post {
    /// A header by its name in lower case.
    ///
    /// # Panics
    /// When there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The body.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// True if the library for Standard Webhooks accepts the signature.
    ///
    /// # Panics
    /// When a header is missing, or the secret is not one.
    pub fn is_standard(&self, secret: &str) -> bool {
        let headers: HeaderMap = ["webhook-id", "webhook-timestamp", "webhook-signature"]
            .into_iter()
            .map(|name| (name.parse().unwrap(), self.header(name).parse().unwrap()))
            .collect();
        standardwebhooks::Webhook::new(secret).unwrap().verify(&self.body, &headers).is_ok()
    }

    /// True if this header is the HMAC-SHA256 of the body, in hexadecimal.
    ///
    /// # Panics
    /// When the header is missing.
    pub fn is_signed(&self, header: &str, secret: &str) -> bool {
        let key = PKey::hmac(secret.as_bytes()).unwrap();
        let mac = Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(&self.body).unwrap();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        self.header(header) == format!("sha256={hex}")
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, answer: Arc<Mutex<Answer>>, seen: UnboundedSender<Post>) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let Some(post) = read(&mut stream).await else { return };
    let answer = *answer.lock().unwrap();
    let _ = seen.send(post);
    let status = match answer {
        Answer::Accept => "204 OK",
        Answer::Refuse => "500 No",
        Answer::Silence => std::future::pending().await,
    };
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
