//! Tests of a sending provider's login, and where a provider stands after them. Pure; no I/O.

use crate::domain::diagnosis::{Class, LegReport, Stage};
use crate::domain::mailboxes::is_credential_refusal;
use crate::domain::sending_accounts::SendingAccountStatus;
use crate::domain::{LoginSecret, LoginTestId, SendingAccountId, ServerEndpoint, Timestamp};

/// Where a provider stands, whether it is switched on, and why it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub status: SendingAccountStatus,
    /// Plain words for the tenant, without anything secret.
    pub reason: Option<String>,
    /// The tenant's wish.
    pub is_active: bool,
}

impl Standing {
    /// Of a provider whose login was not tried yet.
    pub fn untried(is_active: bool) -> Self {
        let status = if is_active { SendingAccountStatus::Pending } else { SendingAccountStatus::Inactive };
        Self { status, reason: None, is_active }
    }

    /// Switched on. A login that was refused stays refused, `refusal` says why; one that no server has accepted
    /// yet has to be tried first.
    pub fn switched_on(refusal: Option<String>, was_accepted: bool) -> Self {
        match refusal {
            Some(_) => Self { status: SendingAccountStatus::Error, reason: refusal, is_active: true },
            None if was_accepted => Self { status: SendingAccountStatus::Active, reason: None, is_active: true },
            None => Self::untried(true),
        }
    }

    /// Switched off.
    pub fn deactivated() -> Self {
        Self { status: SendingAccountStatus::Inactive, reason: None, is_active: false }
    }

    /// After a test. What is temporary says nothing about a login, so it changes nothing but the reason
    /// of one that was never tried; that a server is away says nothing about one that works.
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

/// What a test found out about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// It is good.
    Accepted,
    /// It stays bad until somebody changes something.
    Refused {
        /// Plain words for the tenant.
        reason: String,
        /// The server was shown the password and did not take it. It is not shown to it again.
        of_password: bool,
    },
    /// There is no server, or it takes no connections: at its first test a mistake, later a restart.
    Unreached(String),
    /// The server could not be asked, or did not decide.
    Unclear(String),
}

impl TestOutcome {
    /// What a login check means for a provider; `words` makes them of what the check says.
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

/// A test of a provider's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTest {
    /// Identity.
    pub id: LoginTestId,
    /// Whose login.
    pub sending_account_id: SendingAccountId,
    /// How it ended; `None` until then.
    pub result: Option<LoginTestResult>,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTestResult {
    /// The server accepted the login.
    pub success: bool,
    /// Plain words for the tenant.
    pub message: String,
    /// How long it took; 0 when the server was not asked.
    pub latency_ms: i64,
    /// When the server decided.
    pub tested_at: Timestamp,
}

/// What a worker needs to test a login. The password is opened by the vault.
#[derive(Clone, Debug)]
pub struct LoginTestJob {
    /// Submission server.
    pub smtp: ServerEndpoint,
    /// For the login.
    pub secret: LoginSecret,
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
