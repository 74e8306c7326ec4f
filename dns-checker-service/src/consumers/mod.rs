//! The consumers: which event is whose work.

mod check_domain;
mod metrics;
mod shared_checks;
mod verify_domain;

use async_trait::async_trait;
use service_runtime::runner::{Attempt, Consumer, Outcome};
use shared_models::domain::CoreError;
use shared_models::events::{DNS_CHECKER_QUEUE, DOMAIN_QUEUE, Envelope, Event};
use shared_models::store::Store;

use crate::DnsChecker;
use crate::verification::DomainVerifier;
use check_domain::CheckDomain;
use verify_domain::VerifyDomain;

const NOT_OURS: &str = "no work of this queue";

/// Checks the domains of mailboxes.
pub struct MailboxDnsWorker {
    check: CheckDomain,
    concurrency: usize,
}

impl MailboxDnsWorker {
    /// A consumer over this store; `concurrency` domains are in flight at most.
    pub fn new(store: Store, checker: DnsChecker, concurrency: usize) -> Self {
        metrics::show();
        Self { check: CheckDomain::new(store, checker), concurrency }
    }
}

#[async_trait]
impl Consumer for MailboxDnsWorker {
    fn queue(&self) -> &'static str {
        DNS_CHECKER_QUEUE
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::MailboxCreated(mailbox) | Event::MailboxDnsCheckRequested(mailbox) => {
                self.check.handle(event, mailbox, attempt).await
            }
            _ => Ok(Outcome::Park(NOT_OURS)),
        }
    }
}

/// Verifies domains.
pub struct DomainWorker {
    verify: VerifyDomain,
    concurrency: usize,
}

impl DomainWorker {
    /// A consumer over this store; `concurrency` domains are in flight at most.
    pub fn new(store: Store, verifier: DomainVerifier, concurrency: usize) -> Self {
        metrics::show();
        Self { verify: VerifyDomain::new(store, verifier), concurrency }
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
            Event::DomainVerificationRequested(domain) => self.verify.handle(domain, attempt).await,
            _ => Ok(Outcome::Park(NOT_OURS)),
        }
    }
}
