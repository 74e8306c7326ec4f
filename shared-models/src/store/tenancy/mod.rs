//! Owners and their plans, workspaces, API keys.

pub(crate) mod api_keys;
pub(crate) mod key_rotation;
pub(crate) mod key_uses;
pub(crate) mod overview;
pub(crate) mod owners;
pub(crate) mod workspace_locks;
pub(crate) mod workspaces;
