//! Statistics of a scripted server: connections, logins, commands.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::script::{Listener, Mechanism, Protocol};

/// Logins kept in the log; the oldest go first. Counters are not affected.
const MAX_EVENTS: usize = 200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginOutcome {
    /// 235, OK.
    Accepted,
    /// 5xx, NO, BAD.
    Refused,
    /// 4xx, NO with a temporary response code (RFC 5530), BYE.
    Temporary,
    /// No readable reply: silence, a closed connection, a line without end.
    Unanswered,
}

/// Logins of one user in one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginCounts {
    pub attempts: u64,
    /// Answered 235 or OK.
    pub accepted: u64,
    /// Answered with a permanent refusal.
    pub refused: u64,
    /// Answered with a temporary one.
    pub temporary: u64,
    pub unanswered: u64,
}

impl LoginCounts {
    fn add(&mut self, outcome: LoginOutcome) {
        self.attempts += 1;
        match outcome {
            LoginOutcome::Accepted => self.accepted += 1,
            LoginOutcome::Refused => self.refused += 1,
            LoginOutcome::Temporary => self.temporary += 1,
            LoginOutcome::Unanswered => self.unanswered += 1,
        }
    }
}

/// One login attempt. Passwords are not kept.
#[derive(Clone, Debug)]
pub struct LoginEvent {
    /// When the password had arrived (before the delay of the reply).
    pub at: Instant,
    pub listener: Listener,
    /// How the password came.
    pub mechanism: Mechanism,
    /// User name as sent.
    pub user: String,
    /// Was the connection encrypted?
    pub tls: bool,
    pub outcome: LoginOutcome,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerStats {
    /// All that were accepted.
    pub connections: u64,
    pub open: usize,
    /// The most that were open at one time.
    pub max_open: usize,
    /// TLS handshakes that were completed.
    pub tls_handshakes: u64,
    /// TLS handshakes that broke off (an untrusted certificate, say).
    pub tls_failures: u64,
    /// Bytes from clients, without TLS overhead.
    pub bytes_in: u64,
    /// Bytes to clients, without TLS overhead.
    pub bytes_out: u64,
}

/// A mail that was accepted.
#[derive(Clone, Debug)]
pub struct Message {
    pub user: Option<String>,
    /// MAIL FROM.
    pub from: String,
    /// RCPT TO.
    pub to: Vec<String>,
    /// Header and body, dots unstuffed, every line end CRLF.
    pub data: Vec<u8>,
    /// The same exactly as it came over the wire, up to the line with the dot.
    pub wire: Vec<u8>,
}

/// Everything a scripted server counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub(super) listeners: [ListenerStats; 4],
    /// The most connections that were open at one time at all listeners together.
    pub max_open: usize,
    pub(super) logins: HashMap<(Protocol, String), LoginCounts>,
    /// Logins, newest last.
    pub events: VecDeque<LoginEvent>,
    /// Passwords that arrived outside TLS.
    pub plaintext_passwords: u64,
    /// Mails that arrived up to the dot behind the last line, accepted or not.
    pub messages_received: u64,
    /// Mails that were accepted.
    pub messages_accepted: u64,
    /// The newest of them.
    pub messages: VecDeque<Message>,
}

impl Stats {
    pub fn listener(&self, listener: Listener) -> ListenerStats {
        self.listeners[listener.index()]
    }

    /// Connections accepted by all listeners.
    pub fn connections(&self) -> u64 {
        self.listeners.iter().map(|l| l.connections).sum()
    }

    /// Connections open at all listeners.
    pub fn open(&self) -> usize {
        self.listeners.iter().map(|l| l.open).sum()
    }

    pub fn logins(&self, protocol: Protocol, user: &str) -> LoginCounts {
        self.logins.get(&(protocol, user.to_string())).copied().unwrap_or_default()
    }

    pub fn total_logins(&self, protocol: Protocol) -> LoginCounts {
        let mut total = LoginCounts::default();
        for ((of, _), counts) in &self.logins {
            if *of == protocol {
                total.attempts += counts.attempts;
                total.accepted += counts.accepted;
                total.refused += counts.refused;
                total.temporary += counts.temporary;
                total.unanswered += counts.unanswered;
            }
        }
        total
    }

    /// How many are open at this listener now.
    pub(super) fn opened(&mut self, listener: Listener) -> usize {
        let one = &mut self.listeners[listener.index()];
        one.connections += 1;
        one.open += 1;
        one.max_open = one.max_open.max(one.open);
        let number = one.open;
        self.max_open = self.max_open.max(self.open());
        number
    }

    pub(super) fn login(&mut self, protocol: Protocol, event: LoginEvent) {
        let key = (protocol, event.user.clone());
        self.logins.entry(key).or_default().add(event.outcome);
        if !event.tls {
            self.plaintext_passwords += 1;
        }
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Forgets everything but the connections that are open.
    pub(super) fn reset(&mut self) {
        let open = self.listeners.map(|l| l.open);
        *self = Self::default();
        for (one, open) in self.listeners.iter_mut().zip(open) {
            one.open = open;
            one.max_open = open;
        }
        self.max_open = self.open();
    }
}
