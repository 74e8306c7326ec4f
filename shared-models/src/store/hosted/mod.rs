//! Hosted mailboxes: provisioning, access keys, sender filters.

pub(crate) mod access;
pub(crate) mod filters;
pub(crate) mod mailbox;
pub(crate) mod rows;
