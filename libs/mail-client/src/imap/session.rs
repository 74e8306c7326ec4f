//! An IMAP session, up to the sign-in and out again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::known_providers::Operator;
use shared_models::domain::diagnosis::{Leg, Stage};

use super::dialogue::{Dialogue, Done};
use super::inbox::look_at_inbox;
use super::syntax::{capabilities_in, capability_list, is_quotable, quoted};
use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::greeting;
use crate::reply::classify::classify;
use crate::reply::response::{Reply, Status, status_of};
use crate::session::{Login, MailSession};

pub(crate) struct ImapSession {
    dialogue: Dialogue,
    /// Upper case; `None` = not yet known.
    capabilities: Option<Vec<String>>,
    preauthenticated: bool,
}

impl MailSession for ImapSession {
    const LEG: Leg = Leg::Imap;

    fn new(wire: Wire) -> Self {
        Self { dialogue: Dialogue::new(wire), capabilities: None, preauthenticated: false }
    }

    fn into_wire(self) -> Wire {
        self.dialogue.wire
    }

    async fn greeting(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let stage = Stage::Greeting;
        let line = self.dialogue.line(stage).await?;
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
                Err(classify(&reply, stage, login.context))
            }
            _ => Err(greeting::foreign(&line, Leg::Imap)),
        }
    }

    async fn hello(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        if self.capabilities.is_some() {
            return Ok(());
        }
        let stage = Stage::Capability;
        let done = self.dialogue.command("CAPABILITY", stage).await?;
        if done.status != Status::Ok {
            return Err(done.refusal(stage, login));
        }
        let listed = done.untagged.iter().find_map(|line| {
            let (word, list) = line.strip_prefix("* ")?.split_once(' ')?;
            word.eq_ignore_ascii_case("CAPABILITY").then(|| capability_list(list))
        });
        self.capabilities = Some(listed.or(capabilities_in(&done.line)).unwrap_or_default());
        Ok(())
    }

    fn offers_starttls(&self) -> bool {
        // STARTTLS is not allowed once signed in (RFC 9051 section 6.2.1), so after a PREAUTH greeting in clear text
        // the connection cannot be encrypted.
        !self.preauthenticated && self.has("STARTTLS")
    }

    async fn starttls(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let done = self.dialogue.command("STARTTLS", Stage::Starttls).await?;
        if done.status == Status::Ok {
            return Ok(());
        }
        Err(done.refusal(Stage::Starttls, login))
    }

    async fn sign_in(&mut self, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
        let mut warnings = Vec::new();
        if self.preauthenticated {
            warnings.push(Failure::new(FailureCode::AuthNotRequired, Stage::Greeting));
        } else {
            self.authenticate(login).await?;
        }
        warnings.extend(look_at_inbox(&mut self.dialogue, login).await?);
        Ok(warnings)
    }

    async fn sign_out(&mut self) {
        let tag = self.dialogue.next_tag();
        self.dialogue.wire.farewell(format!("{tag} LOGOUT\r\n").as_bytes()).await;
    }
}

impl ImapSession {
    fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().flatten().any(|known| known == capability)
    }

    async fn authenticate(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let may_login = !self.has("LOGINDISABLED");
        let plain = self.has("AUTH=PLAIN");
        if !may_login && !plain {
            return Err(self.no_mechanism(login));
        }
        let can_quote = is_quotable(&login.secret.username) && is_quotable(login.secret.password.expose());
        // The command that takes one round trip is preferred; without SASL-IR (RFC 4959) that is LOGIN.
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
        let code = if !self.dialogue.wire.is_encrypted() {
            FailureCode::TlsRequired
        } else if login.context.is_at(Operator::Microsoft) && self.has("AUTH=XOAUTH2") {
            FailureCode::PolicyBasicAuthDisabled
        } else {
            FailureCode::AuthMechUnavailable
        };
        Failure::new(code, Stage::Capability)
    }

    async fn authenticate_plain(&mut self, login: &Login<'_>) -> Result<Done, Failure> {
        let message = STANDARD.encode(format!("\0{}\0{}", login.secret.username, login.secret.password.expose()));
        let tag = self.dialogue.next_tag();
        let parts = if self.has("SASL-IR") {
            vec![format!("{tag} AUTHENTICATE PLAIN {message}\r\n")]
        } else {
            vec![format!("{tag} AUTHENTICATE PLAIN\r\n"), format!("{message}\r\n")]
        };
        self.dialogue.send_in_parts(&tag, &parts, Stage::Auth).await
    }

    async fn login(&mut self, login: &Login<'_>) -> Result<Done, Failure> {
        let tag = self.dialogue.next_tag();
        let mut parts = vec![format!("{tag} LOGIN ")];
        for (argument, end) in [(&*login.secret.username, " "), (login.secret.password.expose(), "\r\n")] {
            if is_quotable(argument) {
                push_text(&mut parts, &quoted(argument));
            } else {
                // A literal (RFC 9051 section 4.3) carries any octets, after the server's consent.
                push_text(&mut parts, &format!("{{{}}}\r\n", argument.len()));
                parts.push(argument.to_owned());
            }
            push_text(&mut parts, end);
        }
        self.dialogue.send_in_parts(&tag, &parts, Stage::Auth).await
    }
}

/// Appends to the part that is sent next.
fn push_text(parts: &mut Vec<String>, text: &str) {
    match parts.last_mut() {
        Some(last) => last.push_str(text),
        None => parts.push(text.to_owned()),
    }
}
