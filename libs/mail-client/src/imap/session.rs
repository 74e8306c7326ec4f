//! The IMAP leg (RFC 9051, RFC 3501): greeting, CAPABILITY, STARTTLS, sign-in and one look at the
//! inbox. Spoken by hand because what a server says before its tagged answer often explains it, and
//! because every read must be bounded.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Class, Leg, Stage};
use tokio::time::timeout;

use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::greeting;
use crate::provider::Provider;
use crate::reply::classify::{Reply, Status, classify, status_of};
use crate::session::{Login, MailSession};

/// How long an accepted login is kept waiting for a look at the inbox.
const INBOX_PATIENCE: Duration = Duration::from_secs(3);

/// An IMAP session.
pub(crate) struct ImapSession {
    wire: Wire,
    /// Upper case; `None` = not asked yet.
    capabilities: Option<Vec<String>>,
    preauthenticated: bool,
    tag: u32,
}

/// The end of a command.
enum Answer {
    /// The server waits for more of the command.
    Continue,
    /// Tagged, or `BYE`.
    Done(Done),
}

struct Done {
    status: Status,
    /// Without the tag.
    line: String,
    untagged: Vec<String>,
}

impl Done {
    fn refusal(&self, stage: Stage, login: &Login<'_>) -> Failure {
        classify(&Reply::imap(self.status, &self.line, &self.untagged), stage, login.given)
    }

    /// The mechanism was refused, not the password: the server did not understand the command, and
    /// its words are not about anything else.
    fn refuses_mechanism(&self) -> bool {
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

impl MailSession for ImapSession {
    const LEG: Leg = Leg::Imap;

    fn new(wire: Wire) -> Self {
        Self { wire, capabilities: None, preauthenticated: false, tag: 0 }
    }

    fn into_wire(self) -> Wire {
        self.wire
    }

    async fn greeting(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let stage = Stage::Greeting;
        let line = self.line(stage).await?;
        let rest = line.strip_prefix("* ").unwrap_or_default();
        let status = status_of(rest);
        match status {
            Some(Status::Ok | Status::Preauth) => {
                self.preauthenticated = status == Some(Status::Preauth);
                self.capabilities = capabilities_in(rest);
                Ok(())
            }
            Some(status @ Status::Bye) => {
                let reply = Reply::imap(status, rest, &[]);
                Err(classify(&reply, stage, login.given))
            }
            _ => Err(greeting::foreign(&line, Leg::Imap)),
        }
    }

    async fn hello(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        if self.capabilities.is_some() {
            return Ok(());
        }
        let stage = Stage::Capability;
        let done = self.command("CAPABILITY", stage).await?;
        if done.status != Status::Ok {
            return Err(done.refusal(stage, login));
        }
        let listed = done.untagged.iter().find_map(|line| {
            let (word, list) = line.strip_prefix("* ")?.split_once(' ')?;
            word.eq_ignore_ascii_case("CAPABILITY").then(|| words_of(list))
        });
        self.capabilities = Some(listed.or(capabilities_in(&done.line)).unwrap_or_default());
        Ok(())
    }

    fn offers_starttls(&self) -> bool {
        // Not allowed once signed in, so a PREAUTH greeting in clear text cannot be encrypted.
        !self.preauthenticated && self.has("STARTTLS")
    }

    async fn starttls(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let done = self.command("STARTTLS", Stage::Starttls).await?;
        if done.status == Status::Ok {
            return Ok(());
        }
        Err(done.refusal(Stage::Starttls, login))
    }

    async fn sign_in(&mut self, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
        let outcome = self.authenticate_and_look(login).await;
        let tag = self.next_tag();
        self.wire.farewell(format!("{tag} LOGOUT\r\n").as_bytes()).await;
        outcome
    }
}

impl ImapSession {
    fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().flatten().any(|known| known == capability)
    }

    async fn authenticate_and_look(&mut self, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
        let mut warnings = Vec::new();
        if self.preauthenticated {
            warnings.push(Failure::new(FailureCode::AuthNotRequired, Stage::Greeting));
        } else {
            self.authenticate(login).await?;
        }
        warnings.extend(self.look_at_inbox(login).await?);
        Ok(warnings)
    }

    async fn authenticate(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let may_login = !self.has("LOGINDISABLED");
        let plain = self.has("AUTH=PLAIN");
        if !may_login && !plain {
            return Err(self.no_mechanism(login));
        }
        let can_quote = is_quotable(&login.secret.username) && is_quotable(login.secret.password.expose());
        // Whichever takes one round trip; without SASL-IR (RFC 4959) that is LOGIN.
        let use_plain = plain && (self.has("SASL-IR") || !may_login || !can_quote);
        let mut done = if use_plain { self.authenticate_plain(login).await? } else { self.login(login).await? };
        if use_plain && may_login && done.refuses_mechanism() {
            done = self.login(login).await?;
        }
        match done.status {
            Status::Ok => Ok(()),
            _ => Err(done.refusal(Stage::Auth, login)),
        }
    }

    fn no_mechanism(&self, login: &Login<'_>) -> Failure {
        let code = match login.given.operator.provider {
            _ if !self.wire.is_encrypted() => FailureCode::TlsRequired,
            Provider::Microsoft if self.has("AUTH=XOAUTH2") => FailureCode::PolicyBasicAuthDisabled,
            _ => FailureCode::AuthMechUnavailable,
        };
        Failure::new(code, Stage::Capability)
    }

    async fn authenticate_plain(&mut self, login: &Login<'_>) -> Result<Done, Failure> {
        let message = STANDARD.encode(format!("\0{}\0{}", login.secret.username, login.secret.password.expose()));
        let tag = self.next_tag();
        let parts = if self.has("SASL-IR") {
            vec![format!("{tag} AUTHENTICATE PLAIN {message}\r\n")]
        } else {
            vec![format!("{tag} AUTHENTICATE PLAIN\r\n"), format!("{message}\r\n")]
        };
        self.send_in_parts(&tag, &parts, Stage::Auth).await
    }

    async fn login(&mut self, login: &Login<'_>) -> Result<Done, Failure> {
        let tag = self.next_tag();
        let mut parts = vec![format!("{tag} LOGIN ")];
        for (argument, end) in [(&*login.secret.username, " "), (login.secret.password.expose(), "\r\n")] {
            if is_quotable(argument) {
                push_text(&mut parts, &quoted(argument));
            } else {
                // A literal (RFC 9051 section 4.3): octets as they are, after the server's consent.
                push_text(&mut parts, &format!("{{{}}}\r\n", argument.len()));
                parts.push(argument.to_owned());
            }
            push_text(&mut parts, end);
        }
        self.send_in_parts(&tag, &parts, Stage::Auth).await
    }

    /// One cheap command after sign-in: some servers accept a login to a mailbox that cannot be used.
    /// The login is proven by now, so only clear words about the mailbox can still fail it: not a
    /// server that does not know the command, is slow to open a large inbox, or hangs up.
    async fn look_at_inbox(&mut self, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
        let Ok(look) = timeout(INBOX_PATIENCE, self.examine(login)).await else { return Ok(Vec::new()) };
        let noted = |failure| Ok(vec![Failure { class: Class::Warning, ..failure }]);
        let done = match look {
            Ok(done) => done,
            Err(failure) => return noted(failure),
        };
        if done.status != Status::Ok {
            let refusal = done.refusal(Stage::PostAuth, login);
            let unknown_command = done.status == Status::Bad && refusal.code == FailureCode::ImapInboxUnavailable;
            return if unknown_command { noted(refusal) } else { Err(refusal) };
        }
        let full = done
            .untagged
            .iter()
            .map(String::as_str)
            .chain([done.line.as_str()])
            .any(|line| line.to_ascii_uppercase().contains("[OVERQUOTA]"));
        Ok(full.then(|| Failure::new(FailureCode::ImapMailboxFull, Stage::PostAuth)).into_iter().collect())
    }

    async fn examine(&mut self, login: &Login<'_>) -> Result<Done, Failure> {
        if login.given.operator.provider == Provider::NetEase {
            // 163 and 126 open no folder for programs that do not say who they are (RFC 2971).
            self.command("ID (\"name\" \"Mailmoor\")", Stage::PostAuth).await?;
        }
        self.command("EXAMINE INBOX", Stage::PostAuth).await
    }

    fn next_tag(&mut self) -> String {
        self.tag += 1;
        format!("a{}", self.tag)
    }

    async fn command(&mut self, command: &str, stage: Stage) -> Result<Done, Failure> {
        let tag = self.next_tag();
        let line = format!("{tag} {command}\r\n");
        self.send_in_parts(&tag, &[line], stage).await
    }

    /// Sends a command; each part after the first one waits for the server's consent.
    async fn send_in_parts(&mut self, tag: &str, parts: &[String], stage: Stage) -> Result<Done, Failure> {
        let mut parts = parts.iter();
        let mut next = parts.next();
        loop {
            // A server that asks for more than there is gets an empty answer, which ends the exchange.
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

    async fn line(&mut self, stage: Stage) -> Result<String, Failure> {
        self.wire.read_line().await.map_err(|error| Failure::wire(stage, error))
    }
}

/// A connection that ended after `BYE` was ended with these words.
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

/// The list in a `[CAPABILITY ...]` response code.
fn capabilities_in(line: &str) -> Option<Vec<String>> {
    let (_, code) = line.split_once('[')?;
    let (code, _) = code.split_once(']')?;
    let (word, list) = code.split_once(' ')?;
    word.eq_ignore_ascii_case("CAPABILITY").then(|| words_of(list))
}

fn words_of(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_ascii_uppercase).collect()
}

/// Quoted strings take printable ASCII only (RFC 3501 section 4.3).
fn is_quotable(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn push_text(parts: &mut Vec<String>, text: &str) {
    match parts.last_mut() {
        Some(last) => last.push_str(text),
        None => parts.push(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_of_a_greeting() {
        let line = "OK [CAPABILITY IMAP4rev1 SASL-IR auth=plain] Dovecot ready.";
        let list = capabilities_in(line);
        assert_eq!(list, Some(vec!["IMAP4REV1".into(), "SASL-IR".into(), "AUTH=PLAIN".into()]));
        assert_eq!(capabilities_in("OK [ALERT] hello"), None);
        assert_eq!(capabilities_in("OK ready"), None);
    }

    #[test]
    fn quoting() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
        assert!(is_quotable("") && is_quotable("a b\"\\"));
        assert!(!is_quotable("pässword") && !is_quotable("a\r\nb"));
    }

    #[test]
    fn a_bye_explains_the_end_of_the_connection() {
        let lines = vec!["* OK still here".into(), "* BYE Session expired".into()];
        let done = bye_among(lines);
        assert!(done.is_some_and(|d| d.status == Status::Bye && d.line == "BYE Session expired"));
        assert!(bye_among(vec!["* OK".into()]).is_none());
    }
}
