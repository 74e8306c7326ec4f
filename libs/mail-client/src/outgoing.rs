//! A mail of ours: what it says, and how that looks on the wire (RFC 5322, MIME), in seven-bit characters
//! throughout, so that no server has to be asked what it takes.

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};
use shared_models::domain::diagnosis::Stage;
use shared_models::domain::{EmailAddress, FailureCode};

use crate::failure::Failure;
use crate::reply::redact::fold;
use crate::smtp::submit::Submission;

/// A text for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Author, and sender of the envelope.
    pub from: EmailAddress,
    /// The author's name as it is shown; none when empty.
    pub display_name: String,
    /// To whom.
    pub recipient: EmailAddress,
    /// `Message-ID`, with angle brackets.
    pub message_id: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

impl OutgoingMessage {
    /// Dated now, and marked as written by a program (RFC 3834), so that no absence notice answers it.
    pub(crate) fn to_submission(&self) -> Result<Submission, Failure> {
        let (sender, recipient) = (address(&self.from)?, address(&self.recipient)?);
        let name = Some(fold(&self.display_name)).filter(|name| !name.is_empty());
        let written_by_program = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(Mailbox::new(name, sender.clone()))
            .to(recipient.clone().into())
            .subject(fold(&self.subject))
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
