//! Commands and their tagged answers (RFC 9051 section 2.2).

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::Stage;

use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::reply::classify::classify;
use crate::reply::response::{Reply, Status, status_of};
use crate::session::Login;

/// A connection on which commands are sent one after the other.
pub(super) struct Dialogue {
    pub(super) wire: Wire,
    tag: u32,
}

/// The answer to a command.
enum Answer {
    /// The server waits for the rest of the command.
    Continue,
    Done(Done),
}

/// The end of a command: its tagged line, or `BYE` if the connection ended before.
pub(super) struct Done {
    pub(super) status: Status,
    /// Without the tag.
    pub(super) line: String,
    pub(super) untagged: Vec<String>,
}

impl Done {
    pub(super) fn refusal(&self, stage: Stage, login: &Login<'_>) -> Failure {
        classify(&Reply::imap(self.status, &self.line, &self.untagged), stage, login.context)
    }

    /// True if the mechanism was refused and not the password: the server did not understand the command, and its
    /// words are about nothing else.
    pub(super) fn refuses_mechanism(&self) -> bool {
        let line = self.line.to_ascii_lowercase();
        match self.status {
            Status::Bad => ![
                "password",
                "credential",
                "authentication failed",
                "login failed",
                "not connected",
                "throttled",
                "too many",
            ]
            .iter()
            .any(|part| line.contains(part)),
            Status::No => line.contains("[cannot]") || line.contains("mechanism"),
            _ => false,
        }
    }
}

impl Dialogue {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, tag: 0 }
    }

    /// A tag that no command has had.
    pub(super) fn next_tag(&mut self) -> String {
        self.tag += 1;
        format!("a{}", self.tag)
    }

    /// Sends a command of one line.
    pub(super) async fn command(&mut self, command: &str, stage: Stage) -> Result<Done, Failure> {
        let tag = self.next_tag();
        let line = format!("{tag} {command}\r\n");
        self.send_in_parts(&tag, &[line], stage).await
    }

    /// Sends a command; each part after the first one waits for the server's consent.
    pub(super) async fn send_in_parts(&mut self, tag: &str, parts: &[String], stage: Stage) -> Result<Done, Failure> {
        let mut parts = parts.iter();
        let mut next = parts.next();
        loop {
            // A server that asks for more than there is gets an empty line, which ends the exchange.
            let part = next.map_or("\r\n", String::as_str);
            self.wire.write(part.as_bytes()).await.map_err(|error| Failure::wire(stage, error))?;
            match self.answer(tag, stage).await? {
                Answer::Continue => next = parts.next(),
                Answer::Done(done) => return Ok(done),
            }
        }
    }

    async fn answer(&mut self, tag: &str, stage: Stage) -> Result<Answer, Failure> {
        let mut untagged = Vec::new();
        loop {
            let line = match self.line(stage).await {
                Ok(line) => line,
                Err(failure) => return bye_among(untagged).ok_or(failure).map(Answer::Done),
            };
            if line.starts_with("* ") {
                untagged.push(line);
            } else if line.starts_with('+') {
                return Ok(Answer::Continue);
            } else {
                let rest = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' '));
                let (Some(rest), Some(status)) = (rest, rest.and_then(status_of)) else {
                    return Err(Failure::new(FailureCode::ProtoUnexpected, stage));
                };
                return Ok(Answer::Done(Done { status, line: rest.to_owned(), untagged }));
            }
        }
    }

    pub(super) async fn line(&mut self, stage: Stage) -> Result<String, Failure> {
        self.wire.read_line().await.map_err(|error| Failure::wire(stage, error))
    }
}

/// The last `BYE` among the lines before the end of the connection, which gives the reason for that end.
fn bye_among(untagged: Vec<String>) -> Option<Done> {
    let line = untagged
        .iter()
        .rev()
        .filter_map(|line| line.strip_prefix("* "))
        .find(|line| status_of(line) == Some(Status::Bye))?
        .to_owned();
    let others = untagged.into_iter().filter(|l| !l.ends_with(&line)).collect();
    Some(Done { status: Status::Bye, line, untagged: others })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bye_explains_the_end_of_the_connection() {
        let lines = vec!["* OK still here".into(), "* BYE Session expired".into()];
        let done = bye_among(lines);
        assert!(done.is_some_and(|d| d.status == Status::Bye && d.line == "BYE Session expired"));
        assert!(bye_among(vec!["* OK".into()]).is_none());
    }
}
