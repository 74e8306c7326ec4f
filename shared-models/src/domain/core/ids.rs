//! Typed identifiers. Each kind is its own type, so that a workspace id can never be passed where a
//! mailbox id is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct MalformedId;

/// 12 bytes: 6 of Unix milliseconds, 2 of a counter, 4 random. Later ids of one process sort after
/// earlier ones, which is what "newest first" pages are made of.
fn next_id() -> [u8; 12] {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    let floor = millis << 16;
    // Many ids within one millisecond count upwards; the counter may run a little ahead of the clock.
    let ticket = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(floor.max(last + 1)))
        .map_or(floor, |last| floor.max(last + 1));
    let mut id = [0; 12];
    id[..8].copy_from_slice(&ticket.to_be_bytes());
    id[8..].copy_from_slice(&Uuid::new_v4().as_bytes()[..4]);
    id
}

macro_rules! object_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 12]);

        impl $name {
            /// A new id, sorting after all earlier ones of this process.
            #[allow(clippy::new_without_default, reason = "an id has no default value")]
            pub fn new() -> Self {
                Self(next_id())
            }

            /// A number for advisory locks. Two ids may share one, which is rare and only makes one wait for the other.
            pub fn lock_key(self) -> i64 {
                let mut tail = [0; 8];
                tail.copy_from_slice(&self.0[4..]);
                i64::from_be_bytes(tail)
            }

            /// The bytes, for dialects that spell ids in another way.
            pub fn to_bytes(self) -> [u8; 12] {
                self.0
            }

            /// Reads what [`Self::to_bytes`] returned.
            pub fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&hex(&self.0)).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                parse_hex(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;
            fn try_from(text: String) -> Result<Self, MalformedId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )* };
}

object_id! {
    /// A customer with a plan, who owns workspaces.
    OwnerId,
    /// The tenant: keys and mailboxes belong to a workspace.
    WorkspaceId,
    /// A connected mailbox of a workspace.
    MailboxId,
    /// An API key, without its text.
    ApiKeyId,
    /// An import of many mailboxes in one request.
    ImportId,
    /// A deletion of many mailboxes in one request.
    DeletionId,
    /// A test message through a mailbox.
    TestEmailId,
    /// A domain that mail is sent and received for.
    DomainId,
    /// A mailbox that this platform hosts.
    HostedMailboxId,
    /// A credential of a hosted mailbox, without its text.
    CredentialId,
    /// A tenant's own SMTP account.
    SendingAccountId,
    /// A test of a sending account's login.
    LoginTestId,
    /// A request for a higher limit.
    LimitIncreaseId,
    /// A tenant's subscription to events.
    WebhookId,
    /// An event as webhooks receive it.
    WebhookEventId,
    /// One attempt to deliver an event to a webhook.
    WebhookDeliveryId,
}

fn hex(id: &[u8; 12]) -> [u8; 24] {
    let mut text = [0; 24];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    text
}

/// Lower case only, so that one object has one spelling.
fn parse_hex(text: &str) -> Result<[u8; 12], MalformedId> {
    let bytes = text.as_bytes();
    if bytes.len() != 24 || bytes.iter().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(MalformedId);
    }
    let mut id = [0; 12];
    for (byte, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
        let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    Ok(id)
}

/// The id of an event: a version 7 UUID (RFC 9562).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// A new id, sorting after earlier ones by its time.
    #[allow(clippy::new_without_default, reason = "an id has no default value")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

/// The id under which webhooks receive an event depends on the event's id alone: its time and its random end (RFC 9562
/// section 5.7). An event that is announced twice is delivered once.
impl From<EventId> for WebhookEventId {
    fn from(event: EventId) -> Self {
        let bytes = event.0.as_bytes();
        let mut id = [0; 12];
        id[..6].copy_from_slice(&bytes[..6]);
        id[6..].copy_from_slice(&bytes[10..]);
        Self(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_survive_a_round_trip() {
        let ids: Vec<MailboxId> = (0..10_000).map(|_| MailboxId::new()).collect();
        assert!(ids.is_sorted());
        for id in ids {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn the_same_event_is_told_under_the_same_id() {
        let told = |event: EventId| WebhookEventId::from(event);
        let (one, other) = (EventId::new(), EventId::new());
        assert!(told(one) == told(one) && told(one) != told(other));
        let known = EventId(Uuid::from_u128(0x01a1fc00_303b_7c3e_9d52_0c05f1b4a6e7));
        assert_eq!(told(known).to_string(), "01a1fc00303b0c05f1b4a6e7");
    }

    #[test]
    fn malformed_ids_are_refused() {
        for bad in [
            "",
            "66c0ffee12ab34cd56ef789",
            "66C0FFEE12ab34cd56ef7890",
            "66c0ffee12ab34cd56ef78901",
            "66c0ffee12ab34cd56ef789ü",
        ] {
            assert_eq!(bad.parse::<MailboxId>(), Err(MalformedId), "{bad}");
        }
    }
}
