//! A client of the SendKit dialect, as a customer would write it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::eventually;

/// The file in which a program says where it listens. It changes with every start, and there is none while the
/// program is down.
pub(crate) type AddressFile = Arc<Path>;

fn url(file: &Path, path: &str) -> String {
    match std::fs::read_to_string(file) {
        Ok(address) if !address.is_empty() => format!("http://{address}{path}"),
        // Nothing listens on port 9 here: as long as the system is down, requests fail.
        _ => format!("http://127.0.0.1:9{path}"),
    }
}

#[derive(Default)]
pub(crate) struct Transcript(Mutex<String>);

impl Transcript {
    fn add(&self, text: &str) {
        let mut all = self.0.lock().unwrap();
        all.push_str(text);
        all.push('\n');
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// Speaks to one program of a deployment, over all its restarts, always with the same headers. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: AddressFile,
    transcript: Arc<Transcript>,
    headers: HeaderMap,
}

impl Client {
    pub(crate) fn new(address: AddressFile, transcript: Arc<Transcript>) -> Self {
        // Without a pool: a connection belongs to the runtime of the test that opened it, and tests share systems.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0);
        let http = http.no_proxy().timeout(Duration::from_secs(60)).tls_certs_only([]);
        Self { http: http.build().expect("an HTTP client"), address, transcript, headers: HeaderMap::new() }
    }

    /// The same for another program.
    pub(crate) fn of(&self, address: AddressFile) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same with one more header, such as `X-Api-Key`.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        other.headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        other
    }

    /// Where a path is now; it changes with every start.
    pub fn url(&self, path: &str) -> String {
        url(&self.address, path)
    }

    /// A request to be completed by the test; see [`Self::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, url(&self.address, path)).headers(self.headers.clone())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the system is not there, or dies while it answers.
    pub async fn send(&self, request: RequestBuilder) -> Result<Reply, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        self.transcript.add(&format!("{headers:?}\n{text}"));
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status, headers, body, text })
    }

    /// GET. Errors as [`Self::send`].
    pub async fn try_get(&self, path: &str) -> Result<Reply, reqwest::Error> {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST /v1/mailboxes`. Errors as [`Self::send`].
    pub async fn try_create(&self, body: &Value) -> Result<Reply, reqwest::Error> {
        self.send(self.request(Method::POST, "/v1/mailboxes").json(body)).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.try_get(path).await.expect("an answer")
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await.expect("an answer")
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await.expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await.expect("an answer")
    }

    pub async fn create(&self, body: &Value) -> Reply {
        self.try_create(body).await.expect("an answer")
    }

    /// Adds a mailbox that must be accepted; its id.
    pub async fn add(&self, body: &Value) -> String {
        self.create(body).await.data(201)["_id"].as_str().expect("an id").to_owned()
    }

    pub async fn mailbox(&self, id: &str) -> Reply {
        self.get(&format!("/v1/mailboxes/{id}")).await
    }

    pub async fn connection_test(&self, id: &str) -> Value {
        self.get(&format!("/v1/mailboxes/{id}/connection-test")).await.data(200).clone()
    }

    /// Polls the connection test until it is no longer pending.
    pub async fn settled(&self, id: &str) -> Value {
        eventually("the verification to end", || async {
            let test = self.connection_test(id).await;
            if test["status"] == "pending" { Err(test.to_string()) } else { Ok(test) }
        })
        .await
    }

    /// Waits for a verification that must succeed, and returns the mailbox, which must be active.
    pub async fn active(&self, id: &str) -> Value {
        let test = self.settled(id).await;
        assert_eq!(test, json!({"status": "passed"}));
        let mailbox = self.mailbox(id).await.data(200).clone();
        assert_eq!((&mailbox["status"], &mailbox["sendingEnabled"]), (&json!("active"), &json!(true)), "{mailbox}");
        mailbox
    }

    /// Waits for a verification that must fail, and returns the connection test. The mailbox must be gone.
    pub async fn refused(&self, id: &str) -> Value {
        let test = self.settled(id).await;
        assert_eq!(test["status"], "failed", "{test}");
        self.mailbox(id).await.error(404, "NOT_FOUND");
        test
    }

    /// `GET /v1/mailboxes?{query}`, the whole envelope.
    pub async fn list(&self, query: &str) -> Value {
        let reply = self.get(&format!("/v1/mailboxes?{query}")).await;
        reply.data(200);
        reply.body
    }

    /// How many mailboxes fit the query; empty = all.
    pub async fn count(&self, query: &str) -> i64 {
        self.list(query).await["pagination"]["total"].as_i64().expect("a total")
    }

    /// Waits for the DNS check, and returns the answer of `/health`.
    pub async fn health(&self, id: &str) -> Value {
        eventually("the DNS check", || async {
            let health = self.get(&format!("/v1/mailboxes/{id}/health")).await.data(200).clone();
            if health["dns"]["mx"]["status"] == "pending" { Err(health.to_string()) } else { Ok(health) }
        })
        .await
    }
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body as JSON; `null` when it is none.
    pub body: Value,
    pub text: String,
}

impl Reply {
    /// The `data` of a success with this status.
    #[track_caller]
    pub fn data(&self, status: u16) -> &Value {
        assert_eq!((self.status, &self.body["success"]), (status, &json!(true)), "{}", self.text);
        self.body.get("data").unwrap_or_else(|| panic!("no data in {}", self.text))
    }

    /// The `error` of a failure with this status and code, in the dialect's envelope and nothing else.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.text);
        let members = self.body.as_object().expect("an object");
        assert!(members.len() == 2 && members["success"] == json!(false), "{}", self.text);
        let content_type = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(content_type, Some("application/json"), "{}", self.text);
        let error = &members["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", self.text);
        error
    }
}

/// The body that adds a mailbox with one password for both servers. Tests change members as they need.
pub fn mailbox(email: &str, password: &str, smtp: SocketAddr, imap: SocketAddr) -> Value {
    json!({
        "email": email,
        "smtp": {"host": smtp.ip().to_string(), "port": smtp.port(), "password": password},
        "imap": {"host": imap.ip().to_string(), "port": imap.port()},
    })
}
