//! The connected mailbox: its settings, its status and what its checks found.

use crate::domain::{Credentials, DnsReport, EmailAddress, Finding, MailboxId, ServerEndpoint, Timestamp, WorkspaceId};

/// The status of a mailbox. Each dialect has words of its own for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailboxStatus {
    /// Accepted; the first verification is under way.
    Unverified,
    /// Accepted without a verification; cannot send.
    Pending,
    /// The logins were accepted.
    Active,
    /// A verification refused it, and the mailbox was kept.
    Failed,
}

impl MailboxStatus {
    const ALL: [Self; 4] = [Self::Unverified, Self::Pending, Self::Active, Self::Failed];

    /// The word that rows of the database hold.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// True if the result of a verification counts; in any other status it is dropped as superseded.
    pub fn takes_a_verdict(self) -> bool {
        matches!(self, Self::Unverified | Self::Pending)
    }
}

/// The mail provider named by the customer: a label that no rule uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum ProviderLabel {
    Gmail,
    Outlook,
    /// Microsoft 365 through an Entra application.
    Azure,
    Custom,
}

impl ProviderLabel {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Gmail, Self::Outlook, Self::Azure, Self::Custom];

    /// The stored word, which is also SendKit's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gmail => "gmail",
            Self::Outlook => "outlook",
            Self::Azure => "azure",
            Self::Custom => "custom",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }
}

/// The fate of a mailbox whose first verification is refused; the dialect that creates it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalPolicy {
    /// The mailbox is deleted and its slot on the plan returned.
    Delete,
    /// The mailbox stays, with status `Failed`.
    Keep,
}

impl RefusalPolicy {
    /// The word that rows of the database hold.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Keep => "keep",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Delete, Self::Keep].into_iter().find(|policy| policy.as_str() == word)
    }
}

/// The DNS report of a mailbox's domain, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct DnsSetup {
    pub report: DnsReport,
    pub checked_at: Timestamp,
}

/// A mailbox as read from the store. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Mailbox {
    pub id: MailboxId,
    pub workspace_id: WorkspaceId,
    /// Unique in its workspace, case ignored.
    pub email: EmailAddress,
    /// The address as its dialect received it, if that differs from `email`.
    pub email_as_given: Option<String>,
    pub display_name: String,
    pub provider: ProviderLabel,
    pub status: MailboxStatus,
    /// Mails a day, from 1; each dialect has a maximum of its own.
    pub daily_send_limit: i32,
    /// The owner's switch; mail flows only while `status` is active.
    pub sending_enabled: bool,
    pub signature: Option<String>,
    pub tags: Vec<String>,
    pub smtp: ServerEndpoint,
    pub imap: ServerEndpoint,
    /// The IMAP host was not given but derived from the SMTP host.
    pub imap_guessed: bool,
    /// The remedy of the last fault, also of one that is not held against the mailbox.
    pub last_error: Option<String>,
    /// `None` until the first DNS check is done.
    pub dns: Option<DnsSetup>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A mailbox to be added.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewMailbox {
    pub email: EmailAddress,
    pub email_as_given: Option<String>,
    pub display_name: String,
    pub provider: ProviderLabel,
    /// Mails a day, from 1; each dialect has a maximum of its own.
    pub daily_send_limit: i32,
    pub signature: Option<String>,
    pub tags: Vec<String>,
    pub smtp: ServerEndpoint,
    pub imap: ServerEndpoint,
    pub imap_guessed: bool,
    pub credentials: Credentials,
    pub on_refusal: RefusalPolicy,
}

/// A change to a mailbox; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct MailboxChange {
    pub display_name: Option<String>,
    /// From 1; the dialect has the maximum.
    pub daily_send_limit: Option<i32>,
    /// `Some(None)` removes the signature.
    pub signature: Option<Option<String>>,
    pub sending_enabled: Option<bool>,
    /// Replaces all earlier tags.
    pub tags: Option<Vec<String>>,
}

impl MailboxChange {
    /// True if the change starts the verification of a mailbox that was accepted without one: its owner wants to send.
    pub fn asks_for_verification(&self, before: &Mailbox) -> bool {
        self.sending_enabled == Some(true) && !before.sending_enabled && before.status == MailboxStatus::Pending
    }
}

/// The state of a mailbox's verification, remembered also after a refused mailbox is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionTest {
    /// No verification has ended yet.
    Pending,
    /// The logins were accepted.
    Passed,
    /// Refused, with the reason that decided.
    Failed(Box<Finding>),
}

/// The input of one verification. The vault has opened the secrets.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct VerificationJob {
    pub mailbox: Mailbox,
    pub credentials: Credentials,
    /// A refusal that was recorded before the process that received it died. This password is not sent to the server
    /// again.
    pub recorded_refusal: Option<Box<Finding>>,
    /// Attempts of this verification that ended without a verdict.
    pub attempts_made: u32,
}
