//! Test messages: a real mail, sent through a mailbox once, to show its owner that it works.

use crate::domain::diagnosis::Finding;
use crate::domain::{EmailAddress, LoginSecret, Mailbox, MailboxId, TestEmailId, Timestamp};

/// The state of a test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEmailState {
    /// Requested, and not taken up by a worker yet.
    Asked,
    /// Handed to the mail server, or about to be. If the process dies now, nobody knows whether the message was sent,
    /// so it is not sent again.
    Sending,
    /// The server accepted the message.
    Sent,
    /// The server refused the message or could not be reached.
    Refused(Box<Finding>),
}

/// A test message and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct TestEmail {
    pub id: TestEmailId,
    pub mailbox_id: MailboxId,
    pub recipient: EmailAddress,
    /// `Message-ID` of the mail, with angle brackets.
    pub message_id: String,
    pub state: TestEmailState,
    pub created_at: Timestamp,
    /// The time of the last change of state.
    pub updated_at: Timestamp,
}

/// The end of the attempt to send a test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The server accepted the message.
    Sent,
    /// The server refused the message, or was never reached.
    NotSent(Box<Finding>),
    /// The server received the whole message, but its answer is not known.
    Unknown(Box<Finding>),
}

/// The input of the worker that sends a test message. The vault has opened the secret.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct TestEmailJob {
    pub mailbox: Mailbox,
    pub secret: LoginSecret,
    pub recipient: EmailAddress,
    pub message_id: String,
}
