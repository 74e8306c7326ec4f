//! A message of ours and its form on the wire (RFC 5322, RFC 2045). It is seven-bit throughout, so no extension of the
//! server is needed.

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};
use shared_models::domain::diagnosis::Stage;
use shared_models::domain::{EmailAddress, FailureCode};

use crate::failure::Failure;
use crate::smtp::submit::Submission;
use crate::text::one_line;

/// A plain-text message for one recipient. A line break in a field of the header becomes a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Author in the header, and sender in the envelope.
    pub from: EmailAddress,
    /// Name of the author; empty = none.
    pub display_name: String,
    /// The only recipient.
    pub recipient: EmailAddress,
    /// Value of `Message-ID`, with angle brackets.
    pub message_id: String,
    /// Subject, of any characters.
    pub subject: String,
    /// Body, of any characters and with lines of any length.
    pub text: String,
}

impl OutgoingMessage {
    /// The message as it is handed over: dated now, and marked as written by a program (RFC 3834 section 5), so that
    /// no absence notice answers it.
    pub(crate) fn to_submission(&self) -> Result<Submission, Failure> {
        let (sender, recipient) = (address(&self.from)?, address(&self.recipient)?);
        let name = Some(one_line(&self.display_name)).filter(|name| !name.is_empty());
        let written_by_program = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(Mailbox::new(name, sender.clone()))
            .to(recipient.clone().into())
            .subject(one_line(&self.subject))
            .date_now()
            .message_id(Some(self.message_id.clone()))
            .raw_header(HeaderValue::new(written_by_program, "auto-generated".to_owned()))
            .singlepart(SinglePart::plain(self.text.clone()))
            .map_err(|_| unwritable())?;
        Ok(Submission { sender, recipient, content: message.formatted() })
    }
}

fn address(address: &EmailAddress) -> Result<Address, Failure> {
    address.as_str().parse().map_err(|_| unwritable())
}

fn unwritable() -> Failure {
    Failure::new(FailureCode::CfgEmailInvalid, Stage::Config)
}
