//! Mailboxes that the mail platform itself serves, and the keys that open them.

use serde::{Deserialize, Serialize};

use super::tenancy::KeyText;
use super::{
    CoreError, CredentialId, DomainId, EmailAddress, FieldError, HostedMailboxId, SendingAccountId, Timestamp,
    WorkspaceId,
};

/// The space that a mailbox can have, in bytes: 1, 5 or 50 GiB.
pub const QUOTA_TIERS: [i64; 3] = [1 << 30, 5 << 30, 50 << 30];
/// Unrevoked keys of one mailbox at most.
pub const MAX_KEYS: i64 = 25;
/// Characters at the beginning of a key that are no secret: they choose the row. The mail servers' queries
/// take the same number.
pub const KEY_PREFIX_CHARS: usize = 20;

/// Local parts that the mail servers themselves write as.
const RESERVED: [&str; 2] = ["mailer-daemon", "double-bounce"];

/// Whether a mailbox works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostedStatus {
    /// It takes mail, and its keys open it.
    Active,
    /// Nothing gets in or out. What is in it stays.
    Suspended,
    /// Gone for good, but for the record of it.
    Deleted,
}

impl HostedStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Deleted];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Through which of the team's sending accounts a mailbox may send. The order of the ids is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendScope {
    /// Any.
    #[default]
    All,
    /// These; at least one.
    Providers(Vec<SendingAccountId>),
}

impl SendScope {
    /// The same with each sending account once.
    #[must_use]
    pub fn without_repetitions(self) -> Self {
        let Self::Providers(ids) = self else { return self };
        let mut once: Vec<SendingAccountId> = Vec::with_capacity(ids.len());
        for id in ids {
            if !once.contains(&id) {
                once.push(id);
            }
        }
        Self::Providers(once)
    }
}

/// A mailbox of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedMailbox {
    /// Identity. Its mail is kept under this name, so that a later mailbox of the same address is empty.
    pub id: HostedMailboxId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
    /// The domain of its address.
    pub domain_id: DomainId,
    /// Its address. Of all mailboxes that are not deleted only one has it.
    pub email: EmailAddress,
    /// Shown name.
    pub display_name: Option<String>,
    /// Its space in bytes, one of [`QUOTA_TIERS`].
    pub quota_bytes: i64,
    /// How it may send.
    pub send_scope: SendScope,
    /// Whether it works.
    pub status: HostedStatus,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// A mailbox that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHostedMailbox {
    /// Its address; see [`is_hosted_form`].
    pub email: EmailAddress,
    /// Shown name.
    pub display_name: Option<String>,
    /// Should be one of [`QUOTA_TIERS`].
    pub quota_bytes: i64,
    /// How it is to send.
    pub send_scope: SendScope,
    /// What else is wrong with the request. It is told with what is found here, once nothing that comes
    /// before it stands against the mailbox.
    pub faults: Vec<FieldError>,
}

/// What is to change; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostedMailboxChange {
    /// `Some(None)` takes it away.
    pub display_name: Option<Option<String>>,
    /// Should be one of [`QUOTA_TIERS`].
    pub quota_bytes: Option<i64>,
    /// Replaces what was there.
    pub send_scope: Option<SendScope>,
    /// As in [`NewHostedMailbox`].
    pub faults: Vec<FieldError>,
}

impl HostedMailboxChange {
    /// The mailbox as it is to be.
    #[must_use]
    pub fn applied_to(self, before: HostedMailbox) -> HostedMailbox {
        HostedMailbox {
            display_name: self.display_name.unwrap_or(before.display_name),
            quota_bytes: self.quota_bytes.unwrap_or(before.quota_bytes),
            send_scope: self.send_scope.map_or(before.send_scope, SendScope::without_repetitions),
            ..before
        }
    }
}

/// A key, without its text. A mailbox has several: each of its programs can be locked out alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxKey {
    /// Identity.
    pub id: CredentialId,
    /// What it opens.
    pub mailbox_id: HostedMailboxId,
    /// What it was made for.
    pub app_name: String,
    /// The first [`KEY_PREFIX_CHARS`] characters.
    pub prefix: String,
    /// The last characters, for people to recognise it by.
    pub suffix: String,
    /// Creation.
    pub created_at: Timestamp,
}

/// A key as it is shown once: it signs in to mail access and submission.
#[derive(Clone, Debug)]
pub struct IssuedKey {
    /// What is known of it later on.
    pub key: MailboxKey,
    /// The secret.
    pub text: KeyText,
    /// The address to sign in as.
    pub username: EmailAddress,
}

/// A new mailbox with its first key.
#[derive(Clone, Debug)]
pub struct ProvisionedMailbox {
    /// The mailbox.
    pub mailbox: HostedMailbox,
    /// What opens it.
    pub key: IssuedKey,
}

/// What the mail servers have to do with a mailbox, deleted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedStanding {
    /// As whom its users sign in.
    pub email: EmailAddress,
    /// Whether it works.
    pub status: HostedStatus,
    /// It is deleted, and another mailbox has its address.
    pub is_succeeded: bool,
}

/// Whether an address could become a mailbox's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Available,
    /// It is none, or not of the form that mailboxes have here.
    InvalidEmail,
    /// The tenant has no verified domain of this name that receives mail.
    DomainNotAvailable,
    /// A mailbox has it.
    Taken,
    /// The mail servers write as it.
    Reserved,
}

/// Whether an address has the form of a hosted mailbox's: letters, digits and `_%+-` with single dots
/// between them before the `@`, and a top-level domain of letters. Everything else is legal (RFC 5321), but
/// means something of its own in one mail program or another.
pub fn is_hosted_form(email: &EmailAddress) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_%+-".contains(&b);
    let local = email.local_part().split('.').all(|part| !part.is_empty() && part.bytes().all(is_plain));
    let last = email.domain().rsplit('.').next().unwrap_or_default();
    // An internationalised top-level domain is written with digits and hyphens.
    let top = last.starts_with("xn--") || last.bytes().all(|b| b.is_ascii_lowercase());
    local && top && (2..=63).contains(&last.len())
}

/// Whether the mail servers themselves write as this address.
pub fn is_reserved(email: &EmailAddress) -> bool {
    RESERVED.contains(&email.local_part())
}

/// What is wrong with a name, if anything: it gets into the headers of messages.
pub fn name_fault(field: &str, name: &str) -> Option<FieldError> {
    name.chars().any(char::is_control).then(|| FieldError::new(field, "must not contain control characters"))
}

/// What is wrong with a quota, if anything.
pub fn quota_fault(bytes: i64) -> Option<FieldError> {
    let wrong =
        || FieldError::new("quota_bytes", format!("must be one of {}", QUOTA_TIERS.map(|t| t.to_string()).join(", ")));
    (!QUOTA_TIERS.contains(&bytes)).then(wrong)
}

/// The error that names all of these, if there are any.
pub fn refused(faults: Vec<FieldError>) -> Result<(), CoreError> {
    if faults.is_empty() { Ok(()) } else { Err(CoreError::Invalid(faults)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn email(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    #[test]
    fn knows_the_form_of_its_addresses() {
        for good in ["a@acme.example", "a.b_c+d-e%f@mail.acme.co", "0@x.xn--p1ai", "Kim@Acme.Example"] {
            assert!(is_hosted_form(&email(good)), "{good}");
        }
        for bad in [
            "a*b@acme.example",
            "a/b@acme.example",
            "o'neil@acme.example",
            "a=b@acme.example",
            "a@acme.t",
            "a@acme.t3st",
        ] {
            assert!(!is_hosted_form(&email(bad)), "{bad}");
        }
        assert!(is_reserved(&email("MAILER-DAEMON@acme.example")) && !is_reserved(&email("postmaster@acme.example")));
    }

    #[test]
    fn scopes_are_stored_in_one_way() {
        let id: SendingAccountId = "66c0ffee12ab34cd56ef7890".parse().unwrap();
        for (scope, json) in [
            (SendScope::All, r#""all""#),
            (SendScope::Providers(vec![id]), r#"{"providers":["66c0ffee12ab34cd56ef7890"]}"#),
        ] {
            assert_eq!(serde_json::to_string(&scope).unwrap(), json);
            assert_eq!(serde_json::from_str::<SendScope>(json).unwrap(), scope);
        }
    }
}
