//! The consumer: loads a mailbox, tries both logins side by side, records how it ended.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use service_runtime::runner::{Attempt, Consumer, Outcome, exponential};
use service_runtime::settings::VerifierSettings;
use shared_models::domain::checks::{Finding, Leg, LegReport, LoginReport};
use shared_models::domain::lifecycle::{Verdict, exhausted, is_credential_refusal, judge};
use shared_models::domain::mailbox::VerificationJob;
use shared_models::domain::{DomainError, MailboxId};
use shared_models::events::{Envelope, VERIFIER_QUEUE};
use shared_models::store::{Settled, Settlement, Store};

use crate::Prober;

/// A server may ask for a longer pause than anybody wants to wait for a first verification.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Verifies mailboxes. Safe to repeat: a mailbox that is settled or gone is left alone.
pub struct VerifyMailbox {
    store: Store,
    prober: Arc<Prober>,
    settings: VerifierSettings,
}

impl VerifyMailbox {
    /// A consumer over this store that dials through this prober.
    pub fn new(store: Store, prober: Prober, settings: VerifierSettings) -> Self {
        Self { store, prober: Arc::new(prober), settings }
    }

    /// Both logins side by side.
    async fn probe(&self, job: &VerificationJob) -> LoginReport {
        let mailbox = &job.mailbox;
        let secrets = &job.credentials;
        let smtp = self.noting_refusal(mailbox.id, self.prober.smtp(&mailbox.smtp, &secrets.smtp));
        let imap = async {
            if let Some(refusal) = &job.recorded_refusal {
                // Refused before the process died, and not to be tried again.
                return LegReport {
                    observed: refusal.observed.clone(),
                    millis: 0,
                    failure: Some((**refusal).clone()),
                    warnings: vec![],
                };
            }
            if mailbox.imap_guessed {
                self.noting_refusal(mailbox.id, self.prober.guessed_imap(&mailbox.imap, &secrets.imap)).await
            } else {
                self.noting_refusal(mailbox.id, self.prober.imap(&mailbox.imap, &secrets.imap)).await
            }
        };
        let (smtp, imap) = tokio::join!(smtp, imap);
        LoginReport { smtp, imap: Some(imap), imap_guessed: mailbox.imap_guessed }
    }

    /// Runs a leg and stores a refusal the moment it is known. The final record follows when both
    /// legs are done; a process that dies in between must not offer the password again.
    async fn noting_refusal(&self, mailbox: MailboxId, leg: impl Future<Output = LegReport>) -> LegReport {
        let report = leg.await;
        if let Some(finding) = report.failure.as_ref().filter(|finding| is_credential_refusal(finding))
            && let Err(error) = self.store.record_refusal(mailbox, finding).await
        {
            log::warn!("mailbox.id={mailbox} a refusal was not noted: {error}");
        }
        report
    }

    fn settlement(&self, job: &VerificationJob, report: LoginReport, attempt: Attempt) -> Result<Settlement, Duration> {
        let refused = |report, finding| Settlement::Refused {
            report: Some(report),
            finding,
            keep_result: self.settings.result_retention(),
        };
        match judge(&report) {
            Verdict::Accept { note } => {
                let answered = report.imap.as_ref().filter(|leg| leg.passed()).map(|leg| leg.observed.host.as_str());
                let imap = answered
                    .filter(|host| job.mailbox.imap_guessed && *host != job.mailbox.imap.host())
                    .and_then(|host| job.mailbox.imap.with_host(host).ok());
                Ok(Settlement::Accepted { report, note, imap })
            }
            Verdict::Refuse(finding) => Ok(refused(report, finding)),
            Verdict::Defer(finding) if attempt.0 >= self.settings.attempts => Ok(refused(report, exhausted(finding))),
            Verdict::Defer(finding) => Err(self.pause(&finding, attempt)),
        }
    }

    fn pause(&self, finding: &Finding, attempt: Attempt) -> Duration {
        let ours = exponential(self.settings.retry_base(), attempt.0);
        finding.retry_after.map_or(ours, |theirs| theirs.min(LONGEST_PAUSE).max(ours))
    }
}

#[async_trait]
impl Consumer for VerifyMailbox {
    fn queue(&self) -> &'static str {
        VERIFIER_QUEUE
    }

    fn concurrency(&self) -> usize {
        self.settings.concurrency
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, DomainError> {
        let started = Instant::now();
        let id = event.event.mailbox().mailbox_id;
        let Some(job) = self.store.verification_job(id).await? else { return Ok(Outcome::Done) };
        let settlement = match &job.recorded_refusal {
            Some(refusal) if refusal.leg == Leg::Smtp || !job.mailbox.imap_guessed => Ok(Settlement::Refused {
                report: None,
                finding: (**refusal).clone(),
                keep_result: self.settings.result_retention(),
            }),
            _ => self.settlement(&job, self.probe(&job).await, attempt),
        };
        let told = |outcome: &str, code: &str| {
            let (event, attempt, ms) = (event.id, attempt.0, started.elapsed().as_millis());
            log::info!(
                "mailbox.id={id} event.id={event} attempt={attempt} outcome={outcome} code={code} duration_ms={ms}"
            );
        };
        let settlement = match settlement {
            Ok(settlement) => settlement,
            Err(pause) => {
                told("deferred", "-");
                return Ok(Outcome::Retry(pause));
            }
        };
        let (outcome, code) = match &settlement {
            Settlement::Accepted { note, .. } => ("active", note.as_ref().map_or("-", |finding| finding.code.as_str())),
            Settlement::Refused { finding, .. } => ("failed", finding.code.as_str()),
        };
        match self.store.settle_verification(id, settlement).await? {
            Settled::Stored => told(outcome, code),
            Settled::Superseded => told("superseded", code),
        }
        Ok(Outcome::Done)
    }
}
