//! Handlers: authenticate, read, convert, one use case, convert.

pub(super) mod domains;
pub(super) mod mailbox_keys;
pub(super) mod mailboxes;
pub(super) mod me;
pub(super) mod providers;
pub(super) mod webhooks;
