//! Login secrets. None of these types can be printed, logged or put into an event: they have no
//! `Serialize`, no `Display`, and a `Debug` that shows nothing. The vault in
//! [`crate::store::vault`] is the only reader besides the login probes.

use secrecy::{ExposeSecret, SecretString};

/// A password as typed: never trimmed, never shown, wiped from memory on drop.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// Takes the password as it is, white space included.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The clear text, for the login probe and the vault only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

/// User name and password of one leg.
#[derive(Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct LoginSecret {
    /// Login name, often but not always the address.
    pub username: String,
    pub password: Password,
}

impl std::fmt::Debug for LoginSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginSecret(***)")
    }
}

/// The secrets of both legs of a mailbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    /// Signs in to message submission.
    pub smtp: LoginSecret,
    /// Signs in to mail access.
    pub imap: LoginSecret,
}
