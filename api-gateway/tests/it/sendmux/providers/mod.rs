//! Sending accounts.

mod changes;
mod creation;
mod limits;
mod listing;
mod login_tests;
mod routes;

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::sending_accounts::TestOutcome;
use shared_models::events::Event;

use crate::client::Answer;
use crate::world::World;

/// The least that a provider needs.
fn minimal(name: &str) -> Value {
    json!({"name": name, "smtp_host": "smtp.mail.example", "smtp_port": 587, "smtp_protocol": "starttls",
           "smtp_username": "dana", "smtp_password": "sesame"})
}

/// A body with these members in place of its own.
fn with(body: &Value, changes: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

impl World {
    async fn post_provider(&self, body: &Value) -> Answer {
        self.sendmux(Method::POST, "/providers").json(body).ask().await
    }

    /// Adds one and gives its id.
    async fn add_provider(&self, name: &str) -> String {
        self.post_provider(&minimal(name)).await.ok(201)["id"].as_str().unwrap().to_owned()
    }

    async fn get_provider(&self, id: &str) -> Value {
        self.sendmux(Method::GET, &format!("/providers/{id}")).ask().await.ok(200).clone()
    }

    async fn patch_provider(&self, id: &str, body: &Value) -> Answer {
        self.sendmux(Method::PATCH, &format!("/providers/{id}")).json(body).ask().await
    }

    /// A POST without a body.
    async fn bid_provider(&self, id: &str, what: &str) -> Answer {
        self.sendmux(Method::POST, &format!("/providers/{id}/{what}")).ask().await
    }

    /// Does from now on what the verifier would do, with this outcome.
    fn provider_verifier(&self, outcome: TestOutcome) -> tokio::task::JoinHandle<()> {
        let (store, mut news) = (self.store.clone(), self.store.news());
        tokio::spawn(async move {
            while let Ok(event) = news.recv().await {
                let Event::LoginTestRequested(about) = event else { continue };
                if store.begin_login_test(about.login_test_id).await.unwrap().is_some() {
                    store.settle_login_test(about.login_test_id, outcome.clone(), 12).await.unwrap();
                }
            }
        })
    }

    /// Waits until a provider stands there.
    async fn until_status(&self, id: &str, status: &str) -> Value {
        let seen = async {
            loop {
                let provider = self.get_provider(id).await;
                if provider["status"] == status {
                    return provider;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.unwrap()
    }
}
