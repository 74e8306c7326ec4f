//! The part of the consumer for mailboxes: loads one, looks at the DNS of its domain, records the verdict. The
//! mailbox's status never changes by it.

use std::time::{Duration, Instant};

use service_runtime::runner::{Attempt, Outcome, exponential};
use shared_models::domain::CoreError;
use shared_models::events::{Envelope, MailboxRef};
use shared_models::store::Store;

use super::metrics::{self, Found};
use super::shared_checks::SharedChecks;
use crate::{DnsChecker, DomainHints};

/// Tries for look-ups that did not answer; what is still unknown then waits for the daily renewal.
const ATTEMPTS: u32 = 3;
/// Longer than a resolver keeps a failure in its cache (RFC 9520 section 3.2 starts at 5 s).
const RETRY_BASE: Duration = Duration::from_secs(10);

/// Checks the domains of mailboxes. Safe to repeat.
pub(crate) struct CheckDomain {
    store: Store,
    checker: SharedChecks,
}

impl CheckDomain {
    pub(crate) fn new(store: Store, checker: DnsChecker) -> Self {
        Self { store, checker: SharedChecks::new(checker) }
    }

    pub(crate) async fn handle(
        &self,
        event: &Envelope,
        about: MailboxRef,
        attempt: Attempt,
    ) -> Result<Outcome, CoreError> {
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
        let (sound, silent, ms) = (report.working_records(), report.is_incomplete(), elapsed.as_millis());
        log::info!("mailbox.id={id} event.id={} dns sound={sound}/4 silent={silent} duration_ms={ms}", event.id);
        metrics::checked(if silent { Found::Silent } else { Found::of(sound) }, elapsed);
        // Recorded in any case: three verdicts now are better than four in a minute.
        self.store.record_dns_check(id, report).await?;
        if silent && attempt.0 < ATTEMPTS {
            Ok(Outcome::Retry(exponential(RETRY_BASE, attempt.0)))
        } else {
            Ok(Outcome::Done)
        }
    }
}
