//! Tenancy: owners with a plan, workspaces, and the API keys that open them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{ApiKeyId, CoreError, OwnerId, Timestamp, WorkspaceId};

/// The mailboxes that an owner may have, over all workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Without an active subscription no mailbox is added.
    pub subscription_active: bool,
    /// `None` if the plan sets no limit.
    pub max_mailboxes: Option<i64>,
}

/// A customer with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Owner {
    pub id: OwnerId,
    /// Address that identifies the owner on the command line.
    pub email: String,
    pub name: String,
    pub plan: Plan,
    /// Mailboxes that count against the plan now, unverified ones included.
    pub mailbox_usage: i64,
    pub created_at: Timestamp,
}

impl Owner {
    /// Checks the plan for `requested` more mailboxes.
    ///
    /// # Errors
    /// `SubscriptionRequired`, also for none; `LimitExceeded`, never for none.
    pub fn check_room(&self, requested: i64) -> Result<(), CoreError> {
        let usage = self.mailbox_usage;
        match self.plan {
            Plan { subscription_active: false, .. } => Err(CoreError::SubscriptionRequired),
            Plan { max_mailboxes: Some(limit), .. } if requested > 0 && usage + requested > limit => {
                Err(CoreError::LimitExceeded { usage, limit, requested })
            }
            Plan { .. } => Ok(()),
        }
    }
}

/// A tenant: the unit that keys, mailboxes and domains belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Workspace {
    pub id: WorkspaceId,
    /// The owner whose plan its mailboxes count against.
    pub owner_id: OwnerId,
    pub name: String,
    pub created_at: Timestamp,
}

/// A kind of key: how its text looks and what it opens. Each dialect declares its own kinds; the store keeps
/// their names only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind {
    /// Stored with every key, and its word on the command line.
    pub name: &'static str,
    /// Beginning of the text. It may be the beginning of another kind's prefix; the longest one decides.
    pub prefix: &'static str,
    /// The random rest of the text.
    pub body: KeyBody,
    /// Extent of the access of such keys.
    pub reach: KeyReach,
}

/// Extent of the access of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReach {
    /// One workspace.
    Workspace,
    /// All workspaces of an owner.
    Owner,
    /// One hosted mailbox. Such keys are made for their mailbox and are no rows of `api_keys`.
    Mailbox,
}

/// The random part of a key's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBody {
    alphabet: &'static [u8],
    length: usize,
}

impl KeyBody {
    /// 48 hexadecimal digits: 192 bits.
    pub const HEX_48: Self = Self::new(b"0123456789abcdef", 48);
    /// 40 lower-case letters and digits of Base32 (RFC 4648 section 6): 200 bits.
    pub const BASE32_40: Self = Self::new(b"abcdefghijklmnopqrstuvwxyz234567", 40);

    /// `length` characters of `alphabet`.
    ///
    /// # Panics
    /// Unless the alphabet is ASCII and its length a power of two, so that each random byte gives every character
    /// with the same chance, and the text has at least 128 bits. In a constant this is a compile error.
    pub const fn new(alphabet: &'static [u8], length: usize) -> Self {
        assert!(alphabet.is_ascii() && alphabet.len().is_power_of_two() && alphabet.len() <= 128);
        assert!(alphabet.len().ilog2() as usize * length >= 128, "a key can be guessed");
        Self { alphabet, length }
    }

    /// Random bytes that [`Self::write`] takes, and characters that it gives.
    pub fn length(&self) -> usize {
        self.length
    }

    /// One character for each byte.
    pub fn write(&self, random: &[u8]) -> String {
        random.iter().map(|byte| char::from(self.alphabet[usize::from(*byte) % self.alphabet.len()])).collect()
    }

    /// True if a text could be such a body.
    pub fn fits(&self, text: &str) -> bool {
        text.len() == self.length && text.bytes().all(|byte| self.alphabet.contains(&byte))
    }
}

impl KeyKind {
    /// The kind, out of these, that a text promises to be of by its prefix.
    pub fn of_text<'k>(kinds: impl IntoIterator<Item = &'k Self>, text: &KeyText) -> Option<&'k Self> {
        let fitting = kinds.into_iter().filter(|kind| text.expose().starts_with(kind.prefix));
        fitting.max_by_key(|kind| kind.prefix.len())
    }
}

/// The text of an API key: shown once, stored only as a hash.
#[derive(Clone)]
pub struct KeyText(SecretString);

impl KeyText {
    /// Takes a text that a caller sent or that was just made.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The clear text, for the hash and for the only answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(***)")
    }
}

/// A stored key, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// Name of its [`KeyKind`].
    pub kind: String,
    pub owner_id: OwnerId,
    /// The workspace it is bound to; `None` for owner-wide kinds.
    pub workspace_id: Option<WorkspaceId>,
    /// Its beginning, by which people recognise it.
    pub hint: String,
    /// Empty = everything that the kind allows.
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    /// From then on the key opens nothing.
    pub revoked_at: Option<Timestamp>,
    /// The key opens nothing from then on, because another key replaces it; `None` = no end.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: KeyKind = KeyKind { name: "short", prefix: "k_", body: KeyBody::HEX_48, reach: KeyReach::Workspace };
    const LONG: KeyKind = KeyKind { name: "long", prefix: "k_long_", reach: KeyReach::Owner, ..SHORT };

    #[test]
    fn the_longest_prefix_decides() {
        let of = |text: &str, kinds: &[KeyKind]| KeyKind::of_text(kinds, &KeyText::new(text)).map(|kind| kind.name);
        for kinds in [[SHORT, LONG], [LONG, SHORT]] {
            assert_eq!(of("k_0123", &kinds), Some("short"));
            assert_eq!(of("k_long_0123", &kinds), Some("long"));
            assert_eq!(of("K_0123", &kinds), None);
        }
        assert_eq!(of("k_long_0123", &[SHORT]), Some("short"), "nobody else's is known");
    }

    #[test]
    fn bodies_use_their_whole_alphabet() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(KeyBody::HEX_48.write(&bytes), "0123456789abcdef".repeat(16));
        assert_eq!(KeyBody::BASE32_40.write(&bytes), "abcdefghijklmnopqrstuvwxyz234567".repeat(8));
        let body = KeyBody::BASE32_40.write(&bytes[..40]);
        assert!(KeyBody::BASE32_40.fits(&body) && !KeyBody::BASE32_40.fits(&body[1..]) && !KeyBody::HEX_48.fits(&body));
    }
}
