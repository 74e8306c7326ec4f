//! Verifies sending domains: looks up the records that a tenant has to publish.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use service_runtime::runner::{Attempt, Consumer, Outcome, exponential};
use shared_models::domain::CoreError;
use shared_models::events::{DOMAIN_QUEUE, DomainRef, Envelope, Event};
use shared_models::store::{Settled, Store};

use super::NOT_OURS;
use super::metrics::{self, Verification};
use crate::verification::DomainVerifier;

/// Attempts at look-ups that were not answered. A domain that is still undecided waits for the next request.
const ATTEMPTS: u32 = 4;
/// Pause before the second attempt. A client may be waiting, and one lost packet should not cost more than this.
const SOON: Duration = Duration::from_secs(1);
/// Pause before the third attempt. Longer than a resolver caches a failure (RFC 9520 section 3.2 starts at 5 s).
const RETRY_BASE: Duration = Duration::from_secs(10);

/// Consumer of [`DOMAIN_QUEUE`]. Verifying again is harmless.
pub struct DomainWorker {
    store: Store,
    verifier: DomainVerifier,
    concurrency: usize,
}

impl DomainWorker {
    /// A consumer over this store; `concurrency` domains are in flight at most.
    pub fn new(store: Store, verifier: DomainVerifier, concurrency: usize) -> Self {
        metrics::show();
        Self { store, verifier, concurrency }
    }

    async fn verify(&self, about: DomainRef, attempt: Attempt) -> Result<Outcome, CoreError> {
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
                    // A newer request, or a change of the domain, came in meanwhile.
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

#[async_trait]
impl Consumer for DomainWorker {
    fn queue(&self) -> &'static str {
        DOMAIN_QUEUE
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::DomainVerificationRequested(domain) => self.verify(domain, attempt).await,
            _ => Ok(Outcome::Park(NOT_OURS)),
        }
    }
}
