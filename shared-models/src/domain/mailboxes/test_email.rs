//! Test messages: real mail, sent through a mailbox once, to show its owner that it works.

use crate::domain::diagnosis::Finding;
use crate::domain::{EmailAddress, LoginSecret, Mailbox, MailboxId, TestEmailId, Timestamp};

/// What became of a test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEmailState {
    /// Not sent yet.
    Asked,
    /// Handed to the mail server, or about to be. When the process dies now, nobody knows whether it
    /// was sent, and it is not sent again.
    Sending,
    /// The server took it.
    Sent,
    /// The server did not take it, or could not be reached.
    Refused(Box<Finding>),
}

/// A test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestEmail {
    /// Identity.
    pub id: TestEmailId,
    /// Through which mailbox.
    pub mailbox_id: MailboxId,
    /// To whom.
    pub recipient: EmailAddress,
    /// `Message-ID` of the mail, with angle brackets.
    pub message_id: String,
    /// What became of it.
    pub state: TestEmailState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its state was last written.
    pub updated_at: Timestamp,
}

/// How the attempt to send a test message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The server took it.
    Sent,
    /// It was not sent.
    NotSent(Box<Finding>),
    /// The server had all of it, but what it made of that is not known.
    Unknown(Box<Finding>),
}

/// What a worker needs to send a test message. The secret is opened by the vault.
#[derive(Clone, Debug)]
pub struct TestEmailJob {
    /// Through which mailbox.
    pub mailbox: Mailbox,
    /// For its submission server.
    pub secret: LoginSecret,
    /// To whom.
    pub recipient: EmailAddress,
    /// See [`TestEmail::message_id`].
    pub message_id: String,
}
