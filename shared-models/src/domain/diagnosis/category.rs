//! The categories of failure codes, which are also the sections of their reference page.

/// The part of a connection attempt that a code belongs to. Each has a prefix of its own on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// The settings themselves, before any network.
    Config,
    /// Name resolution, the egress rule, the TCP connection.
    Network,
    /// The TLS handshake, the certificate, STARTTLS.
    Tls,
    /// The dialogue before sign-in: greeting, capabilities.
    Protocol,
    /// The credentials, as the server judged them.
    SignIn,
    /// A rule of the mail provider or of its administrator.
    Policy,
    /// OAuth 2 grants and tokens.
    Oauth,
    /// Rate limits, quotas and temporary states.
    Limit,
    /// The right to send, after sign-in.
    Sending,
    /// The folders of the mailbox, after sign-in.
    Folders,
    /// Our own system.
    System,
}

impl Category {
    /// Every category, in the order of the table of codes.
    pub const ALL: [Self; 11] = [
        Self::Config,
        Self::Network,
        Self::Tls,
        Self::Protocol,
        Self::SignIn,
        Self::Policy,
        Self::Oauth,
        Self::Limit,
        Self::Sending,
        Self::Folders,
        Self::System,
    ];

    /// The beginning of every code of this category, for example `AUTH`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Config => "CFG",
            Self::Network => "NET",
            Self::Tls => "TLS",
            Self::Protocol => "PROTO",
            Self::SignIn => "AUTH",
            Self::Policy => "POLICY",
            Self::Oauth => "OAUTH",
            Self::Limit => "LIMIT",
            Self::Sending => "SEND",
            Self::Folders => "IMAP",
            Self::System => "SYS",
        }
    }

    /// A heading for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Config => "Settings, before any network",
            Self::Network => "Name resolution, egress rule, connection",
            Self::Tls => "TLS",
            Self::Protocol => "Greeting and capabilities",
            Self::SignIn => "Sign-in",
            Self::Policy => "Policy of the mail provider",
            Self::Oauth => "OAuth 2",
            Self::Limit => "Limits and temporary states",
            Self::Sending => "Sending, after sign-in",
            Self::Folders => "Folders, after sign-in",
            Self::System => "Our own system",
        }
    }
}
