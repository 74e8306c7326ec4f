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

/// The reach of an API key and the dialect that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// SendKit, one workspace: `sk_` and 48 hex digits.
    SendkitWorkspace,
    /// SendKit, all workspaces of the owner: `sk_user_` and 48 hex digits.
    SendkitPlatform,
    /// ColdSend: `cs_live_` and 40 letters and digits.
    Coldsend,
    /// Sendmux team key: `smx_root_` and 40 letters and digits.
    SendmuxRoot,
}

impl KeyKind {
    /// All kinds, longest prefix first, so that `sk_user_` is not taken for `sk_`.
    pub const ALL: [Self; 4] = [Self::SendmuxRoot, Self::SendkitPlatform, Self::Coldsend, Self::SendkitWorkspace];

    /// The beginning of the text of such a key.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::SendkitWorkspace => "sk_",
            Self::SendkitPlatform => "sk_user_",
            Self::Coldsend => "cs_live_",
            Self::SendmuxRoot => "smx_root_",
        }
    }

    /// The name on the command line and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendkitWorkspace => "sendkit-workspace",
            Self::SendkitPlatform => "sendkit-platform",
            Self::Coldsend => "coldsend",
            Self::SendmuxRoot => "sendmux-root",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// True if such a key belongs to one workspace, false if to the owner.
    pub fn is_bound_to_workspace(self) -> bool {
        self != Self::SendkitPlatform
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

    /// The kind that the prefix stands for.
    pub fn kind(&self) -> Option<KeyKind> {
        KeyKind::ALL.into_iter().find(|kind| self.expose().starts_with(kind.prefix()))
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
    pub kind: KeyKind,
    pub owner_id: OwnerId,
    /// The workspace it is bound to; `None` for owner-wide kinds.
    pub workspace_id: Option<WorkspaceId>,
    /// Its beginning, by which people recognise it.
    pub hint: String,
    /// ColdSend's and Sendmux's scopes; empty for everything that the kind allows.
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    /// From then on the key opens nothing.
    pub revoked_at: Option<Timestamp>,
    /// The key opens nothing from then on, because another key replaces it; `None` = no end.
    pub expires_at: Option<Timestamp>,
}
