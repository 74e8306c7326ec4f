//! The two questions that decide the consequence of a failure: can a repetition help, and who can mend it.

use serde::{Deserialize, Serialize};

/// The answer to the question whether a repetition can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Stays until somebody changes a setting or the server.
    Permanent,
    /// Goes away by itself; we repeat the attempt.
    Temporary,
    /// Is shown, and never fails a mailbox.
    Warning,
}

impl Class {
    /// The word in a stored or published finding, for example `permanent`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Temporary => "temporary",
            Self::Warning => "warning",
        }
    }
}

/// The party that can mend the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The person who entered the settings.
    User,
    /// The administrator of the mail domain.
    Admin,
    /// The operator of the mail server.
    Server,
    /// The network between Mailmoor and the server.
    Net,
    /// Mailmoor itself, or its operator.
    Us,
}

impl Fault {
    /// The word in a stored or published finding, for example `user`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Server => "server",
            Self::Net => "net",
            Self::Us => "us",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_words_are_those_of_the_findings() {
        for class in [Class::Permanent, Class::Temporary, Class::Warning] {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
        for fault in [Fault::User, Fault::Admin, Fault::Server, Fault::Net, Fault::Us] {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.as_str());
        }
    }
}
