//! The result of one login check: a report for each leg (SMTP, IMAP). A leg passed, or failed with one [`Finding`] that
//! names the fault, who can mend it and the next step.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::diagnosis::failure_codes::FailureCode;
use crate::domain::diagnosis::fault::{Class, Fault};

/// One of the two logins of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Message submission (RFC 6409), the sending side.
    Smtp,
    /// Mail access (RFC 9051), the reading side.
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

/// The step of a login that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The settings themselves, before any network.
    Config,
    /// Looking up the addresses of the host.
    Resolve,
    /// The egress rule's decision which addresses may be dialled.
    Egress,
    /// The TCP connection to a vetted address.
    Connect,
    /// The TLS handshake and the check of the certificate.
    Tls,
    /// The server's first line, before we say anything.
    Greeting,
    /// The STARTTLS command and its answer.
    Starttls,
    /// EHLO or CAPABILITY and its answer.
    Capability,
    /// AUTH or LOGIN and its answer.
    Auth,
    /// The first command after sign-in, such as SELECT.
    PostAuth,
    /// MAIL FROM, RCPT TO and DATA.
    Envelope,
    /// The DNS records of the mail domain.
    Domain,
    /// Our own system, not the customer's server.
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
    /// No TLS, so everything went in clear text.
    None,
}

/// The connection as it was made. `ip` is absent if no address was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Host name as configured, not as resolved.
    pub host: String,
    /// TCP port, from 1 to 65535.
    pub port: u16,
    /// The address that was vetted and dialled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip: Option<IpAddr>,
    /// Transport security at the end of the leg.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls: Option<TlsMode>,
}

/// One failure of one leg, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Finding {
    /// Stable code; texts may change, codes never do.
    pub code: FailureCode,
    /// With `SYS_ATTEMPTS_EXHAUSTED`: the code of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<FailureCode>,
    pub leg: Leg,
    pub stage: Stage,
    /// Usually the code's own class; a few codes exist in two classes.
    pub class: Class,
    pub fault: Fault,
    /// The wait that the server asked for.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "seconds")]
    pub retry_after: Option<Duration>,
    /// Plain words for the end user that name the next step.
    pub remedy: String,
    /// The server's reply, cleaned: at most 500 characters, no secrets, no foreign addresses.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_reply: Option<String>,
    pub observed: Observed,
}

/// The result of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegReport {
    /// The connection that decided. After a fallback to another mode or host, that is the last one.
    pub observed: Observed,
    /// Wall time of the leg in milliseconds, waiting for a free slot not included.
    pub millis: u64,
    /// `None` if the server accepted the login.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Finding>,
    /// Findings that did not fail the leg.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<Finding>,
}

impl LegReport {
    /// True if the server accepted the login.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// The result of one verification of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct LoginReport {
    pub smtp: LegReport,
    /// The IMAP leg; absent if the mailbox has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub imap: Option<LegReport>,
    /// We guessed the IMAP host, so its failure is a note and not a verdict.
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
