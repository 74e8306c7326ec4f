//! The consumer: which event is whose work.

use async_trait::async_trait;
use service_runtime::runner::{Attempt, Consumer, Outcome};
use shared_models::domain::DomainError;
use shared_models::events::{DNS_CHECKER_QUEUE, Envelope, Event};
use shared_models::store::Store;

use crate::DnsChecker;
use crate::check_domain::CheckDomain;
use crate::metrics;
use crate::verification::DomainVerifier;
use crate::verify_domain::VerifyDomain;

/// Checks the domains of mailboxes and verifies domains.
pub struct DnsWorker {
    check: CheckDomain,
    verify: VerifyDomain,
    concurrency: usize,
}

impl DnsWorker {
    /// A consumer over this store; `concurrency` domains are in flight at most.
    pub fn new(store: Store, checker: DnsChecker, verifier: DomainVerifier, concurrency: usize) -> Self {
        metrics::show();
        let check = CheckDomain::new(store.clone(), checker);
        Self { check, verify: VerifyDomain::new(store, verifier), concurrency }
    }
}

#[async_trait]
impl Consumer for DnsWorker {
    fn queue(&self) -> &'static str {
        DNS_CHECKER_QUEUE
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, DomainError> {
        match event.event {
            Event::MailboxCreated(mailbox) | Event::MailboxDnsCheckRequested(mailbox) => {
                self.check.handle(event, mailbox, attempt).await
            }
            Event::DomainVerificationRequested(domain) => self.verify.handle(domain, attempt).await,
            _ => Ok(Outcome::Park("no work of this queue")),
        }
    }
}
