//! The standing of a sending account: switched on or off, and what its login tests said.
//!
//! | status | meaning | left by |
//! |---|---|---|
//! | `Pending` | the login has not been tested since it was last changed | a test, switching off |
//! | `Active` | the server accepted the login | switching off, a refusal, a change of the login |
//! | `Error` | a test failed | a test that passes, switching off, a change of the login |
//! | `Inactive` | switched off by the tenant | switching on, a refusal |

use crate::domain::diagnosis::{Class, LegReport, Stage};
use crate::domain::mailboxes::is_credential_refusal;

/// The status of a sending account; the module lists the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendingAccountStatus {
    /// In use: the server accepted its login.
    Active,
    /// Switched off by the tenant.
    Inactive,
    /// A test of its login failed.
    Error,
    /// Its login was never tested, or not since it was changed.
    Pending,
}

impl SendingAccountStatus {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Active, Self::Inactive, Self::Error, Self::Pending];

    /// The word that rows of the database hold.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Error => "error",
            Self::Pending => "pending",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// The status of a sending account, the switch, and the reason of the status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Standing {
    pub status: SendingAccountStatus,
    /// Plain words for the tenant, without secrets.
    pub reason: Option<String>,
    /// The tenant's switch.
    pub is_active: bool,
}

impl Standing {
    /// The standing of an account whose login was never tested.
    pub fn untried(is_active: bool) -> Self {
        let status = if is_active { SendingAccountStatus::Pending } else { SendingAccountStatus::Inactive };
        Self { status, reason: None, is_active }
    }

    /// The standing of an account that is switched on. A refused login stays refused, for the reason in `refusal`. A
    /// login that no server has accepted yet has to be tested first.
    pub fn switched_on(refusal: Option<String>, was_accepted: bool) -> Self {
        match refusal {
            Some(_) => Self { status: SendingAccountStatus::Error, reason: refusal, is_active: true },
            None if was_accepted => Self { status: SendingAccountStatus::Active, reason: None, is_active: true },
            None => Self::untried(true),
        }
    }

    /// The standing of an account that is switched off.
    pub fn deactivated() -> Self {
        Self { status: SendingAccountStatus::Inactive, reason: None, is_active: false }
    }

    /// The standing after a test. A temporary fault says nothing about a login: it changes only the reason of one that
    /// was never tested. An unreachable server says nothing about a login that was accepted before.
    pub fn tested(self, outcome: &TestOutcome) -> Self {
        match outcome {
            TestOutcome::Accepted if self.is_active => Self::switched_on(None, true),
            TestOutcome::Accepted => Self::deactivated(),
            TestOutcome::Refused { reason, .. } => {
                Self { status: SendingAccountStatus::Error, reason: Some(reason.clone()), ..self }
            }
            TestOutcome::Unreached(_) if self.status == SendingAccountStatus::Active => self,
            TestOutcome::Unreached(reason) => {
                Self { status: SendingAccountStatus::Error, reason: Some(reason.clone()), ..self }
            }
            TestOutcome::Unclear(reason) if self.status == SendingAccountStatus::Pending => {
                Self { reason: Some(reason.clone()), ..self }
            }
            TestOutcome::Unclear(_) => self,
        }
    }
}

/// The result of a login test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// The server accepted the login.
    Accepted,
    /// The login is refused until somebody changes something.
    Refused {
        /// Plain words for the tenant.
        reason: String,
        /// The server received the password and refused it, so it is not sent there again.
        of_password: bool,
    },
    /// There is no server, or it accepts no connection. At the first test that is a mistake in the settings, later a
    /// restart.
    Unreached(String),
    /// The server could not be asked, or gave no verdict.
    Unclear(String),
}

impl TestOutcome {
    /// The outcome of a login check. `words` turns the remedy of a finding into the tenant's words.
    pub fn of(report: &LegReport, words: impl Fn(&str) -> String) -> Self {
        match &report.failure {
            None => Self::Accepted,
            Some(finding) if finding.class != Class::Permanent => Self::Unclear(words(&finding.remedy)),
            Some(finding) if matches!(finding.stage, Stage::Resolve | Stage::Connect) => {
                Self::Unreached(words(&finding.remedy))
            }
            Some(finding) => {
                Self::Refused { reason: words(&finding.remedy), of_password: is_credential_refusal(finding) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(of_password: bool) -> TestOutcome {
        TestOutcome::Refused { reason: "no".to_owned(), of_password }
    }

    fn unclear() -> TestOutcome {
        TestOutcome::Unclear("busy".to_owned())
    }

    #[test]
    fn only_verdicts_move_a_provider() {
        use SendingAccountStatus as S;
        let untried = || Standing::untried(true);
        let on = |refusal: Option<&str>, was_accepted| Standing::switched_on(refusal.map(str::to_owned), was_accepted);
        let (active, error) = (on(None, true), on(Some("no"), true));
        assert_eq!((on(None, false), on(Some("no"), false)), (untried(), error.clone()));
        assert_eq!((untried().status, Standing::untried(false).status), (S::Pending, S::Inactive));
        assert_eq!((active.status, error.status), (S::Active, S::Error));
        for before in [untried(), active.clone(), error.clone()] {
            assert_eq!(before.clone().tested(&TestOutcome::Accepted), active);
            assert_eq!(before.tested(&refused(true)), error);
        }
        let unreached = TestOutcome::Unreached("no".to_owned());
        assert_eq!((untried().tested(&unreached), active.clone().tested(&unreached)), (error.clone(), active.clone()));
        assert_eq!(active.clone().tested(&unclear()), active);
        assert_eq!(error.clone().tested(&unclear()), error);
        assert_eq!(untried().tested(&unclear()), Standing { reason: Some("busy".to_owned()), ..untried() });
        let off = Standing::deactivated();
        assert_eq!(off.clone().tested(&TestOutcome::Accepted), off);
        assert_eq!(off.clone().tested(&unclear()), off);
        assert_eq!(off.tested(&refused(false)), Standing { is_active: false, ..error });
    }
}
