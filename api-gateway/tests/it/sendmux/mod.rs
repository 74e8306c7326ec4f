//! The Sendmux dialect.

mod conditional;
mod domain_filters;
mod domain_verification;
mod domains;
mod failures;
mod frame;
mod idempotency;
mod mailboxes;
mod me;
mod permissions;
mod providers;
mod webhooks;

use reqwest::Method;
use serde_json::Value;
use shared_models::domain::WorkspaceId;
use shared_models::store::NewApiKey;

use crate::client::{Answer, Call};
use crate::world::{World, key_kind};

const BASE: &str = "/api/v1";

/// A path of this dialect.
fn at(path: &str) -> String {
    format!("{BASE}{path}")
}

impl World {
    /// A request with the team's key. `path` goes on after the prefix.
    fn sendmux(&self, method: Method, path: &str) -> Call {
        self.sendmux_with(method, path, &self.sendmux_key)
    }

    fn sendmux_with(&self, method: Method, path: &str, key: &str) -> Call {
        self.client.call(method, &at(path)).header("Authorization", &format!("Bearer {key}"))
    }

    /// Another key of the team.
    async fn sendmux_key(&self, permissions: &[&str]) -> String {
        let scopes = permissions.iter().map(|&name| name.to_owned()).collect();
        let new =
            NewApiKey { kind: key_kind("sendmux-root"), owner: self.owner, workspace: Some(self.workspace), scopes };
        self.store.create_api_key(new).await.unwrap().1.expose().to_owned()
    }

    /// Another team, with its key.
    async fn sendmux_stranger(&self) -> (WorkspaceId, String) {
        let workspace = self.store.create_workspace(self.owner, "strangers").await.unwrap().id;
        (workspace, self.make_key("sendmux-root", self.owner, Some(workspace)).await)
    }
}

impl Call {
    /// Sends it, and checks what every answer of this dialect has.
    async fn ask(self) -> Answer {
        let answer = self.send().await;
        check_frame(&answer);
        answer
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// The data of a success of Sendmux.
    fn ok(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{self:?}");
        &self.body["data"]
    }

    /// Status, code and `param` of a failure of Sendmux.
    fn error(&self) -> (u16, &str, Option<&str>) {
        let error = &self.body["error"];
        (self.status, error["code"].as_str().unwrap_or_else(|| panic!("{self:?}")), error["param"].as_str())
    }

    /// Field and code of each bad field.
    fn faults(&self) -> Vec<(&str, &str)> {
        let faults = self.body["error"]["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        faults.iter().map(|fault| (fault["field"].as_str().unwrap(), fault["code"].as_str().unwrap())).collect()
    }
}

/// Checks the headers and the envelope that all answers have in common.
fn check_frame(answer: &Answer) {
    let id = answer.header("x-request-id");
    assert!(is_id("req_", id), "{id}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let (status, body) = (answer.status, &answer.body);
    if let Value::Object(members) = body {
        assert_eq!(body["meta"], serde_json::json!({"request_id": id}));
        assert_eq!(body["ok"], status < 400, "{answer:?}");
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        let pages = if body["pagination"].is_object() {
            &["data", "meta", "ok", "pagination"][..]
        } else {
            &["data", "meta", "ok"]
        };
        assert_eq!(names, if status < 400 { pages } else { &["error", "meta", "ok"] }, "{answer:?}");
    } else {
        assert!(status < 400, "{answer:?}");
    }
    if status >= 400 {
        assert_eq!(body["error"]["retryable"], status == 429 || status >= 500, "{answer:?}");
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        check_faults(answer);
    }
    let closes = answer.headers.get("connection").is_some_and(|value| value == "close");
    // The server also closes after what it did not read.
    assert!(closes || status != 409 && status < 500, "{answer:?}");
    let waits = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
    assert_eq!(waits.is_some(), status == 429 || status >= 500, "{answer:?}");
    assert_ne!(waits, Some(0));
    assert_eq!(answer.headers.contains_key("location"), status == 201, "{answer:?}");
}

fn check_faults(answer: &Answer) {
    let error = &answer.body["error"];
    let Some(faults) = error["errors"].as_array() else { return };
    assert!(matches!(answer.status, 400 | 422) && !faults.is_empty(), "{answer:?}");
    assert_eq!(error["param"], faults[0]["field"], "{answer:?}");
    for fault in faults {
        let names: Vec<&str> = fault.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "field", "message"]);
    }
}

/// True if `id` is `prefix`, `cl` and 23 lower-case letters or digits, as this dialect spells ids.
fn is_id(prefix: &str, id: &str) -> bool {
    let tail = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("cl"));
    tail.is_some_and(|tail| tail.len() == 23 && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}
