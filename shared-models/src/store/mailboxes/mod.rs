//! Connected mailboxes from creation through verification to deletion.

pub(crate) mod creation;
pub(crate) mod deletions;
pub(crate) mod dns_checks;
pub(crate) mod imap_checks;
pub(crate) mod list;
pub(crate) mod mailbox;
pub(crate) mod merged_creation;
pub(crate) mod rows;
pub(crate) mod test_emails;
pub(crate) mod verifications;
