//! Mailboxes of the mail platform.

mod access;
mod changes;
mod creation;
mod filters;
mod keys;
mod listing;
mod milter;
mod policy;

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::tenancy::KeyText;

use super::domains::COMPLETE;
use crate::client::Answer;
use crate::world::World;

const NOT_FOUND: (u16, &str, Option<&str>) = (404, "not_found", None);
const CONFLICT: (u16, &str, Option<&str>) = (409, "conflict", None);

const GIB: i64 = 1 << 30;

impl World {
    /// Beside a verified domain `acme.example`.
    async fn with_acme() -> Self {
        let world = Self::start().await;
        world.receiving("acme.example").await;
        world
    }

    /// A domain under which mailboxes can be had.
    async fn receiving(&self, name: &str) {
        self.domain(name, "send_receive").await;
        self.find_records(COMPLETE).await;
    }

    async fn post_mailbox(&self, body: &Value) -> Answer {
        self.sendmux(Method::POST, "/mailboxes").json(body).ask().await
    }

    /// Provisions one and gives the data of the answer.
    async fn mailbox(&self, email: &str) -> Value {
        self.post_mailbox(&json!({"email": email})).await.ok(201).clone()
    }

    /// Provisions one and gives its id.
    async fn mailbox_id(&self, email: &str) -> String {
        text(&self.mailbox(email).await["mailbox"]["id"]).to_owned()
    }

    async fn of_mailbox(&self, method: Method, id: &str, what: &str) -> Answer {
        self.sendmux(method, &format!("/mailboxes/{id}{what}")).ask().await
    }

    async fn patch_mailbox(&self, id: &str, body: &Value) -> Answer {
        self.sendmux(Method::PATCH, &format!("/mailboxes/{id}")).json(body).ask().await
    }

    /// True if `key` opens a mailbox now, so that the mail servers accept it.
    async fn lets_in(&self, key: &str) -> bool {
        self.store.mailbox_key(KeyText::new(key)).await.unwrap().is_some()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
