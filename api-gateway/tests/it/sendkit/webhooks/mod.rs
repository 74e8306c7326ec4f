//! Webhooks.

mod announcements;
mod deliveries;
mod routes;
mod subscriptions;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::world::World;

/// A webhook that asked for everything.
fn body(url: &str) -> Value {
    json!({"name": "n", "url": url,
           "events": ["mailbox.activated", "mailbox.failed", "mailbox.dns_changed", "webhook.test"]})
}

impl World {
    async fn post_hook(&self, body: &Value) -> Answer {
        self.post("/v1/webhooks", body).await
    }

    /// Adds one and gives its id and secret.
    async fn add_hook(&self, body: &Value) -> (String, String) {
        let answer = self.post_hook(body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |name: &str| answer.data()[name].as_str().unwrap().to_owned();
        (text("_id"), text("secret"))
    }

    async fn hook(&self, id: &str) -> Value {
        self.get(&format!("/v1/webhooks/{id}")).await.data().clone()
    }

    async fn patch_hook(&self, id: &str, body: &Value) -> Answer {
        self.patch(&format!("/v1/webhooks/{id}"), body).await
    }

    /// A POST without a body.
    async fn bid_hook(&self, id: &str, what: &str) -> Answer {
        self.call(Method::POST, &format!("/v1/webhooks/{id}/{what}")).send().await
    }

    /// The id of the event of a test.
    async fn test_hook(&self, id: &str) -> String {
        self.bid_hook(id, "test").await.data()["eventId"].as_str().unwrap().to_owned()
    }

    /// Waits until the log of a webhook is like that.
    async fn until_told(&self, id: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let seen = async {
            loop {
                let answer = self.get(&format!("/v1/webhooks/{id}/deliveries?limit=100")).await;
                let log = answer.data().as_array().unwrap();
                if wanted(log) {
                    return log.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.expect("the log is never like that")
    }
}
