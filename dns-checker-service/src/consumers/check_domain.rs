//! Checks the DNS of the domains of mailboxes. The status of a mailbox never depends on the verdict.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use service_runtime::runner::{Attempt, Consumer, Outcome, exponential};
use shared_models::domain::CoreError;
use shared_models::events::{DNS_CHECKER_QUEUE, Envelope, Event, MailboxRef};
use shared_models::store::Store;

use super::NOT_OURS;
use super::metrics::{self, Found};
use super::shared_checks::SharedChecks;
use crate::{DnsChecker, DomainHints};

/// Attempts at look-ups that were not answered. What is unknown after them waits for the daily renewal.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt. Longer than a resolver caches a failure (RFC 9520 section 3.2 starts at 5 s).
const RETRY_BASE: Duration = Duration::from_secs(10);

/// Consumer of [`DNS_CHECKER_QUEUE`]. Checking again is harmless.
pub struct MailboxDnsWorker {
    store: Store,
    checker: SharedChecks,
    concurrency: usize,
}

impl MailboxDnsWorker {
    /// A consumer over this store; `concurrency` domains are in flight at most.
    pub fn new(store: Store, checker: DnsChecker, concurrency: usize) -> Self {
        metrics::show();
        Self { store, checker: SharedChecks::new(checker), concurrency }
    }

    async fn check(&self, event: &Envelope, about: MailboxRef, attempt: Attempt) -> Result<Outcome, CoreError> {
        let id = about.mailbox_id;
        let mailbox = match self.store.mailbox_for_dns_check(id).await {
            Ok(Some(mailbox)) => mailbox,
            Ok(None) => return Ok(Outcome::Done),
            Err(CoreError::NotFound(_)) => return Ok(Outcome::Park("there has never been such a mailbox")),
            Err(error) => return Err(error),
        };
        let hints = DomainHints {
            smtp_host: Some(mailbox.smtp.host().to_owned()),
            imap_host: (!mailbox.imap_guessed).then(|| mailbox.imap.host().to_owned()),
            ..DomainHints::default()
        };
        let started = Instant::now();
        let report = self.checker.check(mailbox.email.domain(), &hints).await;
        let elapsed = started.elapsed();
        let (working, silent, ms) = (report.working_records(), report.is_incomplete(), elapsed.as_millis());
        log::info!("mailbox.id={id} event.id={} dns working={working}/4 silent={silent} duration_ms={ms}", event.id);
        metrics::checked(if silent { Found::Silent } else { Found::of(working) }, elapsed);
        // Recorded even if incomplete: three verdicts now are better than four in a minute.
        self.store.record_dns_check(id, report).await?;
        if silent && attempt.0 < ATTEMPTS {
            Ok(Outcome::Retry(exponential(RETRY_BASE, attempt.0)))
        } else {
            Ok(Outcome::Done)
        }
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
                self.check(event, mailbox, attempt).await
            }
            _ => Ok(Outcome::Park(NOT_OURS)),
        }
    }
}
