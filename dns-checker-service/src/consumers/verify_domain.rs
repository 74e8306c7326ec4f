//! The part of the consumer that verifies domains: loads one, looks at its records, stores what it found.

use std::time::{Duration, Instant};

use service_runtime::runner::{Attempt, Outcome, exponential};
use shared_models::domain::CoreError;
use shared_models::events::DomainRef;
use shared_models::store::{Settled, Store};

use super::metrics::{self, Verification};
use crate::verification::DomainVerifier;

/// Tries for look-ups that did not answer; what is still unknown then waits to be asked for again.
const ATTEMPTS: u32 = 4;
/// Before the second try: somebody may be waiting, and a single packet that was lost should not cost more.
const SOON: Duration = Duration::from_secs(1);
/// Before the third. Longer than a resolver keeps a failure in its cache (RFC 9520 section 3.2 starts at 5 s).
const RETRY_BASE: Duration = Duration::from_secs(10);

/// Verifies domains. Safe to repeat.
pub(crate) struct VerifyDomain {
    store: Store,
    verifier: DomainVerifier,
}

impl VerifyDomain {
    pub(crate) fn new(store: Store, verifier: DomainVerifier) -> Self {
        Self { store, verifier }
    }

    pub(crate) async fn handle(&self, about: DomainRef, attempt: Attempt) -> Result<Outcome, CoreError> {
        let id = about.domain_id;
        let Some(job) = self.store.domain_check_job(id).await? else {
            log::debug!("domain.id={id} is not to be verified (any more)");
            return Ok(Outcome::Done);
        };
        let started = Instant::now();
        let result = self.verifier.check(&job.domain).await;
        let (elapsed, reason) = (started.elapsed(), job.reason);
        let ms = elapsed.as_millis();
        match result {
            Ok(checks) => {
                log::info!("domain.id={id} reason={reason:?} {checks:?} duration_ms={ms}");
                metrics::verified(Verification::of(checks), elapsed);
                match self.store.record_domain_check(job, checks).await? {
                    Settled::Stored => Ok(Outcome::Done),
                    // There may be a newer request, or another state of the domain, to look at.
                    Settled::Superseded => Ok(Outcome::Later(SOON)),
                }
            }
            Err(unclear) => {
                log::info!("domain.id={id} reason={reason:?} unclear duration_ms={ms}: {unclear}");
                metrics::verified(Verification::Unclear, elapsed);
                if attempt.0 == 1 {
                    return Ok(Outcome::Retry(SOON));
                }
                self.store.note_unclear_domain_check(job).await?;
                let again = attempt.0 < ATTEMPTS;
                Ok(if again { Outcome::Retry(exponential(RETRY_BASE, attempt.0 - 1)) } else { Outcome::Done })
            }
        }
    }
}
