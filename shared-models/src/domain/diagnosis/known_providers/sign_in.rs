//! The quirks of a provider at signing in, applied to what the user entered.

use super::{KnownProvider, UserNameForm};
use crate::domain::diagnosis::Leg;

/// Letters of an app password, without the spaces between its groups.
const APP_PASSWORD_LETTERS: usize = 16;

impl KnownProvider {
    /// The form of user name that is wanted, in words, if `username` has another one.
    #[must_use]
    pub fn wanted_user_name(&self, leg: Leg, username: &str) -> Option<&'static str> {
        let form = match leg {
            Leg::Smtp => self.quirks.smtp_user_name,
            Leg::Imap => self.quirks.imap_user_name,
        };
        let is_address = username.contains('@');
        match form {
            UserNameForm::LocalPart if is_address => Some("only the part of the address before the @"),
            UserNameForm::FullAddress if !is_address => Some("the full address"),
            _ => None,
        }
    }

    /// An app password without the spaces that it was shown, and pasted, with. `None` where the password has to stay as
    /// it is: another provider's, or one that is no app password.
    #[must_use]
    pub fn without_app_password_spaces(&self, password: &str) -> Option<String> {
        if !self.quirks.app_password_in_groups {
            return None;
        }
        let compact: String = password.chars().filter(|c| !c.is_whitespace()).collect();
        let is_app_password = compact.len() == APP_PASSWORD_LETTERS && compact.bytes().all(|b| b.is_ascii_alphabetic());
        (is_app_password && compact.len() != password.len()).then_some(compact)
    }
}
