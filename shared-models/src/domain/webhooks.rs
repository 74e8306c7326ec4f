//! Webhooks: a tenant's wish to be told what happens, and what became of the telling. Pure; no I/O.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{HostedMailboxId, Timestamp, WebhookDeliveryId, WebhookEventId, WebhookId, WorkspaceId};

/// How long deliveries and what they said can be looked at.
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

/// What the receiver checks signatures with. Shown when it is made, sealed ever after.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

impl WebhookSecret {
    /// What secrets begin with that are written as in Standard Webhooks.
    pub const PREFIX: &'static str = "whsec_";

    /// Random bytes in a dialect's style.
    pub fn random(style: SecretStyle, bytes: &[u8]) -> Self {
        let text = Zeroizing::new(match style {
            SecretStyle::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            SecretStyle::Standard => format!("{}{}", Self::PREFIX, STANDARD.encode(bytes)),
        });
        Self::new(text.as_str())
    }

    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The clear text, for signatures and for the one showing.
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
pub struct Webhook {
    /// Identity.
    pub id: WebhookId,
    /// Tenant.
    pub workspace_id: WorkspaceId,
    /// Name of the dialect in which it was made.
    pub dialect: String,
    /// Where events are posted, `https`.
    pub url: String,
    /// What it is told of.
    pub event_types: Vec<String>,
    /// Shown name.
    pub name: Option<String>,
    /// The tenant's wish.
    pub enabled: bool,
    /// Its receiver took an event in none of all tries. It is told nothing more until it is enabled anew.
    pub failing: bool,
    /// Only what concerns these is told; empty = everything.
    pub mailboxes: Vec<HostedMailboxId>,
    /// How often what its receiver did not take is told again; `None` = as often as everybody.
    pub retry_attempts: Option<u32>,
    /// How long its receiver may take; `None` = as long as everybody.
    pub timeout: Option<Duration>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change of any member.
    pub updated_at: Timestamp,
}

impl Webhook {
    /// Whether it is to be told of such an event, about this mailbox if about any.
    pub fn wants(&self, event_type: &str, mailbox: Option<HostedMailboxId>) -> bool {
        self.listens()
            && self.event_types.iter().any(|wanted| wanted == event_type)
            && (self.mailboxes.is_empty() || mailbox.is_some_and(|mailbox| self.mailboxes.contains(&mailbox)))
    }

    /// Whether it is told anything at present.
    pub fn listens(&self) -> bool {
        self.enabled && !self.failing
    }
}

/// Everything needed to add a webhook.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Its dialect.
    pub dialect: WebhookDialect,
    /// Where events are posted.
    pub url: String,
    /// What it is told of.
    pub event_types: Vec<String>,
    /// Shown name.
    pub name: Option<String>,
    /// Whether it begins at once.
    pub enabled: bool,
    /// Only what concerns these is told; empty = everything.
    pub mailboxes: Vec<HostedMailboxId>,
    /// How often what its receiver did not take is told again; `None` = as often as everybody.
    pub retry_attempts: Option<u32>,
    /// How long its receiver may take; `None` = as long as everybody.
    pub timeout: Option<Duration>,
    /// What to sign with; `None` = something random.
    pub secret: Option<WebhookSecret>,
}

/// A change to a webhook; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookChange {
    /// New address.
    pub url: Option<String>,
    /// Replaces all types.
    pub event_types: Option<Vec<String>>,
    /// New name; `Some(None)` removes it.
    pub name: Option<Option<String>>,
    /// From off to on it is also no longer failing.
    pub enabled: Option<bool>,
    /// It is no longer failing in any case.
    pub revived: bool,
    /// Replaces all mailboxes.
    pub mailboxes: Option<Vec<HostedMailboxId>>,
    /// How often what its receiver did not take is told again.
    pub retry_attempts: Option<u32>,
    /// How long its receiver may take.
    pub timeout: Option<Duration>,
}

/// Something that happened, in the words of a dialect. Whoever may tell of the same thing twice gives it the
/// same id: it is told once.
#[derive(Clone, Debug)]
pub struct WebhookEvent {
    /// Identity.
    pub id: WebhookEventId,
    /// Whose words these are.
    pub dialect: WebhookDialect,
    /// What happened.
    pub event_type: String,
    /// To which mailbox, if to one.
    pub mailbox: Option<HostedMailboxId>,
    /// What is posted: JSON, which also names the id.
    pub body: String,
}

/// What a worker needs to tell a webhook of an event.
#[derive(Clone, Debug)]
pub struct WebhookJob {
    /// Name of its dialect.
    pub dialect: String,
    /// Where to post it.
    pub url: String,
    /// What to sign it with.
    pub secret: WebhookSecret,
    /// What it was signed with until not long ago: receivers that do not know the new one yet do with this one.
    pub previous_secret: Option<WebhookSecret>,
    /// How often it is told again; `None` = as often as everybody is.
    pub retry_attempts: Option<u32>,
    /// How long the receiver may take; `None` = as long as everybody may.
    pub timeout: Option<Duration>,
    /// The event.
    pub event_id: WebhookEventId,
    /// What happened.
    pub event_type: String,
    /// What is posted.
    pub body: String,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookReply {
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The beginning of what the receiver said.
    pub body: Option<String>,
    /// How long it took.
    pub millis: u64,
    /// Why there is no answer, in plain words.
    pub error: Option<String>,
}

impl WebhookReply {
    /// Only 2xx is.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryResult {
    /// The receiver took the event.
    Success,
    /// It did not, and will be asked again.
    Retrying,
    /// It did not, and was asked again, or is not to be asked any more.
    Failed,
    /// It did not, and this was the last try.
    PermanentFailure,
}

impl DeliveryResult {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Success, Self::Retrying, Self::Failed, Self::PermanentFailure];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::PermanentFailure => "permanent_failure",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

/// One try to tell one webhook of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Identity.
    pub id: WebhookDeliveryId,
    /// Of what.
    pub event_id: WebhookEventId,
    /// What happened.
    pub event_type: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// Of how many.
    pub max_attempts: u32,
    /// What became of it.
    pub result: DeliveryResult,
    /// How it ended.
    pub reply: WebhookReply,
    /// Set while it is to be repeated.
    pub next_retry_at: Option<Timestamp>,
    /// SHA-256 of what was posted, in hex.
    pub payload_sha256: String,
    /// Length of what was posted.
    pub payload_bytes: i64,
    /// When it ended.
    pub created_at: Timestamp,
}

impl WebhookDelivery {
    /// Until when it can be looked at.
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
