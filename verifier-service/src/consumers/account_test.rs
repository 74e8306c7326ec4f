//! Login tests of sending accounts. A test is marked as begun in the database before anything is dialled. An event
//! that comes twice, or again after a process died, therefore causes no second login.

use std::sync::Arc;
use std::time::Duration;

use mail_client::{Prober, Urgency, without_promise};
use service_runtime::runner::Outcome;
use shared_models::domain::sending_accounts::TestOutcome;
use shared_models::domain::{CoreError, FailureCode};
use shared_models::events::LoginTestRef;
use shared_models::store::{Settled, Store};

use super::results::store_result;

/// Pause while another process tests the same sending account. An event is parked after 25 deliveries; 25 of these
/// pauses outlast a test that waits long for a slot at its server.
const CLAIMED_ELSEWHERE: Duration = Duration::from_secs(5);

/// Makes login tests, each at most once.
pub(super) struct TestLogin {
    store: Store,
    prober: Arc<Prober>,
}

impl TestLogin {
    pub(super) fn new(store: Store, prober: Arc<Prober>) -> Self {
        Self { store, prober }
    }

    /// Makes one test. Every outcome is final: without a new request there is no second attempt.
    pub(super) async fn handle(&self, about: LoginTestRef) -> Result<Outcome, CoreError> {
        let id = about.login_test_id;
        let subject = format!("provider.id={} provider_test.id={id}", about.sending_account_id);
        // The result of another process may make this login unnecessary.
        let Some(_claim) = self.store.claim_sending_account(about.sending_account_id).await? else {
            return Ok(Outcome::Later(CLAIMED_ELSEWHERE));
        };
        let Some(job) = self.store.begin_login_test(id).await? else {
            log::debug!("{subject} needs no login (any more)");
            return Ok(Outcome::Done);
        };
        let report = self.prober.smtp(&job.smtp, &job.secret, Urgency::Single).await;
        // Remedies are worded for mailboxes, where another attempt follows.
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
