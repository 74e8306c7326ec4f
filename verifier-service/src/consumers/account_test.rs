//! The part of the consumer that tests the logins of sending providers. Each test is begun in the database
//! before the server hears of it, so that an event that comes twice, or comes back after a process died,
//! signs in to nothing.

use std::sync::Arc;
use std::time::Duration;

use mail_client::{Prober, Urgency, without_promise};
use service_runtime::runner::Outcome;
use shared_models::domain::sending_accounts::TestOutcome;
use shared_models::domain::{CoreError, FailureCode};
use shared_models::events::LoginTestRef;
use shared_models::store::{Settled, Store};

use super::results::store_result;

/// When another process tests the same provider. Long enough that a test which waits for a place at its
/// server is not given up before the other one is through.
const IN_OTHER_HANDS: Duration = Duration::from_secs(5);

/// Tests providers, each test at most once.
pub(crate) struct TestLogin {
    store: Store,
    prober: Arc<Prober>,
}

impl TestLogin {
    /// Over this store, dialling through this prober.
    pub(crate) fn new(store: Store, prober: Arc<Prober>) -> Self {
        Self { store, prober }
    }

    /// Makes one. Whatever comes out is final: nothing is tried again that nobody asked for.
    pub(crate) async fn handle(&self, about: LoginTestRef) -> Result<Outcome, CoreError> {
        let id = about.login_test_id;
        let subject = format!("provider.id={} provider_test.id={id}", about.sending_account_id);
        // What another process finds out may spare this one the login.
        let Some(_claim) = self.store.claim_sending_account(about.sending_account_id).await? else {
            return Ok(Outcome::Later(IN_OTHER_HANDS));
        };
        let Some(job) = self.store.begin_login_test(id).await? else {
            log::debug!("{subject} needs no login (any more)");
            return Ok(Outcome::Done);
        };
        let report = self.prober.smtp(&job.smtp, &job.secret, Urgency::Single).await;
        // The words for a mailbox promise another try.
        let outcome = TestOutcome::of(&report, without_promise);
        let word = match &outcome {
            TestOutcome::Accepted => "accepted",
            TestOutcome::Refused { .. } => "refused",
            TestOutcome::Unreached(_) => "unreached",
            TestOutcome::Unclear(_) => "unclear",
        };
        let code = report.failure.as_ref().map_or("-", |finding| FailureCode::as_str(finding.code));
        log::info!("{subject} outcome={word} code={code} duration_ms={}", report.millis);
        let settled =
            store_result(&subject, || self.store.settle_login_test(id, outcome.clone(), report.millis)).await?;
        if settled == Settled::Superseded {
            log::info!("{subject} was deleted while it was tested");
        }
        Ok(Outcome::Done)
    }
}
