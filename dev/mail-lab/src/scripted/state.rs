//! State that all connections of one scripted server share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::watch;

use super::script::{Auth, Behaviour, Listener, Mechanism, Protocol, Reply, Tls};
use super::stats::{LoginEvent, LoginOutcome, Message, Stats};
use crate::certs::{CertSpec, IssuedCert, SERVER_NAMES, TestCa, Validity, self_signed};
use crate::error::LabError;
use crate::runtime::lock;

/// May be changed while the server runs.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) accounts: HashMap<String, String>,
    pub(super) accept_all: bool,
    pub(super) behaviours: [Arc<Behaviour>; 4],
    pub(super) user_auth: HashMap<(Protocol, String), Auth>,
    /// Where each user stands in an [`Auth::Sequence`].
    pub(super) positions: HashMap<(Protocol, String), usize>,
    pub(super) keep_messages: usize,
}

pub(super) struct State {
    pub(super) ip: IpAddr,
    settings: Mutex<Settings>,
    stats: Mutex<Stats>,
    /// Counts changes of `stats`.
    changed: watch::Sender<u64>,
    acceptors: Mutex<HashMap<Tls, tokio_native_tls::TlsAcceptor>>,
}

/// A login that has arrived.
pub(super) struct Attempt<'a> {
    pub(super) listener: Listener,
    /// Protocol of the session, which is not always the listener's.
    pub(super) protocol: Protocol,
    pub(super) mechanism: Mechanism,
    pub(super) tls: bool,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

impl State {
    pub(super) fn new(ip: IpAddr, settings: Settings) -> Self {
        Self {
            ip,
            settings: Mutex::new(settings),
            stats: Mutex::default(),
            changed: watch::Sender::new(0),
            acceptors: Mutex::default(),
        }
    }

    pub(super) fn set<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut lock(&self.settings))
    }

    pub(super) fn behaviour(&self, listener: Listener) -> Arc<Behaviour> {
        lock(&self.settings).behaviours[listener.index()].clone()
    }

    pub(super) fn stats<T>(&self, read: impl FnOnce(&Stats) -> T) -> T {
        read(&lock(&self.stats))
    }

    pub(super) fn count<T>(&self, change: impl FnOnce(&mut Stats) -> T) -> T {
        let result = change(&mut lock(&self.stats));
        self.changed.send_modify(|version| *version += 1);
        result
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The script for this user and mechanism; a place in a sequence is used up.
    fn scripted(&self, attempt: &Attempt<'_>) -> Option<Reply> {
        let mut settings = lock(&self.settings);
        let settings = &mut *settings;
        let key = (attempt.protocol, attempt.user.to_string());
        let auth = settings.user_auth.get(&key).unwrap_or(&settings.behaviours[attempt.listener.index()].auth);
        match auth {
            Auth::ByAccount => None,
            Auth::Scripted(reply) => Some(reply.clone()),
            Auth::Sequence(replies) => {
                let position = settings.positions.entry(key).or_default();
                *position += 1;
                replies.get(*position - 1).cloned()
            }
            Auth::RefuseMechanism(mechanism, reply) | Auth::RefuseCommand(mechanism, reply) => {
                (*mechanism == attempt.mechanism).then(|| reply.clone())
            }
        }
    }

    fn knows(&self, user: &str, password: &str) -> bool {
        let settings = lock(&self.settings);
        settings.accept_all || settings.accounts.get(user).is_some_and(|right| right == password)
    }

    /// Decides and counts a login; the reply is still to be sent.
    pub(super) fn judge(&self, attempt: &Attempt<'_>) -> (LoginOutcome, Reply) {
        let reply = self.scripted(attempt).unwrap_or_else(|| {
            let good = self.knows(attempt.user, attempt.password);
            Reply::text(match (attempt.protocol, good) {
                (Protocol::Smtp, true) => "235 2.7.0 Authentication successful",
                (Protocol::Smtp, false) => "535 5.7.8 Authentication credentials invalid",
                (Protocol::Imap, true) => "OK Logged in",
                (Protocol::Imap, false) => "NO [AUTHENTICATIONFAILED] Authentication failed.",
            })
        });
        let outcome = classify(attempt.protocol, &reply);
        self.count(|stats| {
            stats.login(
                attempt.protocol,
                LoginEvent {
                    at: Instant::now(),
                    listener: attempt.listener,
                    mechanism: attempt.mechanism,
                    user: attempt.user.to_string(),
                    tls: attempt.tls,
                    outcome,
                },
            );
        });
        (outcome, reply)
    }

    pub(super) fn keep(&self, message: Message) {
        let limit = lock(&self.settings).keep_messages;
        self.count(|stats| {
            stats.messages_accepted += 1;
            stats.messages.push_back(message);
            while stats.messages.len() > limit {
                stats.messages.pop_front();
            }
        });
    }

    /// The acceptor for a kind of certificate, made at first use.
    pub(super) fn acceptor(&self, tls: Tls) -> Result<tokio_native_tls::TlsAcceptor, LabError> {
        if let Some(acceptor) = lock(&self.acceptors).get(&tls) {
            return Ok(acceptor.clone());
        }
        let identity = certificate(tls, self.ip)?.identity()?;
        let acceptor: tokio_native_tls::TlsAcceptor = native_tls::TlsAcceptor::new(identity)?.into();
        lock(&self.acceptors).insert(tls, acceptor.clone());
        Ok(acceptor)
    }
}

fn certificate(tls: Tls, ip: IpAddr) -> Result<IssuedCert, LabError> {
    let spec = CertSpec::default().with_ip(ip);
    let ca = TestCa::shared();
    match tls {
        Tls::WrongName => ca.issue(&CertSpec::for_names(&["other.example.test"])),
        Tls::Expired => ca.issue(&spec.with_validity(Validity::Expired)),
        Tls::NotYetValid => ca.issue(&spec.with_validity(Validity::NotYetValid)),
        Tls::SelfSigned => self_signed(&SERVER_NAMES),
        Tls::UnknownCa => TestCa::new()?.issue(&spec),
        Tls::Normal | Tls::Silent | Tls::Alert | Tls::Closes => ca.issue(&spec),
    }
}

/// A client's right reading of a reply to a login.
fn classify(protocol: Protocol, reply: &Reply) -> LoginOutcome {
    let bytes;
    let text = match reply {
        Reply::Text(text) => text.as_str(),
        Reply::Bytes(raw) => {
            bytes = String::from_utf8_lossy(raw);
            &bytes
        }
        _ => return LoginOutcome::Unanswered,
    };
    let last = text.lines().last().unwrap_or_default();
    match protocol {
        Protocol::Smtp => match last.as_bytes().first() {
            Some(b'2') => LoginOutcome::Accepted,
            Some(b'4') => LoginOutcome::Temporary,
            Some(b'5') => LoginOutcome::Refused,
            _ => LoginOutcome::Unanswered,
        },
        Protocol::Imap => classify_imap(last),
    }
}

fn classify_imap(last: &str) -> LoginOutcome {
    let (untagged, rest) = match last.strip_prefix("* ") {
        Some(rest) => (true, rest),
        None => (false, last.trim_start_matches("{tag}").trim_start()),
    };
    // RFC 5530: these say "later", all others "no".
    let later = ["[UNAVAILABLE]", "[INUSE]", "[SERVERBUG]", "[LIMIT]"];
    match rest.split(' ').next().unwrap_or_default() {
        "BYE" => LoginOutcome::Temporary,
        _ if untagged => LoginOutcome::Unanswered,
        "OK" => LoginOutcome::Accepted,
        "NO" if later.iter().any(|code| rest.contains(code)) => LoginOutcome::Temporary,
        "NO" | "BAD" => LoginOutcome::Refused,
        _ => LoginOutcome::Unanswered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_as_a_client_must() {
        let check = |protocol, text: &str, outcome| {
            assert_eq!(classify(protocol, &text.into()), outcome, "{text}");
        };
        check(Protocol::Smtp, "235 yes", LoginOutcome::Accepted);
        check(Protocol::Smtp, "454 4.7.0 later", LoginOutcome::Temporary);
        check(Protocol::Smtp, "534-5.7.9 no\n534 5.7.9 really", LoginOutcome::Refused);
        check(Protocol::Smtp, "garbage", LoginOutcome::Unanswered);
        check(Protocol::Imap, "* CAPABILITY IMAP4rev1\n{tag} OK yes", LoginOutcome::Accepted);
        check(Protocol::Imap, "* NO [ALERT] x\nNO [ALERT] no", LoginOutcome::Refused);
        check(Protocol::Imap, "NO [UNAVAILABLE] later", LoginOutcome::Temporary);
        check(Protocol::Imap, "* BYE", LoginOutcome::Temporary);
    }
}
