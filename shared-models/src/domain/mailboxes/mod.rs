//! Connected mailboxes: their settings, their life from verification to deletion, test messages.

mod lifecycle;
mod mailbox;
mod test_email;

pub use lifecycle::{Verdict, exhausted, is_credential_refusal, judge};
pub use mailbox::{
    ConnectionTest, DnsSetup, Mailbox, MailboxChange, MailboxStatus, NewMailbox, ProviderLabel, RefusalPolicy,
    VerificationJob,
};
pub use test_email::{Delivery, TestEmail, TestEmailJob, TestEmailState};
