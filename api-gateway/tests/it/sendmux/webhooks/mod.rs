//! Webhooks.

mod deliveries;
mod routes;
mod subscriptions;
mod targets;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::world::World;

/// A webhook that can be tested.
fn body(url: &str) -> Value {
    json!({"url": url, "event_types": ["sendmux.test"]})
}

/// A body with these members in place of its own.
fn with(body: &Value, changes: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

impl World {
    async fn post_webhook(&self, body: &Value) -> Answer {
        self.sendmux(Method::POST, "/webhooks").json(body).ask().await
    }

    /// Adds one and gives its id and secret.
    async fn add_webhook(&self, url: &str) -> (String, String) {
        let answer = self.post_webhook(&body(url)).await;
        let text = |name: &str| answer.ok(201)[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    async fn get_webhook(&self, id: &str) -> Value {
        self.sendmux(Method::GET, &format!("/webhooks/{id}")).ask().await.ok(200).clone()
    }

    async fn patch_webhook(&self, id: &str, body: &Value) -> Answer {
        self.sendmux(Method::PATCH, &format!("/webhooks/{id}")).json(body).ask().await
    }

    /// A POST without a body.
    async fn bid_webhook(&self, id: &str, what: &str) -> Answer {
        self.sendmux(Method::POST, &format!("/webhooks/{id}/{what}")).ask().await
    }

    /// The id of the event of a test.
    async fn test_webhook(&self, id: &str) -> String {
        self.bid_webhook(id, "test").await.ok(200)["event_id"].as_str().unwrap().to_owned()
    }

    async fn deliveries(&self, id: &str) -> Vec<Value> {
        let path = format!("/webhooks/{id}/deliveries?limit=100");
        self.sendmux(Method::GET, &path).ask().await.ok(200).as_array().unwrap().clone()
    }

    /// Waits until the log of a webhook is like that.
    async fn until_log(&self, id: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let seen = async {
            loop {
                let log = self.deliveries(id).await;
                if wanted(&log) {
                    return log;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(120), seen).await.expect("the log is never like that")
    }
}
