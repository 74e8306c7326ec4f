//! Connected mailboxes.

mod admission;
mod mailbox;
mod test_emails;

pub use admission::Admission;
pub use test_emails::Unsendable;
