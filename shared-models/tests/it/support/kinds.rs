//! Kinds of keys as dialects declare them.

use shared_models::domain::tenancy::{KeyBody, KeyKind, KeyReach};

/// The database lets a workspace have one of these.
pub(crate) const ONE_OF_WORKSPACE: KeyKind =
    KeyKind { name: "sendkit-workspace", prefix: "sk_", body: KeyBody::HEX_48, reach: KeyReach::Workspace };
/// Its prefix begins with the other's.
pub(crate) const OF_OWNER: KeyKind =
    KeyKind { name: "sendkit-platform", prefix: "sk_user_", reach: KeyReach::Owner, ..ONE_OF_WORKSPACE };
pub(crate) const OF_WORKSPACE: KeyKind =
    KeyKind { name: "coldsend", prefix: "cs_live_", body: KeyBody::BASE32_40, reach: KeyReach::Workspace };
pub(crate) const OF_MAILBOX: KeyKind =
    KeyKind { name: "sendmux-mailbox", prefix: "smx_mbx_", reach: KeyReach::Mailbox, ..OF_WORKSPACE };

/// Those that are rows of `api_keys`.
pub(crate) const KINDS: [KeyKind; 3] = [ONE_OF_WORKSPACE, OF_OWNER, OF_WORKSPACE];
