//! Verification of one mailbox: both logins side by side, and the record of their outcome. What an outcome means is
//! decided in the domain ([`judge`]).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mail_client::{Prober, Urgency};
use service_runtime::runner::{Attempt, Outcome, exponential};
use service_runtime::settings::VerifierSettings;
use shared_models::domain::diagnosis::{Leg, LegReport, LoginReport};
use shared_models::domain::mailboxes::VerificationJob;
use shared_models::domain::mailboxes::{Verdict, exhausted, is_credential_refusal, judge};
use shared_models::domain::{CoreError, FailureCode, MailboxId};
use shared_models::events::{Envelope, MailboxRef};
use shared_models::store::{Settled, Settlement, Store};

use super::pauses::{CLAIMED_ELSEWHERE, pause_after};
use super::results::store_result;
use crate::metrics::{self, Ended};

/// Verifies mailboxes. An event that comes twice changes nothing: a mailbox that is settled or deleted is left alone.
pub(super) struct VerifyMailbox {
    store: Store,
    prober: Arc<Prober>,
    settings: VerifierSettings,
}

impl VerifyMailbox {
    pub(super) fn new(store: Store, prober: Arc<Prober>, settings: VerifierSettings) -> Self {
        Self { store, prober, settings }
    }

    async fn probe(&self, job: &VerificationJob) -> LoginReport {
        let mailbox = &job.mailbox;
        let secrets = &job.credentials;
        let smtp = self.recording_refusal(mailbox.id, self.prober.smtp(&mailbox.smtp, &secrets.smtp, Urgency::Single));
        let imap = async {
            if let Some(refusal) = &job.recorded_refusal {
                // Refused before a process died; the password must not be sent again.
                return LegReport {
                    observed: refusal.observed.clone(),
                    millis: 0,
                    failure: Some((**refusal).clone()),
                    warnings: vec![],
                };
            }
            if mailbox.imap_guessed {
                self.recording_refusal(mailbox.id, self.prober.guessed_imap(&mailbox.imap, &secrets.imap)).await
            } else {
                self.recording_refusal(mailbox.id, self.prober.imap(&mailbox.imap, &secrets.imap, Urgency::Single))
                    .await
            }
        };
        let (smtp, imap) = tokio::join!(smtp, imap);
        LoginReport { smtp, imap: Some(imap), imap_guessed: mailbox.imap_guessed }
    }

    /// Runs a leg and stores a refusal the moment it is known. The final record follows when both legs are done; if the
    /// process dies in between, the next one must not send the password again.
    async fn recording_refusal(&self, mailbox: MailboxId, leg: impl Future<Output = LegReport>) -> LegReport {
        let report = leg.await;
        if let Some(finding) = report.failure.as_ref().filter(|finding| is_credential_refusal(finding)) {
            match store_result(&format!("mailbox.id={mailbox}"), || self.store.record_refusal(mailbox, finding)).await {
                Ok(()) => log::debug!("mailbox.id={mailbox} leg={} the refusal is noted", finding.leg.as_str()),
                Err(error) => log::warn!("mailbox.id={mailbox} a refusal was not noted: {error}"),
            }
        }
        report
    }

    /// Both logins and their consequence. A password whose refusal was recorded before a process died is not sent again.
    async fn settlement(&self, job: &VerificationJob, attempt: Attempt) -> Result<Settlement, Deferral> {
        let refused =
            |report, finding| Settlement::Refused { report, finding, keep_result: self.settings.result_retention() };
        if let Some(refusal) = &job.recorded_refusal
            && (refusal.leg == Leg::Smtp || !job.mailbox.imap_guessed)
        {
            return Ok(refused(None, (**refusal).clone()));
        }
        let report = self.probe(job).await;
        match judge(&report) {
            Verdict::Accept { note } => {
                let answered = report.imap.as_ref().filter(|leg| leg.passed()).map(|leg| leg.observed.host.as_str());
                let imap = answered
                    .filter(|host| job.mailbox.imap_guessed && *host != job.mailbox.imap.host())
                    .and_then(|host| job.mailbox.imap.with_host(host).ok());
                Ok(Settlement::Accepted { report, note, imap })
            }
            Verdict::Refuse(finding) => Ok(refused(Some(report), finding)),
            Verdict::Defer(finding) if attempt.0 >= self.settings.attempts => {
                Ok(refused(Some(report), exhausted(finding)))
            }
            Verdict::Defer(finding) => {
                Err(Deferral { pause: pause_after(&finding, attempt.0, &self.settings), code: finding.code })
            }
        }
    }

    pub(super) async fn handle(
        &self,
        event: &Envelope,
        MailboxRef { mailbox_id: id, .. }: MailboxRef,
        attempt: Attempt,
    ) -> Result<Outcome, CoreError> {
        let started = Instant::now();
        // Claimed before anything is read, so that the work of another process on this mailbox is finished.
        let Some(_claim) = self.store.claim_mailbox(id).await? else { return Ok(Outcome::Later(CLAIMED_ELSEWHERE)) };
        let job = match self.store.verification_job(id).await {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(Outcome::Done),
            Err(CoreError::NotFound(_)) => return Ok(Outcome::Park("there has never been such a mailbox")),
            Err(error) => return Err(error),
        };
        if job.attempts_made >= attempt.0 {
            // This attempt is recorded, but the process died before the event of the next one was sent.
            return Ok(Outcome::Retry(exponential(self.settings.retry_base(), attempt.0)));
        }
        let _running = metrics::in_flight();
        let ended = |outcome: Ended, code: Option<FailureCode>| {
            let (event, attempt, elapsed) = (event.id, attempt.0, started.elapsed());
            metrics::ended(outcome, code, elapsed);
            let (outcome, code, ms) = (outcome.as_str(), code.map_or("-", FailureCode::as_str), elapsed.as_millis());
            log::info!(
                "mailbox.id={id} event.id={event} attempt={attempt} outcome={outcome} code={code} duration_ms={ms}"
            );
        };
        let settlement = match self.settlement(&job, attempt).await {
            Ok(settlement) => settlement,
            Err(Deferral { pause, code }) => {
                store_result(&format!("mailbox.id={id}"), || self.store.record_deferral(id, attempt.0)).await?;
                ended(Ended::Deferred, Some(code));
                return Ok(Outcome::Retry(pause));
            }
        };
        let (outcome, code) = match &settlement {
            Settlement::Accepted { note, .. } => (Ended::Active, note.as_ref().map(|finding| finding.code)),
            Settlement::Refused { finding, .. } => (Ended::Failed, Some(finding.code)),
        };
        match store_result(&format!("mailbox.id={id}"), || self.store.settle_verification(id, settlement.clone()))
            .await?
        {
            Settled::Stored => ended(outcome, code),
            Settled::Superseded => ended(Ended::Superseded, code),
        }
        Ok(Outcome::Done)
    }
}

/// A temporary fault, after which another attempt follows.
struct Deferral {
    pause: Duration,
    code: FailureCode,
}
