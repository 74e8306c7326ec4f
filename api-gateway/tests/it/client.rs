//! The one client of all tests. No answer gets past it that the document does not allow.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::document::Document;

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    pub(crate) document: Arc<Document>,
}

/// A request in the making.
#[must_use]
pub(crate) struct Call {
    client: Client,
    method: Method,
    path: String,
    documented: bool,
    request: reqwest::RequestBuilder,
}

/// An answer. The body is a string if the document declares a text, a file or a stream.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) async fn new(base: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let document: Value = http.get(format!("{base}/openapi.json")).send().await.unwrap().json().await.unwrap();
        Self { http, base, document: Arc::new(Document::read(&document)) }
    }

    /// `path` may have a query.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let request = self.http.request(method.clone(), self.url(path));
        Call { client: self.clone(), method, path: path.to_owned(), documented: true, request }
    }

    /// For what belongs to no dialect.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn call_with_key(&self, method: Method, path: &str, key: &str) -> Call {
        self.call(method, path).header("X-Api-Key", key)
    }
}

impl Call {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    pub(crate) fn raw(self, content_type: Option<&str>, body: impl Into<reqwest::Body>) -> Self {
        let request = self.request.body(body);
        Self { request: content_type.into_iter().fold(request, |r, kind| r.header(CONTENT_TYPE, kind)), ..self }
    }

    /// For paths and methods of which the document must know nothing: the answer is a failure.
    pub(crate) fn undocumented(self) -> Self {
        Self { documented: false, ..self }
    }

    /// For answers that are no JSON: a success, its headers and its text.
    pub(crate) async fn text(self) -> (HeaderMap, String) {
        let Answer { status, headers, body } = self.send().await;
        assert_eq!(status, 200, "{body}");
        (headers, body.as_str().unwrap().to_owned())
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let path = self.path.split('?').next().unwrap_or_default();
        let operation = self.client.document.operation(&self.method, path);
        if operation.is_some_and(|operation| operation.answers_text(status)) {
            return Answer { status, headers, body: Value::String(text) };
        }
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{status} {text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        match (operation, self.documented) {
            (Some(operation), true) => operation.check(status, &body),
            (None, true) => panic!("{} {path} is not documented", self.method),
            (Some(_), false) => panic!("{} {path} is documented", self.method),
            (None, false) => self.client.document.check_failure(path, &body),
        }
        Answer { status, headers, body }
    }
}

impl Answer {
    /// Status and text of a failure of ColdSend.
    pub(crate) fn detail(&self) -> (u16, &str) {
        let text = self.body["detail"].as_str();
        (self.status, text.unwrap_or_else(|| panic!("no text: {self:?}")))
    }

    /// The data of a success of SendKit.
    pub(crate) fn data(&self) -> &Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        assert_eq!(self.body["success"], true);
        &self.body["data"]
    }

    /// Status, code and message of a failure.
    pub(crate) fn failure(&self) -> (u16, &str, &str) {
        assert_eq!(self.body["success"], false, "{self:?}");
        let error = &self.body["error"];
        (self.status, error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
    }

    pub(crate) fn is_failure(&self, status: u16, code: &str) {
        let (actual_status, actual_code, _) = self.failure();
        assert_eq!((actual_status, actual_code), (status, code), "{self:?}");
    }

    /// The fields that were complained about, in order. The message names the first one.
    pub(crate) fn bad_fields(&self) -> Vec<&str> {
        let (status, code, message) = self.failure();
        assert_eq!((status, code), (400, "VALIDATION_ERROR"), "{self:?}");
        let details = self.body["error"]["details"].as_array().unwrap();
        let fields: Vec<&str> = details.iter().map(|fault| fault["field"].as_str().unwrap()).collect();
        assert!(fields[0] == "body" || message.starts_with(fields[0]), "{message}");
        fields
    }
}

/// The names of an object's members, sorted.
pub(crate) fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Percent-encodes a query value.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
