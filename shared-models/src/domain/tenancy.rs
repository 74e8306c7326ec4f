//! Who may do what: owners with a plan, workspaces, and the API keys that open them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{ApiKeyId, CoreError, OwnerId, Timestamp, WorkspaceId};

/// How many mailboxes an owner may have, over all workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Without an active subscription no mailbox is added.
    pub subscription_active: bool,
    /// `None` = unlimited.
    pub max_mailboxes: Option<i64>,
}

/// Somebody with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Identity.
    pub id: OwnerId,
    /// Address that identifies the owner on the command line.
    pub email: String,
    /// Shown name.
    pub name: String,
    /// What was bought.
    pub plan: Plan,
    /// Mailboxes that count against the plan now, unverified ones included.
    pub mailbox_usage: i64,
    /// Creation.
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

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Identity.
    pub id: WorkspaceId,
    /// Whose plan pays.
    pub owner_id: OwnerId,
    /// Shown name.
    pub name: String,
    /// Creation.
    pub created_at: Timestamp,
}

/// What an API key opens, and in which dialect.
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

    /// What the text of such a key begins with.
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

    /// The reverse of [`Self::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether such a key belongs to one workspace rather than to the owner.
    pub fn is_bound_to_workspace(self) -> bool {
        self != Self::SendkitPlatform
    }
}

/// The text of an API key: shown once, stored only as a hash.
#[derive(Clone)]
pub struct KeyText(SecretString);

impl KeyText {
    /// Wraps a text that a caller sent or that was just made.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The clear text, for hashing and for the one showing.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The kind that the prefix promises.
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
pub struct ApiKey {
    /// Identity.
    pub id: ApiKeyId,
    /// What it opens.
    pub kind: KeyKind,
    /// Whose key it is.
    pub owner_id: OwnerId,
    /// The workspace it is bound to; `None` for owner-wide kinds.
    pub workspace_id: Option<WorkspaceId>,
    /// Its beginning, for people to recognise it by.
    pub hint: String,
    /// ColdSend and Sendmux scopes; empty = everything the kind allows.
    pub scopes: Vec<String>,
    /// Creation.
    pub created_at: Timestamp,
    /// Once set, the key opens nothing.
    pub revoked_at: Option<Timestamp>,
    /// The key opens nothing from then on, because another key replaces it; `None` = no end.
    pub expires_at: Option<Timestamp>,
}
