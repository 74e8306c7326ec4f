//! A receiver of webhooks: a real HTTPS server that records its requests and answers as its script says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail_lab::{CertSpec, TestCa};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_native_tls::{TlsAcceptor, TlsStream};

/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// One step of the receiver's script: its reaction to a post.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// This status, with this text.
    Answer(u16, String),
    /// A redirect to this address.
    Redirect(String),
    /// Says nothing.
    Wait,
    /// Ends the connection.
    Drop,
}

/// A request that the receiver got.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) struct Receiver {
    port: u16,
    script: Arc<Mutex<VecDeque<Does>>>,
    posts: UnboundedReceiver<Post>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// With the standard certificate of the laboratory, which is good for `localhost` and 127.0.0.1.
    pub(crate) async fn start() -> Self {
        Self::with(CertSpec::default()).await
    }

    pub(crate) async fn with(certificate: CertSpec) -> Self {
        let identity = TestCa::shared().issue(&certificate).unwrap().identity().unwrap();
        let acceptor = TlsAcceptor::from(native_tls::TlsAcceptor::new(identity).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::<Mutex<VecDeque<Does>>>::default();
        let (seen, posts) = unbounded_channel();
        let task = tokio::spawn({
            let script = script.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, acceptor.clone(), script.clone(), seen.clone()));
                }
            }
        });
        Self { port, script, posts, task }
    }

    pub(crate) fn url(&self) -> String {
        self.at("localhost")
    }

    /// The same under another name.
    pub(crate) fn at(&self, host: &str) -> String {
        format!("https://{host}:{}/in?team=1", self.port)
    }

    /// Appends to the script, one step for each post. A post without a step is answered with 200.
    pub(crate) fn will(&self, what: impl IntoIterator<Item = Does>) {
        self.script.lock().unwrap().extend(what);
    }

    /// The next post.
    pub(crate) async fn post(&mut self) -> Post {
        tokio::time::timeout(PATIENCE, self.posts.recv()).await.expect("no post came").unwrap()
    }

    /// True if no further post has arrived. Otherwise, it takes that post.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.posts.try_recv().is_err()
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    script: Arc<Mutex<VecDeque<Does>>>,
    seen: UnboundedSender<Post>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let Some(post) = read(&mut stream).await else { return };
    let does = script.lock().unwrap().pop_front().unwrap_or(Does::Answer(200, "thanks".to_owned()));
    let _ = seen.send(post);
    let answer = match does {
        Does::Answer(status, text) => {
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{text}", text.len())
        }
        Does::Redirect(to) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        Does::Wait => std::future::pending().await,
        Does::Drop => return,
    };
    let _ = stream.write_all(answer.as_bytes()).await;
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
    let head = String::from_utf8(bytes).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Post { line, headers, body })
}
