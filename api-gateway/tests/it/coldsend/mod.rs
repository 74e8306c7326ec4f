//! The ColdSend dialect.

mod authentication;
mod bodies;
mod bulk_creation;
mod bulk_deletion;
mod creation;
mod failures;
mod fields;
mod listing;
mod one;
mod rate_limits;
mod scopes;
mod test_emails;

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::{
    Credentials, EmailAddress, LoginSecret, Mailbox, MailboxId, Password, Security, ServerEndpoint, WorkspaceId,
};
use shared_models::events::Event;
use shared_models::store::{NewApiKey, Settlement};
use tokio::task::JoinHandle;

use crate::client::{Answer, Call};
use crate::sendkit::settled::accepted;
use crate::world::{World, key_kind};

const ACCOUNTS: &str = "/api/public/v1/sender-accounts";
/// A UUID that no gateway has ever given to anything.
const FOREIGN: &str = "7b0f6c1e-52a4-4d0b-9c67-2a1d9be0c3f4";

/// A whole body. The secrets in it are looked for in answers.
fn account(local_part: &str) -> Value {
    json!({
        "email_address": format!("{local_part}@out.example"), "display_name": "Kim Vale", "inbox_type": "CUSTOM_SMTP",
        "smtp_host": "smtp.out.example", "smtp_port": 587, "smtp_username": "smtp-login", "smtp_password": "sesame one",
        "imap_host": "imap.out.example", "imap_port": 993, "imap_username": "imap-login", "imap_password": "sesame two",
    })
}

/// The body with some members changed, `null` included.
fn changed(mut body: Value, changes: &Value) -> Value {
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

/// The body without a member.
fn without(mut body: Value, name: &str) -> Value {
    assert!(body.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    body
}

fn new_mailbox(local_part: &str) -> NewMailbox {
    let server = |host: &str, port| ServerEndpoint::parse(host, port, Security::Required).unwrap();
    let login = || LoginSecret { username: local_part.to_owned(), password: Password::new("sesame") };
    NewMailbox {
        email: EmailAddress::parse(&format!("{local_part}@out.example")).unwrap(),
        email_as_given: None,
        display_name: local_part.to_owned(),
        provider: ProviderLabel::Custom,
        daily_send_limit: 100,
        signature: None,
        tags: vec![],
        smtp: server("smtp.out.example", 587),
        imap: server("imap.out.example", 993),
        imap_guessed: false,
        credentials: Credentials { smtp: login(), imap: login() },
        on_refusal: RefusalPolicy::Keep,
    }
}

/// Ends a worker with the test.
struct Worker(JoinHandle<()>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    fn coldsend(&self, method: Method, path: &str) -> Call {
        self.client.call_with_key(method, path, &self.coldsend_key)
    }

    async fn cs_get(&self, path: &str) -> Answer {
        self.coldsend(Method::GET, path).send().await
    }

    async fn cs_post(&self, path: &str, body: &Value) -> Answer {
        self.coldsend(Method::POST, path).json(body).send().await
    }

    async fn cs_delete(&self, path: &str) -> Answer {
        self.coldsend(Method::DELETE, path).send().await
    }

    async fn cs_create(&self, body: &Value) -> Answer {
        self.cs_post(&format!("{ACCOUNTS}/smtp"), body).await
    }

    /// A verifier that finds this of every new mailbox.
    fn verifier(&self, settlement: Settlement) -> Worker {
        let (store, mut news) = (self.store.clone(), self.store.news());
        Worker(tokio::spawn(async move {
            while let Ok(event) = news.recv().await {
                if let Event::MailboxCreated(about) = event {
                    store.settle_verification(about.mailbox_id, settlement.clone()).await.unwrap();
                }
            }
        }))
    }

    /// A mailbox that nobody has looked at yet.
    async fn unverified(&self, new: NewMailbox) -> Mailbox {
        self.store.create_mailbox(self.workspace, self.owner, new).await.unwrap()
    }

    /// A mailbox that may send.
    async fn active(&self, new: NewMailbox) -> MailboxId {
        let id = self.unverified(new).await.id;
        self.settle(id, accepted(None)).await;
        id
    }

    /// Its UUID, by the list.
    async fn uuid_of(&self, local_part: &str) -> String {
        let found = self.cs_get(&format!("{ACCOUNTS}?search={local_part}%40")).await;
        let items = found.body["sender_accounts"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{found:?}");
        items[0]["inbox_id"].as_str().unwrap().to_owned()
    }

    async fn scoped_key(&self, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let new = NewApiKey { kind: key_kind("coldsend"), owner: self.owner, workspace: Some(self.workspace), scopes };
        self.store.create_api_key(new).await.unwrap().1.expose().to_owned()
    }

    /// Another team, with its key.
    async fn other_team(&self) -> (WorkspaceId, String) {
        let workspace = self.store.create_workspace(self.owner, "other").await.unwrap().id;
        (workspace, self.make_key("coldsend", self.owner, Some(workspace)).await)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A UUID as this dialect writes it.
fn is_uuid(value: &Value) -> bool {
    let text = text(value);
    let parsed = uuid::Uuid::parse_str(text).unwrap();
    text == parsed.hyphenated().to_string() && parsed.get_version_num() == 4
}

fn is_time(value: &Value) -> bool {
    let shape: String = text(value).chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

/// Place, message and type of each bad field.
fn faults<'a>(answer: &'a Answer) -> Vec<(Value, &'a str, &'a str)> {
    assert_eq!(answer.status, 422, "{answer:?}");
    let faults = answer.body["detail"].as_array().unwrap();
    assert!(!faults.is_empty());
    let told = |fault: &'a Value| (fault["loc"].clone(), text(&fault["msg"]), text(&fault["type"]));
    faults.iter().map(told).collect()
}

/// The places alone, joined by dots.
fn places(answer: &Answer) -> Vec<String> {
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
    let join = |(loc, ..): &(Value, &str, &str)| loc.as_array().unwrap().iter().map(step).collect::<Vec<_>>().join(".");
    faults(answer).iter().map(join).collect()
}
