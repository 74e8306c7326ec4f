//! A submission session, up to the sign-in and out again.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Ehlo, Quit, Starttls};
use lettre::transport::smtp::extension::ClientId;
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::known_providers::Operator;
use shared_models::domain::diagnosis::{Leg, Stage};

use super::dialogue::{Dialogue, SmtpReply};
use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::session::{Login, MailSession};

/// Octets of an initial response. A command line has at most 512 (RFC 5321 section 4.5.3.1.4), so a longer response is
/// sent after the server's challenge.
const MAX_INITIAL_RESPONSE: usize = 490;

pub(crate) struct SmtpSession {
    pub(super) dialogue: Dialogue,
    starttls: bool,
    mechanisms: Vec<String>,
}

impl MailSession for SmtpSession {
    const LEG: Leg = Leg::Smtp;

    fn new(wire: Wire) -> Self {
        Self { dialogue: Dialogue { wire }, starttls: false, mechanisms: Vec::new() }
    }

    fn into_wire(self) -> Wire {
        self.dialogue.wire
    }

    async fn greeting(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let reply = self.dialogue.reply(Stage::Greeting).await?;
        match reply.code {
            220 => Ok(()),
            400..=599 => Err(reply.refusal(Stage::Greeting, login)),
            _ => Err(Failure::new(FailureCode::ProtoUnexpected, Stage::Greeting)),
        }
    }

    async fn hello(&mut self, login: &Login<'_>) -> Result<(), Failure> {
        let client = match (login.helo_name, self.dialogue.wire.local_ip()) {
            (Some(name), _) => ClientId::Domain(name.to_owned()),
            (None, Some(IpAddr::V4(ip))) => ClientId::Ipv4(ip),
            (None, Some(IpAddr::V6(ip))) => ClientId::Ipv6(ip),
            (None, None) => ClientId::default(),
        };
        let reply = self.dialogue.ask(&Ehlo::new(client).to_string(), Stage::Capability).await?;
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
        let reply = self.dialogue.ask(&Starttls.to_string(), Stage::Starttls).await?;
        if reply.code == 220 {
            return Ok(());
        }
        Err(reply.refusal(Stage::Starttls, login))
    }

    async fn sign_in(&mut self, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
        self.authenticate(login).await?;
        Ok(Vec::new())
    }

    async fn sign_out(&mut self) {
        self.dialogue.wire.farewell(Quit.to_string().as_bytes()).await;
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
            // 235 is the only success of AUTH (RFC 4954 section 6).
            200..=399 => Err(Failure::new(FailureCode::ProtoUnexpected, Stage::Auth)),
            _ => Err(reply.refusal(Stage::Auth, login)),
        }
    }

    fn no_mechanism(&self, login: &Login<'_>) -> Failure {
        let token_only = self.mechanisms.iter().any(|m| m.eq_ignore_ascii_case("XOAUTH2"));
        let code = if token_only && login.context.is_at(Operator::Microsoft) {
            FailureCode::PolicyBasicAuthDisabled
        } else {
            FailureCode::AuthMechUnavailable
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
            self.dialogue.ask(&command, Stage::Auth).await?
        } else {
            self.dialogue.ask("AUTH PLAIN\r\n", Stage::Auth).await?
        };
        if reply.code != 334 {
            return Ok(reply);
        }
        self.dialogue.ask(&format!("{message}\r\n"), Stage::Auth).await
    }

    /// The challenges are ignored: servers word them in many ways, and their order is fixed.
    async fn auth_login(&mut self, login: &Login<'_>) -> Result<SmtpReply, Failure> {
        let command = format!("AUTH {}\r\n", Mechanism::Login);
        let mut reply = self.dialogue.ask(&command, Stage::Auth).await?;
        for answer in [&*login.secret.username, login.secret.password.expose()] {
            if reply.code != 334 {
                return Ok(reply);
            }
            let line = format!("{}\r\n", STANDARD.encode(answer));
            reply = self.dialogue.ask(&line, Stage::Auth).await?;
        }
        Ok(reply)
    }

    fn read_extensions(&mut self, lines: &[String]) {
        self.starttls = false;
        self.mechanisms.clear();
        for line in lines.iter().skip(1) {
            // Servers older than RFC 4954 write "AUTH=PLAIN".
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
}
