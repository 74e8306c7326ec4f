//! Handlers: authenticate, read, convert, one use case, convert.

pub(super) mod account;
pub(super) mod imports;
pub(super) mod mailboxes;
pub(super) mod webhooks;
pub(super) mod workspaces;
