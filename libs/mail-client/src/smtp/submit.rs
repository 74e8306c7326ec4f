//! Handing a message to a submission server (RFC 5321 section 3.3) in a session that is signed in. Before the line with
//! the dot, any failure means that nothing was sent. After it, only the server's reply decides; without one the outcome
//! is unknown.

use lettre::Address;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Class, Fault, Stage};

use super::dialogue::SmtpReply;
use super::session::SmtpSession;
use crate::failure::Failure;
use crate::session::Login;

/// A message in the form in which it is handed over.
pub(crate) struct Submission {
    pub(crate) sender: Address,
    pub(crate) recipient: Address,
    /// Header and body. Lines end with CRLF.
    pub(crate) content: Vec<u8>,
}

/// The part of a message that a reply is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Sender,
    Recipient,
    Content,
}

impl SmtpSession {
    /// Hands the message over. Called at most once, since a failure may come after the server accepted it.
    pub(crate) async fn submit(&mut self, message: &Submission, login: &Login<'_>) -> Result<(), Failure> {
        let from = Mail::new(Some(message.sender.clone()), vec![]).to_string();
        let to = Rcpt::new(message.recipient.clone(), vec![]).to_string();
        for (command, part) in [(from, Part::Sender), (to, Part::Recipient)] {
            let reply = self.dialogue.ask(&command, Stage::Envelope).await?;
            if !reply.is_positive() {
                return Err(refusal(&reply, part, message, login));
            }
        }
        let reply = self.dialogue.ask(&Data.to_string(), Stage::Envelope).await?;
        if reply.code != 354 {
            return Err(refusal(&reply, Part::Content, message, login));
        }
        if self.dialogue.wire.has_unread() {
            return Err(not_understood());
        }
        let broken = |error| Failure::wire(Stage::Envelope, error);
        self.dialogue.wire.write(&with_stuffed_dots(&message.content)).await.map_err(broken)?;
        // From here on the server may send the message.
        self.dialogue.wire.write(b".\r\n").await.map_err(|error| unknown(broken(error)))?;
        let reply = self.dialogue.reply(Stage::Envelope).await.map_err(unknown)?;
        match reply.code {
            200..=299 => Ok(()),
            400..=599 => Err(refusal(&reply, Part::Content, message, login)),
            _ => Err(unknown(not_understood())),
        }
    }
}

/// The content with a second dot before each line that begins with one (RFC 5321 section 4.5.2), ending with CRLF.
fn with_stuffed_dots(content: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(content.len() + 16);
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}

/// The failure that a negative reply means. If no rule knows its words, the step decides.
fn refusal(reply: &SmtpReply, part: Part, message: &Submission, login: &Login<'_>) -> Failure {
    if reply.code < 400 {
        return not_understood();
    }
    let mut failure = reply.refusal(Stage::Envelope, login).with("from", message.sender.to_string());
    if failure.code == FailureCode::SendTestRecipientRefused {
        let (code, fault, words) = match part {
            Part::Sender => {
                (FailureCode::SendFromNotOwned, Fault::User, "The server refuses {from} as the sender of mails.")
            }
            Part::Recipient => {
                (failure.code, Fault::User, "The server refuses the recipient of the test message; check the address.")
            }
            Part::Content => (
                FailureCode::ProtoUnexpected,
                Fault::Server,
                "The server accepts sender and recipient but refuses the message; its reply says why.",
            ),
        };
        (failure.code, failure.class, failure.fault, failure.remedy) = (code, Class::Permanent, fault, words);
    }
    failure
}

fn not_understood() -> Failure {
    Failure::new(FailureCode::ProtoUnexpected, Stage::Envelope)
        .says("The server's answer to our message is none that we understand.")
}

/// The same failure after the server may have got the whole message.
pub(crate) fn unknown(failure: Failure) -> Failure {
    Failure { handed_over: true, ..failure }.says(
        "It is unknown whether the message was sent, because the server did not confirm that it has it. See whether it \
         arrived before you send another one.",
    )
}

/// No slot became free in time, so nothing was dialled.
pub(crate) fn no_slot() -> Failure {
    Failure::new(FailureCode::SysDeadline, Stage::System)
        .says("We are busy and could not begin to send it; try again later.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_looks_like_the_end() {
        let stuffed = |content: &[u8]| String::from_utf8_lossy(&with_stuffed_dots(content)).into_owned();
        assert_eq!(stuffed(b"a\r\n.\r\n..b\r\nc.\r\n"), "a\r\n..\r\n...b\r\nc.\r\n");
        assert_eq!(stuffed(b".a"), "..a\r\n");
        assert_eq!(stuffed(b""), "\r\n");
    }
}
