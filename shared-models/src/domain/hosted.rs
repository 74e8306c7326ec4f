//! Hosted mailboxes: mailboxes that the mail platform itself serves, and the keys that open them.

use serde::{Deserialize, Serialize};

use super::tenancy::KeyText;
use super::{
    CoreError, CredentialId, DomainId, EmailAddress, FieldError, HostedMailboxId, SendingAccountId, Timestamp,
    WorkspaceId,
};

/// The space that a mailbox can have, in bytes: 1, 5 or 50 GiB.
pub const QUOTA_TIERS: [i64; 3] = [1 << 30, 5 << 30, 50 << 30];
/// Bound on the unrevoked keys of one mailbox.
pub const MAX_KEYS: i64 = 25;
/// Characters at the beginning of a key that are no secret: they select the row. The mail servers' queries use the same
/// number.
pub const KEY_PREFIX_CHARS: usize = 20;

/// Local parts that the mail servers themselves write as.
const RESERVED: [&str; 2] = ["mailer-daemon", "double-bounce"];

/// The status of a hosted mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostedStatus {
    /// It accepts mail, and its keys open it.
    Active,
    /// It accepts neither mail nor logins. Its mail is kept.
    Suspended,
    /// Deleted for good; only the record stays.
    Deleted,
}

impl HostedStatus {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Deleted];

    /// The word in rows of the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// The sending accounts through which a mailbox may send. The order of the ids is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendScope {
    /// Any sending account of the workspace.
    #[default]
    All,
    /// Only these; at least one.
    Providers(Vec<SendingAccountId>),
}

impl SendScope {
    /// The same scope with each account once.
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

/// A mailbox that the mail platform serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct HostedMailbox {
    /// The mail servers name its folder after the id, so that a later mailbox of the same address is empty.
    pub id: HostedMailboxId,
    pub workspace_id: WorkspaceId,
    pub domain_id: DomainId,
    /// Unique among all mailboxes that are not deleted.
    pub email: EmailAddress,
    pub display_name: Option<String>,
    /// In bytes, one of [`QUOTA_TIERS`].
    pub quota_bytes: i64,
    pub send_scope: SendScope,
    pub status: HostedStatus,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A hosted mailbox to be provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewHostedMailbox {
    /// The address; see [`is_hosted_form`] for its form.
    pub email: EmailAddress,
    pub display_name: Option<String>,
    /// One of [`QUOTA_TIERS`], which the store checks.
    pub quota_bytes: i64,
    pub send_scope: SendScope,
    /// Faults that the caller found in the rest of the request. They are reported together with those of the store,
    /// after everything that is checked before.
    pub faults: Vec<FieldError>,
}

/// A change to a hosted mailbox; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostedMailboxChange {
    /// `Some(None)` removes the name.
    pub display_name: Option<Option<String>>,
    /// One of [`QUOTA_TIERS`], which the store checks.
    pub quota_bytes: Option<i64>,
    /// Replaces the whole earlier scope.
    pub send_scope: Option<SendScope>,
    /// As [`NewHostedMailbox::faults`]: found by the caller.
    pub faults: Vec<FieldError>,
}

impl HostedMailboxChange {
    /// The mailbox after the change.
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

/// A key, without its text. A mailbox may have several, so that one program can be locked out alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct MailboxKey {
    pub id: CredentialId,
    pub mailbox_id: HostedMailboxId,
    /// The program that it was made for, as named by the tenant.
    pub app_name: String,
    /// The first [`KEY_PREFIX_CHARS`] characters, no secret.
    pub prefix: String,
    /// The last characters, by which people recognise it.
    pub suffix: String,
    pub created_at: Timestamp,
}

/// A key as it is shown once: it signs in to mail access and submission.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct IssuedKey {
    /// The key as it is known from now on.
    pub key: MailboxKey,
    pub text: KeyText,
    /// The address that a mail program signs in with.
    pub username: EmailAddress,
}

/// A new mailbox with its first key.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct ProvisionedMailbox {
    pub mailbox: HostedMailbox,
    /// The first key of the mailbox.
    pub key: IssuedKey,
}

/// The state of a mailbox as the mail servers need it, deleted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct HostedStanding {
    /// The name that its users sign in with.
    pub email: EmailAddress,
    pub status: HostedStatus,
    /// It is deleted, and another mailbox has its address.
    pub is_succeeded: bool,
}

/// The answer to the question whether an address can become a hosted mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Nothing is against it now.
    Available,
    /// It is not an address, or not of the form that hosted mailboxes have.
    InvalidEmail,
    /// The tenant has no verified domain of this name that receives mail.
    DomainNotAvailable,
    /// A mailbox that is not deleted has it.
    Taken,
    /// The mail servers themselves write as this address.
    Reserved,
}

/// True if an address has the form of a hosted mailbox. Before the `@`: letters, digits and `_%+-`, with single dots
/// between them; then a domain whose last label consists of letters. Everything else is legal (RFC 5321), but has a
/// meaning of its own in one mail program or another.
pub fn is_hosted_form(email: &EmailAddress) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_%+-".contains(&b);
    let local = email.local_part().split('.').all(|part| !part.is_empty() && part.bytes().all(is_plain));
    let last = email.domain().rsplit('.').next().unwrap_or_default();
    // An internationalised top-level domain is written with digits and hyphens.
    let top = last.starts_with("xn--") || last.bytes().all(|b| b.is_ascii_lowercase());
    local && top && (2..=63).contains(&last.len())
}

/// True if the mail servers themselves write as this address.
pub fn is_reserved(email: &EmailAddress) -> bool {
    RESERVED.contains(&email.local_part())
}

/// The fault of a name that would get into the headers of messages, if it has one.
pub fn name_fault(field: &str, name: &str) -> Option<FieldError> {
    name.chars().any(char::is_control).then(|| FieldError::new(field, "must not contain control characters"))
}

/// The fault of a quota that is not one of [`QUOTA_TIERS`].
pub fn quota_fault(bytes: i64) -> Option<FieldError> {
    let wrong =
        || FieldError::new("quota_bytes", format!("must be one of {}", QUOTA_TIERS.map(|t| t.to_string()).join(", ")));
    (!QUOTA_TIERS.contains(&bytes)).then(wrong)
}

/// [`CoreError::Invalid`] with these faults, unless there are none.
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
