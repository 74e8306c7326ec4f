//! Commands and their replies (RFC 5321 section 4.2).

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Leg, Stage};

use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::greeting;
use crate::reply::classify::classify;
use crate::reply::response::Reply;
use crate::session::Login;

/// A connection on which one command is sent at a time.
pub(super) struct Dialogue {
    pub(super) wire: Wire,
}

/// A complete reply.
pub(super) struct SmtpReply {
    pub(super) code: u16,
    /// Without the code and the character behind it.
    pub(super) lines: Vec<String>,
}

impl SmtpReply {
    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    pub(super) fn refusal(&self, stage: Stage, login: &Login<'_>) -> Failure {
        classify(&Reply::smtp(self.code, &self.lines), stage, login.context)
    }

    /// True if the mechanism was refused and not the password, so that another mechanism may be used. `501` has other
    /// meanings as well, so its words decide.
    pub(super) fn refuses_mechanism(&self) -> bool {
        let text = self.lines.join(" ").to_ascii_lowercase();
        match self.code {
            500 | 502 | 504 => true,
            501 => ["argument", "mechanism", "syntax", "5.5."].iter().any(|part| text.contains(part)),
            535 => text.contains("unrecognized authentication type"),
            _ => false,
        }
    }
}

impl Dialogue {
    /// Sends a command and reads its reply.
    pub(super) async fn ask(&mut self, command: &str, stage: Stage) -> Result<SmtpReply, Failure> {
        // A reply that arrived before its command must not be taken for the answer.
        if self.wire.has_unread() {
            return Err(Failure::new(FailureCode::ProtoUnexpected, stage));
        }
        self.wire.write(command.as_bytes()).await.map_err(|error| Failure::wire(stage, error))?;
        self.reply(stage).await
    }

    /// Reads the next reply.
    pub(super) async fn reply(&mut self, stage: Stage) -> Result<SmtpReply, Failure> {
        let mut lines = Vec::new();
        let mut first = None;
        loop {
            let line = self.wire.read_line().await.map_err(|error| Failure::wire(stage, error))?;
            // All lines of a reply have the same code (RFC 5321 section 4.2.1).
            let parsed = parse_line(&line).filter(|(code, ..)| *first.get_or_insert(*code) == *code);
            let Some((code, last, text)) = parsed else {
                return Err(match stage {
                    Stage::Greeting => greeting::foreign(&line, Leg::Smtp),
                    _ => Failure::new(FailureCode::ProtoUnexpected, stage),
                });
            };
            lines.push(text.to_owned());
            if last {
                return Ok(SmtpReply { code, lines });
            }
        }
    }
}

/// Code, true for the last line of the reply, and text.
fn parse_line(line: &str) -> Option<(u16, bool, &str)> {
    let digits = line.get(..3)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let code = digits.parse().ok().filter(|c| (200..600).contains(c))?;
    match line.as_bytes().get(3) {
        None => Some((code, true, "")),
        Some(b' ') => Some((code, true, &line[4..])),
        Some(b'-') => Some((code, false, &line[4..])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_lines() {
        assert_eq!(parse_line("250-PIPELINING"), Some((250, false, "PIPELINING")));
        assert_eq!(parse_line("250 "), Some((250, true, "")));
        assert_eq!(parse_line("250"), Some((250, true, "")));
        for bad in ["", "25", "2500", "2é0 x", "abc d", "199 x", "999 x", "+22 x"] {
            assert_eq!(parse_line(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_words_about_the_mechanism_allow_another_one() {
        let refuses = |code, text: &str| {
            let lines = vec![text.to_owned()];
            SmtpReply { code, lines }.refuses_mechanism()
        };
        assert!(refuses(504, "5.7.4 Unrecognized authentication type"));
        assert!(refuses(501, "5.5.2 Cannot Base64-decode Password"));
        assert!(!refuses(501, "Authentication failed"));
        assert!(!refuses(535, "5.7.8 Authentication credentials invalid"));
        assert!(!refuses(503, "AUTH command used when not advertised"));
    }
}
