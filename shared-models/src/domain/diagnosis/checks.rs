//! The result of one login check: one report for each leg (SMTP, IMAP), each either passed or with
//! one [`Finding`] that says what is wrong, whose fault it is and what to do next.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::diagnosis::failure_codes::FailureCode;
use crate::domain::diagnosis::fault::{Class, Fault};

/// One of the two logins of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Message submission (RFC 6409).
    Smtp,
    /// Mail access (RFC 9051).
    Imap,
}

impl Leg {
    /// The word used on the wire: `smtp` or `imap`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
        }
    }
}

/// How far a login got before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The settings themselves, before any network.
    Config,
    /// Looking up the addresses of the host.
    Resolve,
    /// The decision which addresses may be dialled.
    Egress,
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The server's first line.
    Greeting,
    /// The STARTTLS command.
    Starttls,
    /// EHLO or CAPABILITY.
    Capability,
    /// AUTH or LOGIN.
    Auth,
    /// The first command after sign-in.
    PostAuth,
    /// MAIL FROM, RCPT TO and DATA.
    Envelope,
    /// The DNS of the domain.
    Domain,
    /// Our own system.
    System,
}

/// The transport security that was in force when the leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// Upgraded by STARTTLS (RFC 3207, RFC 9051 section 6.2.1).
    Starttls,
    /// No TLS.
    None,
}

/// What was dialled. `ip` is absent when no address was vetted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Host name as configured.
    pub host: String,
    /// TCP port, 1-65535.
    pub port: u16,
    /// The pinned address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip: Option<IpAddr>,
    /// Transport security reached so far.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls: Option<TlsMode>,
}

/// One failure of one leg, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code; texts may change, codes never do.
    pub code: FailureCode,
    /// With `SYS_ATTEMPTS_EXHAUSTED`: what the last try met.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<FailureCode>,
    /// Which login.
    pub leg: Leg,
    /// How far it got.
    pub stage: Stage,
    /// Whether repeating can help. Usually the code's own class; a few codes exist in two classes.
    pub class: Class,
    /// Who can put it right.
    pub fault: Fault,
    /// When the server said how long to wait.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "seconds")]
    pub retry_after: Option<Duration>,
    /// Plain words for the end user that name the next click.
    pub remedy: String,
    /// The server's reply, cleaned: at most 500 characters, no secrets, no foreign addresses.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_reply: Option<String>,
    /// What was dialled.
    pub observed: Observed,
}

/// The end of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegReport {
    /// What was dialled in the end (after a fallback to another mode or host, the one that counts).
    pub observed: Observed,
    /// Wall time of the leg in milliseconds, waiting for a free slot not included.
    pub millis: u64,
    /// `None` = login accepted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Finding>,
    /// Things worth telling that did not fail the leg.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<Finding>,
}

impl LegReport {
    /// True when the server accepted the login.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// The result of one verification of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginReport {
    /// The SMTP leg.
    pub smtp: LegReport,
    /// The IMAP leg; absent when the mailbox has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub imap: Option<LegReport>,
    /// The IMAP host was guessed by us, so its failure is a note and not a verdict.
    #[serde(default)]
    pub imap_guessed: bool,
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(v: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        v.map(|d| d.as_secs()).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(Duration::from_secs))
    }
}
