//! The script of a scripted server: the vocabulary of its misbehaviour.

use std::time::Duration;

/// One of the four ways in which a mail client reaches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listener {
    /// SMTP submission in plaintext with STARTTLS (RFC 6409; usually port 587).
    SmtpStarttls,
    /// SMTP submission in implicit TLS (RFC 8314; usually port 465).
    SmtpImplicit,
    /// IMAP in plaintext with STARTTLS (RFC 9051; usually port 143).
    ImapStarttls,
    /// IMAP in implicit TLS (RFC 8314; usually port 993).
    ImapImplicit,
}

impl Listener {
    pub const ALL: [Self; 4] = [Self::SmtpStarttls, Self::SmtpImplicit, Self::ImapStarttls, Self::ImapImplicit];
    pub const SMTP: [Self; 2] = [Self::SmtpStarttls, Self::SmtpImplicit];
    pub const IMAP: [Self; 2] = [Self::ImapStarttls, Self::ImapImplicit];

    pub fn protocol(self) -> Protocol {
        match self {
            Self::SmtpStarttls | Self::SmtpImplicit => Protocol::Smtp,
            Self::ImapStarttls | Self::ImapImplicit => Protocol::Imap,
        }
    }

    /// TLS from the first byte on?
    pub fn is_implicit_tls(self) -> bool {
        matches!(self, Self::SmtpImplicit | Self::ImapImplicit)
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Smtp,
    Imap,
}

impl Protocol {
    pub fn other(self) -> Self {
        match self {
            Self::Smtp => Self::Imap,
            Self::Imap => Self::Smtp,
        }
    }
}

/// How a client hands over its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// SASL PLAIN (RFC 4616).
    Plain,
    /// SASL LOGIN.
    Login,
    /// The IMAP command LOGIN.
    ImapLogin,
}

/// A reply as scripted, good or bad.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// Lines divided by `\n`. CRLF is put behind each. In IMAP `{tag}` stands for the tag of the command; a last
    /// line that has none and is not untagged (`*`, `+`) gets it in front.
    Text(String),
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// Says nothing for as long as the client stays.
    Silent,
    /// Closes the connection without a word.
    Drop,
    /// A line that never ends, one byte at each interval.
    Drip(Duration),
    /// Continuation lines without end, as quickly as the client reads.
    EndlessLines,
    /// One line of so many bytes, then CRLF.
    HugeLine(usize),
}

impl Reply {
    /// [`Reply::Text`].
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl std::fmt::Debug for Reply {
    /// Bytes by number only: they may be megabytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Silent => f.write_str("Silent"),
            Self::Drop => f.write_str("Drop"),
            Self::Drip(interval) => write!(f, "Drip({interval:?})"),
            Self::EndlessLines => f.write_str("EndlessLines"),
            Self::HugeLine(length) => write!(f, "HugeLine({length})"),
        }
    }
}

/// The first thing that a server says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Greeting {
    /// `220 ...` or `* OK ...`.
    #[default]
    Normal,
    /// Something else. After a text that is not `2xx` or `* OK` the connection is closed.
    Scripted(Reply),
    /// IMAP on the SMTP port and the reverse, for the whole session.
    OtherProtocol,
    /// A web server's `400 Bad Request`, then closed.
    Http,
}

/// Treatment of STARTTLS on the two plaintext listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Starttls {
    /// Offered and done.
    #[default]
    Offered,
    /// Neither announced nor known.
    NotOffered,
    /// Announced, then answered in this way (`454 4.7.0 ...`, `NO ...`); the session goes on in plaintext.
    Refused(Reply),
    /// These plaintext bytes follow the 220 or OK in the same packet, then TLS begins (CVE-2011-0411 reversed).
    Injected(Vec<u8>),
    /// After the 220 or OK nothing ever comes.
    Stalls,
    /// Closed right after the 220 or OK.
    Closes,
}

/// The TLS handshake, implicit or after STARTTLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// The standard certificate of [`crate::TestCa::shared`].
    #[default]
    Normal,
    /// A trusted certificate for `other.example.test`.
    WrongName,
    /// A trusted certificate that ended yesterday.
    Expired,
    /// A trusted certificate that begins in 30 days.
    NotYetValid,
    /// Signed by itself, right names.
    SelfSigned,
    /// Right names, signed by an authority that nobody trusts.
    UnknownCa,
    /// Never answers the ClientHello.
    Silent,
    /// Answers the ClientHello with the alert `handshake_failure`.
    Alert,
    /// Closes after the ClientHello.
    Closes,
}

/// The answer to EHLO or CAPABILITY.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Capability {
    /// PLAIN and LOGIN where a password is safe, STARTTLS as [`Starttls`] says.
    #[default]
    Normal,
    /// These keywords (`AUTH NTLM`, `SIZE 1000`; `IMAP4rev1`, `LOGINDISABLED`) in place of all normal ones, before
    /// and inside TLS. STARTTLS is still added as [`Starttls`] says.
    Keywords(Vec<String>),
    Scripted(Reply),
}

impl Capability {
    /// [`Capability::Keywords`].
    pub fn keywords(keywords: &[&str]) -> Self {
        Self::Keywords(keywords.iter().map(ToString::to_string).collect())
    }
}

/// How a login is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// By the accounts of the server.
    #[default]
    ByAccount,
    /// Always so, whatever the password. A positive text logs in.
    Scripted(Reply),
    /// The first attempt of each user gets the first reply, and so on; afterwards by account.
    Sequence(Vec<Reply>),
    /// This mechanism gets this reply, all others are answered by account.
    RefuseMechanism(Mechanism, Reply),
    /// The command itself is answered so, before the password was sent when the client waits for the challenge
    /// (`504 5.5.4 ...`). For the IMAP command LOGIN the same as [`Auth::RefuseMechanism`].
    RefuseCommand(Mechanism, Reply),
}

/// Behaviour after an accepted login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AfterAuth {
    #[default]
    Normal,
    /// This text, unasked (`* BYE ...`, `421 ...`), and the end.
    Bye(String),
    Drop,
    /// No further command is answered, QUIT and LOGOUT included.
    Silent,
}

/// SMTP: how the steps of handing over a mail are answered, in place of what a good server says. After a text
/// that is positive for the step (`2xx`, `354` for DATA) the mail goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    pub mail: Option<Reply>,
    pub rcpt: Option<Reply>,
    pub data: Option<Reply>,
    /// To the dot behind the last line. Without a positive text the mail is not accepted.
    pub end: Option<Reply>,
}

/// Everything a listener does. Taken over by a connection when it begins.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    pub greeting: Greeting,
    /// STARTTLS, on the plaintext listeners.
    pub starttls: Starttls,
    /// TLS handshake and certificate.
    pub tls: Tls,
    /// EHLO or CAPABILITY.
    pub capability: Capability,
    /// Logins. [`super::ScriptedServer::set_auth`] overrides it for one user.
    pub auth: Auth,
    pub after_auth: AfterAuth,
    /// Time before each reply, the greeting included.
    pub reply_delay: Duration,
    /// Announce and accept logins outside TLS.
    pub plaintext_auth: bool,
    /// SMTP: the answers to a mail.
    pub submission: Submission,
    /// SMTP: accept mail without a login, as a relay does.
    pub open_relay: bool,
    /// More connections than this at one listener get `421` or `* BYE` as greeting.
    pub max_connections: Option<usize>,
}
