//! Webhooks: a tenant's subscriptions to events, and the deliveries that follow. Pure; no I/O.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{HostedMailboxId, Timestamp, WebhookDeliveryId, WebhookEventId, WebhookId, WorkspaceId};

/// Webhooks that one workspace may have in one dialect. Each event of the workspace is compared with all of them.
pub const MAX_WEBHOOKS: i64 = 50;

/// A replaced secret signs this long beside the new one, so that receivers can change over.
pub const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// Deliveries and their replies can be read this long.
pub const DELIVERIES_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// A dialect that has webhooks. The types, bodies and headers of its events are the dialect's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WebhookDialect {
    /// The stored word.
    pub name: &'static str,
    /// How it writes secrets.
    pub secrets: SecretStyle,
}

/// How the random bytes of a secret are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretStyle {
    /// Lower-case hexadecimal digits.
    Hex,
    /// [`WebhookSecret::PREFIX`] and Base64, as in Standard Webhooks.
    Standard,
}

/// The secret with which the receiver checks signatures. Shown once, when it is made; sealed in the database.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

impl WebhookSecret {
    /// The beginning of secrets that are written as in Standard Webhooks.
    pub const PREFIX: &'static str = "whsec_";

    /// Random bytes in a dialect's spelling: in hex, or as in Standard Webhooks.
    pub fn random(style: SecretStyle, bytes: &[u8]) -> Self {
        let text = Zeroizing::new(match style {
            SecretStyle::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            SecretStyle::Standard => format!("{}{}", Self::PREFIX, STANDARD.encode(bytes)),
        });
        Self::new(text.as_str())
    }

    /// Takes a secret as the receiver has it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The clear text, for signatures and for the only answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}

/// A webhook as read from the store. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Webhook {
    pub id: WebhookId,
    pub workspace_id: WorkspaceId,
    /// Name of the dialect in which it was made.
    pub dialect: String,
    /// The `https` address that events are posted to.
    pub url: String,
    /// The event types that it wants, in the words of its dialect.
    pub event_types: Vec<String>,
    pub name: Option<String>,
    /// The tenant's switch.
    pub enabled: bool,
    /// Every attempt to deliver some event failed. It receives nothing more until it is enabled anew or revived.
    pub failing: bool,
    /// Only events of these mailboxes are delivered; empty for all events.
    pub mailboxes: Vec<HostedMailboxId>,
    /// Repetitions of a failed delivery; `None` for the service's default.
    pub retry_attempts: Option<u32>,
    /// Bound on the receiver's answer; `None` for the service's default.
    pub timeout: Option<Duration>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Webhook {
    /// True if such an event has to be delivered. `mailbox` is the mailbox that the event is about, if it is about one.
    pub fn wants(&self, event_type: &str, mailbox: Option<HostedMailboxId>) -> bool {
        self.listens()
            && self.event_types.iter().any(|wanted| wanted == event_type)
            && (self.mailboxes.is_empty() || mailbox.is_some_and(|mailbox| self.mailboxes.contains(&mailbox)))
    }

    /// True if it receives anything at present.
    pub fn listens(&self) -> bool {
        self.enabled && !self.failing
    }
}

/// A webhook to be added.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewWebhook {
    pub dialect: WebhookDialect,
    pub url: String,
    pub event_types: Vec<String>,
    pub name: Option<String>,
    /// False for a webhook that is added switched off.
    pub enabled: bool,
    pub mailboxes: Vec<HostedMailboxId>,
    pub retry_attempts: Option<u32>,
    pub timeout: Option<Duration>,
    /// The secret to sign with; `None` for a random one.
    pub secret: Option<WebhookSecret>,
}

/// A change to a webhook; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct WebhookChange {
    pub url: Option<String>,
    /// Replaces all earlier types.
    pub event_types: Option<Vec<String>>,
    /// `Some(None)` removes the name.
    pub name: Option<Option<String>>,
    /// Switching on also ends the state of failing.
    pub enabled: Option<bool>,
    /// Ends the state of failing in any case.
    pub revived: bool,
    /// Replaces all earlier mailboxes.
    pub mailboxes: Option<Vec<HostedMailboxId>>,
    pub retry_attempts: Option<u32>,
    pub timeout: Option<Duration>,
}

impl WebhookChange {
    /// The webhook after the change. Switching on ends the state of failing.
    #[must_use]
    pub fn applied_to(self, before: Webhook) -> Webhook {
        let enabled = self.enabled.unwrap_or(before.enabled);
        Webhook {
            url: self.url.unwrap_or(before.url),
            event_types: self.event_types.unwrap_or(before.event_types),
            name: self.name.unwrap_or(before.name),
            enabled,
            failing: before.failing && !self.revived && (before.enabled || !enabled),
            mailboxes: self.mailboxes.unwrap_or(before.mailboxes),
            retry_attempts: self.retry_attempts.or(before.retry_attempts),
            timeout: self.timeout.or(before.timeout),
            ..before
        }
    }
}

/// An event in the words of a dialect. An event that is announced twice has the same id both times, and is delivered
/// once.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct WebhookEvent {
    pub id: WebhookEventId,
    pub dialect: WebhookDialect,
    pub event_type: String,
    /// The mailbox that it is about, if about one.
    pub mailbox: Option<HostedMailboxId>,
    /// The body that is posted: JSON, which also contains the id.
    pub body: String,
}

/// The input of one attempt to deliver an event.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct WebhookJob {
    /// Name of the webhook's dialect.
    pub dialect: String,
    pub url: String,
    pub secret: WebhookSecret,
    /// The secret before the last rotation, while it still signs: some receivers do not know the new one yet.
    pub previous_secret: Option<WebhookSecret>,
    pub retry_attempts: Option<u32>,
    pub timeout: Option<Duration>,
    pub event_id: WebhookEventId,
    pub event_type: String,
    pub body: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
}

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookReply {
    /// The HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The beginning of the receiver's answer.
    pub body: Option<String>,
    /// Time from the request to the end of the answer.
    pub millis: u64,
    /// The reason for which there is no answer, in plain words.
    pub error: Option<String>,
}

impl WebhookReply {
    /// True for a status from 200 to 299.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// The consequence of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryResult {
    /// The receiver accepted the event.
    Success,
    /// The receiver did not accept it, and the attempt will be repeated.
    Retrying,
    /// The receiver did not accept it. The attempt was repeated, or will not be.
    Failed,
    /// The receiver did not accept it, and this was the last attempt.
    PermanentFailure,
}

impl DeliveryResult {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Success, Self::Retrying, Self::Failed, Self::PermanentFailure];

    /// The word that rows of the database hold.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::PermanentFailure => "permanent_failure",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

/// One attempt to deliver one event to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct WebhookDelivery {
    pub id: WebhookDeliveryId,
    pub event_id: WebhookEventId,
    pub event_type: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Attempts that there are at most, this one included.
    pub max_attempts: u32,
    pub result: DeliveryResult,
    pub reply: WebhookReply,
    /// The time of the next attempt, while one is to come.
    pub next_retry_at: Option<Timestamp>,
    /// SHA-256 of the posted body, in hex.
    pub payload_sha256: String,
    /// Length in bytes of the posted body.
    pub payload_bytes: i64,
    pub created_at: Timestamp,
}

impl WebhookDelivery {
    /// The time until which it can be read.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(DELIVERIES_KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_told_what_it_asked_for() {
        let (mine, other) = (HostedMailboxId::new(), HostedMailboxId::new());
        let all = Webhook {
            id: WebhookId::new(),
            workspace_id: WorkspaceId::new(),
            dialect: "sendmux".to_owned(),
            url: String::new(),
            event_types: vec!["a".to_owned(), "b".to_owned()],
            name: None,
            enabled: true,
            failing: false,
            mailboxes: vec![],
            retry_attempts: None,
            timeout: None,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        };
        for mailbox in [None, Some(mine)] {
            assert!(all.wants("a", mailbox) && all.wants("b", mailbox) && !all.wants("c", mailbox));
        }
        let one = Webhook { mailboxes: vec![mine], ..all.clone() };
        assert!(one.wants("a", Some(mine)) && !one.wants("a", Some(other)) && !one.wants("a", None));
        for deaf in [Webhook { enabled: false, ..all.clone() }, Webhook { failing: true, ..all }] {
            assert!(!deaf.wants("a", None));
        }
    }

    #[test]
    fn random_secrets_are_written_as_the_dialect_does() {
        let written = |style| WebhookSecret::random(style, &[0, 0xff]).expose().to_owned();
        assert_eq!((written(SecretStyle::Hex), written(SecretStyle::Standard)), ("00ff".into(), "whsec_AP8=".into()));
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", WebhookSecret::new("whsec_x")), "WebhookSecret(***)");
    }
}
