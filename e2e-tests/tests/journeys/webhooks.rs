//! A customer of Sendmux is told what happens, over HTTPS; what their server does not take comes again, also
//! after the system was killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e_tests::{Client, Deployment, LIMIT, Plan, eventually};
use mail_lab::{CertSpec, TestCa};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_native_tls::TlsAcceptor;

use crate::setup;

/// An HTTPS server that passes on the head of each request, and takes events or not.
struct Receiver {
    url: String,
    takes: Arc<AtomicBool>,
    heads: UnboundedReceiver<String>,
}

impl Receiver {
    async fn start() -> Self {
        let identity = TestCa::shared().issue(&CertSpec::default()).unwrap().identity().unwrap();
        let acceptor = TlsAcceptor::from(native_tls::TlsAcceptor::new(identity).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        let takes = Arc::<AtomicBool>::default();
        let (seen, heads) = unbounded_channel();
        let taking = takes.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), taking.clone(), seen.clone()));
            }
        });
        Self { url, takes, heads }
    }

    async fn head(&mut self) -> String {
        tokio::time::timeout(LIMIT, self.heads.recv()).await.expect("nothing is posted").unwrap()
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, takes: Arc<AtomicBool>, seen: UnboundedSender<String>) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut bytes = vec![];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let _ = seen.send(String::from_utf8_lossy(&bytes).to_lowercase());
    let status = if takes.load(Ordering::SeqCst) { "204 OK" } else { "500 No" };
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn sendmux(system: &Deployment) -> Client {
    let tenant = system.tenant(Plan::Unlimited).await;
    let made = system.admin(&["key", "create", "--kind", "sendmux-root", "--workspace", &tenant.workspace]).await;
    system.anonymous().with_header("Authorization", &format!("Bearer {}", made["key"].as_str().unwrap()))
}

async fn log_of(api: &Client, id: &str) -> Vec<Value> {
    let reply = api.get(&format!("/api/v1/webhooks/{id}/deliveries")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_comes_again_after_a_kill() {
    let mut receiver = Receiver::start().await;
    let mut system = setup().with("MAILMOOR__WEBHOOKS__RETRY_SECONDS", "3, 3, 3, 3, 3, 3, 3").start().await;
    let api = sendmux(&system).await;
    let body = json!({"url": receiver.url, "event_types": ["sendmux.test"]});
    let created = api.post("/api/v1/webhooks", &body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.body["data"]["id"].as_str().unwrap();
    let test = api.send(api.request(Method::POST, &format!("/api/v1/webhooks/{id}/test"))).await.unwrap();
    let event = test.body["data"]["event_id"].as_str().unwrap_or_else(|| panic!("{}", test.text));
    let first = receiver.head().await;
    assert!(first.contains("x-sendmux-delivery-attempt: 1\r\n"), "{first}");
    eventually("the first try in the log", async || {
        let log = log_of(&api, id).await;
        if log.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
    })
    .await;
    system.kill9().await;
    receiver.takes.store(true, Ordering::SeqCst);
    system.restart().await;
    let second = receiver.head().await;
    assert!(second.contains(&format!("x-sendmux-event-id: {event}\r\n")), "{second}");
    assert!(second.contains("x-sendmux-delivery-attempt: 2\r\n"), "{second}");
    let log = eventually("the second try in the log", async || {
        let log = log_of(&api, id).await;
        if log.len() == 2 { Ok(log) } else { Err(format!("{log:?}")) }
    })
    .await;
    let told = |index: usize| (&log[index]["result"], &log[index]["delivery_attempt"], &log[index]["response_status"]);
    assert_eq!(told(0), (&json!("success"), &json!(2), &json!(204)));
    assert_eq!(told(1), (&json!("failed"), &json!(1), &json!(500)));
}
