//! The SMTP leg: greeting, EHLO, STARTTLS and AUTH of message submission (RFC 6409, RFC 4954),
//! spoken by hand because each reply has to be judged, and because a reply that was buffered before
//! TLS must never be taken for one that came inside it (CVE-2021-38371 and relatives).

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Ehlo, Quit, Starttls};
use lettre::transport::smtp::extension::ClientId;
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Leg, Stage};

use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::greeting;
use crate::provider::Provider;
use crate::reply::classify::{Reply, classify};
use crate::session::{Login, MailSession};

/// Command lines may have 512 octets (RFC 5321 section 4.5.3.1.4); a longer initial response is sent
/// after the server's challenge.
const MAX_INITIAL_RESPONSE: usize = 490;

/// A submission session.
pub(crate) struct SmtpSession {
    pub(crate) wire: Wire,
    starttls: bool,
    mechanisms: Vec<String>,
}

/// A complete reply; the lines are without code and hyphen.
pub(crate) struct SmtpReply {
    pub(crate) code: u16,
    lines: Vec<String>,
}

impl SmtpReply {
    pub(crate) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    pub(crate) fn refusal(&self, stage: Stage, login: &Login<'_>) -> Failure {
        classify(&Reply::smtp(self.code, &self.lines), stage, login.given)
    }

    /// The mechanism was refused, not the password: nothing has been decided about the login, and
    /// another mechanism may be tried. `501` also stands for other things, so its words decide.
    fn refuses_mechanism(&self) -> bool {
        let text = self.lines.join(" ").to_ascii_lowercase();
        match self.code {
            500 | 502 | 504 => true,
            501 => ["argument", "mechanism", "syntax", "5.5."].iter().any(|part| text.contains(part)),
            535 => text.contains("unrecognized authentication type"),
            _ => false,
        }
    }
}

impl MailSession for SmtpSession {
    const LEG: Leg = Leg::Smtp;

    fn new(wire: Wire) -> Self {
        Self { wire, starttls: false, mechanisms: Vec::new() }
    }

    fn into_wire(self) -> Wire {
        self.wire
    }

    async fn greeting(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let reply = self.reply(Stage::Greeting).await?;
        match reply.code {
            220 => Ok(()),
            400..=599 => Err(reply.refusal(Stage::Greeting, login)),
            _ => Err(Failure::new(FailureCode::ProtoUnexpected, Stage::Greeting)),
        }
    }

    async fn hello(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let client = match (login.helo_name, self.wire.local_ip()) {
            (Some(name), _) => ClientId::Domain(name.to_owned()),
            (None, Some(IpAddr::V4(ip))) => ClientId::Ipv4(ip),
            (None, Some(IpAddr::V6(ip))) => ClientId::Ipv6(ip),
            (None, None) => ClientId::default(),
        };
        let reply = self.ask(&Ehlo::new(client).to_string(), Stage::Capability).await?;
        if !reply.is_positive() {
            return Err(reply.refusal(Stage::Capability, login));
        }
        self.read_extensions(&reply.lines);
        Ok(())
    }

    fn offers_starttls(&self) -> bool {
        self.starttls
    }

    async fn starttls(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let reply = self.ask(&Starttls.to_string(), Stage::Starttls).await?;
        if reply.code == 220 {
            return Ok(());
        }
        Err(reply.refusal(Stage::Starttls, login))
    }

    async fn sign_in(&mut self, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
        let mut outcome = self.authenticate(login).await;
        if outcome.is_ok()
            && let Some(message) = login.message
        {
            outcome = self.submit(message, login).await;
        }
        self.wire.farewell(Quit.to_string().as_bytes()).await;
        outcome.map(|()| Vec::new())
    }
}

impl SmtpSession {
    async fn authenticate(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let offers = |name: &str| self.mechanisms.iter().any(|m| m.eq_ignore_ascii_case(name));
        let (plain, by_login) = (offers("PLAIN"), offers("LOGIN"));
        if !plain && !by_login {
            return Err(self.no_mechanism(login));
        }
        let mut reply = if plain { self.auth_plain(login).await? } else { self.auth_login(login).await? };
        if plain && by_login && reply.refuses_mechanism() {
            reply = self.auth_login(login).await?;
        }
        match reply.code {
            235 => Ok(()),
            // RFC 4954 section 6 knows no other success.
            200..=399 => Err(Failure::new(FailureCode::ProtoUnexpected, Stage::Auth)),
            _ => Err(reply.refusal(Stage::Auth, login)),
        }
    }

    fn no_mechanism(&self, login: &Login<'_>) -> Failure {
        let token_only = self.mechanisms.iter().any(|m| m.eq_ignore_ascii_case("XOAUTH2"));
        let code = match login.given.operator.provider {
            Provider::Microsoft if token_only => FailureCode::PolicyBasicAuthDisabled,
            _ => FailureCode::AuthMechUnavailable,
        };
        Failure::new(code, Stage::Capability)
    }

    async fn auth_plain(&mut self, login: &Login<'_>) -> Result<SmtpReply, Failure> {
        let credentials = Credentials::new(login.secret.username.clone(), login.secret.password.expose().to_owned());
        let message = Mechanism::Plain
            .response(&credentials, None)
            .map_err(|_| Failure::new(FailureCode::ProtoSaslArgument, Stage::Auth))?;
        let message = STANDARD.encode(message);
        let reply = if message.len() <= MAX_INITIAL_RESPONSE {
            let command = format!("AUTH {} {message}\r\n", Mechanism::Plain);
            self.ask(&command, Stage::Auth).await?
        } else {
            self.ask("AUTH PLAIN\r\n", Stage::Auth).await?
        };
        if reply.code != 334 {
            return Ok(reply);
        }
        self.ask(&format!("{message}\r\n"), Stage::Auth).await
    }

    /// The challenges are not looked at: servers word them in many ways, and the order is fixed.
    async fn auth_login(&mut self, login: &Login<'_>) -> Result<SmtpReply, Failure> {
        let command = format!("AUTH {}\r\n", Mechanism::Login);
        let mut reply = self.ask(&command, Stage::Auth).await?;
        for answer in [&*login.secret.username, login.secret.password.expose()] {
            if reply.code != 334 {
                return Ok(reply);
            }
            let line = format!("{}\r\n", STANDARD.encode(answer));
            reply = self.ask(&line, Stage::Auth).await?;
        }
        Ok(reply)
    }

    fn read_extensions(&mut self, lines: &[String]) {
        self.starttls = false;
        self.mechanisms.clear();
        for line in lines.iter().skip(1) {
            // "AUTH=PLAIN" is how servers older than RFC 4954 write it.
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some(word) if word.eq_ignore_ascii_case("STARTTLS") => self.starttls = true,
                Some(word) if word.eq_ignore_ascii_case("AUTH") => {
                    self.mechanisms.extend(words.map(str::to_owned));
                }
                _ => {}
            }
        }
    }

    /// One command and its reply.
    pub(crate) async fn ask(&mut self, command: &str, stage: Stage) -> Result<SmtpReply, Failure> {
        // What is there before the question is asked must not be taken for its answer.
        if self.wire.has_unread() {
            return Err(Failure::new(FailureCode::ProtoUnexpected, stage));
        }
        self.wire.write(command.as_bytes()).await.map_err(|error| Failure::wire(stage, error))?;
        self.reply(stage).await
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self, stage: Stage) -> Result<SmtpReply, Failure> {
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

/// Reply code, whether it is the last line, text (RFC 5321 section 4.2.1).
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
