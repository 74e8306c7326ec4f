//! The mailbox and what is known about it.

use crate::domain::{Credentials, DnsReport, EmailAddress, Finding, MailboxId, ServerEndpoint, Timestamp, WorkspaceId};

/// Where a mailbox stands. Each dialect has words of its own for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailboxStatus {
    /// Accepted, first verification under way.
    Unverified,
    /// Accepted without a verification; cannot send.
    Pending,
    /// Logins accepted.
    Active,
    /// A verification refused it and the mailbox was kept.
    Failed,
}

impl MailboxStatus {
    const ALL: [Self; 4] = [Self::Unverified, Self::Pending, Self::Active, Self::Failed];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// True if the result of a verification counts; in any other status it is dropped as superseded.
    pub fn takes_a_verdict(self) -> bool {
        matches!(self, Self::Unverified | Self::Pending)
    }
}

/// The mail provider named by the customer; a label, no rule hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderLabel {
    /// Google.
    Gmail,
    /// Outlook.com and Microsoft 365.
    Outlook,
    /// Microsoft 365 through an Entra application.
    Azure,
    /// Anything else.
    Custom,
}

impl ProviderLabel {
    /// All providers.
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

    /// The reverse of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }
}

/// What becomes of a mailbox whose first verification is refused; the dialect that creates it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalPolicy {
    /// The mailbox is deleted and its place on the plan given back.
    Delete,
    /// The mailbox stays as `Failed`.
    Keep,
}

impl RefusalPolicy {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Keep => "keep",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Delete, Self::Keep].into_iter().find(|policy| policy.as_str() == word)
    }
}

/// A stored DNS verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSetup {
    /// The verdict.
    pub report: DnsReport,
    /// When it was found.
    pub checked_at: Timestamp,
}

/// A mailbox as read from the store. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Identity.
    pub id: MailboxId,
    /// Tenant.
    pub workspace_id: WorkspaceId,
    /// Address, unique in the workspace.
    pub email: EmailAddress,
    /// The address as its dialect was given it, where that differs from the above.
    pub email_as_given: Option<String>,
    /// Shown name.
    pub display_name: String,
    /// Label.
    pub provider: ProviderLabel,
    /// Where it stands.
    pub status: MailboxStatus,
    /// Mails a day, at least 1; each dialect has a maximum of its own.
    pub daily_send_limit: i32,
    /// The owner's wish; mail flows only while `status` is active.
    pub sending_enabled: bool,
    /// HTML signature.
    pub signature: Option<String>,
    /// Free strings.
    pub tags: Vec<String>,
    /// Submission server.
    pub smtp: ServerEndpoint,
    /// Mail access server.
    pub imap: ServerEndpoint,
    /// The IMAP host was not given but derived from the SMTP host.
    pub imap_guessed: bool,
    /// What the last check complained about.
    pub last_error: Option<String>,
    /// `None` until the first DNS check is done.
    pub dns: Option<DnsSetup>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change of any member.
    pub updated_at: Timestamp,
}

/// Everything needed to add a mailbox.
#[derive(Clone, Debug)]
pub struct NewMailbox {
    /// Address.
    pub email: EmailAddress,
    /// See [`Mailbox::email_as_given`].
    pub email_as_given: Option<String>,
    /// Shown name.
    pub display_name: String,
    /// Label.
    pub provider: ProviderLabel,
    /// Mails a day, at least 1; each dialect has a maximum of its own.
    pub daily_send_limit: i32,
    /// HTML signature.
    pub signature: Option<String>,
    /// Free strings.
    pub tags: Vec<String>,
    /// Submission server.
    pub smtp: ServerEndpoint,
    /// Mail access server.
    pub imap: ServerEndpoint,
    /// See [`Mailbox::imap_guessed`].
    pub imap_guessed: bool,
    /// Secrets of both legs.
    pub credentials: Credentials,
    /// What a refusal does.
    pub on_refusal: RefusalPolicy,
}

/// A change to a mailbox; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MailboxChange {
    /// New shown name.
    pub display_name: Option<String>,
    /// New limit, 1-50.
    pub daily_send_limit: Option<i32>,
    /// New signature; `Some(None)` removes it.
    pub signature: Option<Option<String>>,
    /// New wish.
    pub sending_enabled: Option<bool>,
    /// Replaces all tags.
    pub tags: Option<Vec<String>>,
}

impl MailboxChange {
    /// True if the change starts the verification of a mailbox that was accepted without one: its owner wants to send.
    pub fn asks_for_verification(&self, before: &Mailbox) -> bool {
        self.sending_enabled == Some(true) && !before.sending_enabled && before.status == MailboxStatus::Pending
    }
}

/// What is known about the verification of a mailbox, also after a refused one is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionTest {
    /// Not settled yet.
    Pending,
    /// Logins accepted.
    Passed,
    /// Refused, with the reason that decided.
    Failed(Box<Finding>),
}

/// What a verifier needs to know. The secrets are opened by the vault.
#[derive(Clone, Debug)]
pub struct VerificationJob {
    /// The mailbox, as stored.
    pub mailbox: Mailbox,
    /// Secrets of both legs.
    pub credentials: Credentials,
    /// A refusal that was recorded before the process that saw it died. Such a password is not
    /// tried again.
    pub recorded_refusal: Option<Box<Finding>>,
    /// Tries of this verification that ended without a result.
    pub attempts_made: u32,
}
