//! Connected mailboxes: their settings, their states from verification to deletion, test messages.

mod lifecycle;
mod mailbox;
mod test_email;

pub use lifecycle::{RefusalEffect, Verdict, effect_of_refusal, exhausted, is_credential_refusal, judge};
pub use mailbox::{
    ConnectionTest, DnsSetup, Mailbox, MailboxChange, MailboxStatus, NewMailbox, ProviderLabel, RefusalPolicy,
    VerificationJob,
};
pub use test_email::{Delivery, TestEmail, TestEmailJob, TestEmailState};
