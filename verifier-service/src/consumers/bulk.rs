//! The consumer of imports: their lanes, and the IMAP logins that follow.
//!
//! A lane handles one row of its import after the other. An import has as many lanes as rows may be in work at once, so
//! no counter is needed. A row that a lane has taken stays the lane's: if the process dies, the event of the lane is
//! delivered again and goes on with that row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mail_client::{Prober, Urgency};
use service_runtime::runner::{Attempt, Consumer, Outcome};
use service_runtime::settings::VerifierSettings;
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::diagnosis::{Finding, LegReport, LoginReport};
use shared_models::domain::imports::RowCheck;
use shared_models::domain::mailboxes::{Verdict, exhausted, is_credential_refusal, judge};
use shared_models::domain::{CoreError, MailboxId};
use shared_models::events::{BULK_VERIFIER_QUEUE, Envelope, Event, LaneRef};
use shared_models::store::{NextRow, RowJob, RowOutcome, Store};

use super::pauses::{CLAIMED_ELSEWHERE, pause_after};
use super::results::store_result;
use crate::metrics::{self, Ended};

/// Lanes in work in one process; fifty imports have that many. A lane costs little, since its logins are limited by the
/// prober.
const LANES_AT_ONCE: usize = 1000;
/// Time after which a lane appends a new event and ends. RabbitMQ takes an event back that is not acknowledged within
/// half an hour.
const LANE_TIME: Duration = Duration::from_secs(10 * 60);

/// Runs the lanes of imports. An event that comes twice changes nothing: settled rows are left alone.
pub struct BulkVerifier {
    store: Store,
    prober: Arc<Prober>,
    settings: VerifierSettings,
    stop: CancellationToken,
}

impl BulkVerifier {
    /// A consumer of `store`. The limits of `prober` bound its logins together with those of other consumers that share
    /// it. Once `stop` is cancelled, no lane begins another row.
    pub fn new(store: Store, prober: Arc<Prober>, settings: VerifierSettings, stop: CancellationToken) -> Self {
        Self { store, prober, settings, stop }
    }

    async fn run_lane(&self, lane: LaneRef) -> Result<Outcome, CoreError> {
        let Some(_claim) = self.store.claim_lane(lane).await? else { return Ok(Outcome::Later(CLAIMED_ELSEWHERE)) };
        let began = Instant::now();
        let mut next = self.store.next_import_row(lane).await?;
        loop {
            if self.stop.is_cancelled() {
                return Ok(Outcome::Later(Duration::ZERO));
            }
            if began.elapsed() > LANE_TIME {
                self.store.reopen_lane(lane).await?;
                return Ok(Outcome::Done);
            }
            next = match next {
                NextRow::Row(job) => self.settle(lane, &job).await?,
                NextRow::NotBefore(at) => {
                    let pause = at.remaining().min(LANE_TIME.saturating_sub(began.elapsed()));
                    self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    self.store.next_import_row(lane).await?
                }
                NextRow::Nothing => {
                    self.store.finish_import(lane).await?;
                    return Ok(Outcome::Done);
                }
            };
        }
    }

    /// Makes the logins of a row, stores the outcome, and takes the next row.
    async fn settle(&self, lane: LaneRef, job: &RowJob) -> Result<NextRow, CoreError> {
        let started = Instant::now();
        let outcome = match (job.no_room, job.check) {
            // No login is made for a mailbox that cannot be created.
            (Some(reason), _) => RowOutcome::NoRoom(reason),
            (None, RowCheck::Nothing) => RowOutcome::Accepted,
            (None, RowCheck::Smtp | RowCheck::Both) => {
                let _running = metrics::in_flight();
                let outcome = self.outcome(lane, job).await;
                report(lane, job.position, &outcome, started.elapsed());
                outcome
            }
        };
        store_result(&subject(lane, job), || self.store.settle_import_row(lane, job.position, outcome.clone())).await
    }

    async fn outcome(&self, lane: LaneRef, job: &RowJob) -> RowOutcome {
        if let Some(refusal) = &job.recorded_refusal {
            return RowOutcome::Refused((**refusal).clone());
        }
        let attempt = job.attempts_made + 1;
        match judge(&self.probe(lane, job).await) {
            Verdict::Accept { .. } => RowOutcome::Accepted,
            Verdict::Refuse(finding) => RowOutcome::Refused(finding),
            Verdict::Defer(finding) if attempt >= self.settings.attempts => RowOutcome::Refused(exhausted(finding)),
            Verdict::Defer(finding) => RowOutcome::Deferred(pause_after(&finding, attempt, &self.settings)),
        }
    }

    async fn probe(&self, lane: LaneRef, job: &RowJob) -> LoginReport {
        let (mailbox, secrets) = (&job.mailbox, &job.mailbox.credentials);
        let urgency = Urgency::Bulk(lane.workspace_id);
        let smtp = self.prober.smtp(&mailbox.smtp, &secrets.smtp, urgency);
        if job.check == RowCheck::Smtp {
            return LoginReport { smtp: smtp.await, imap: None, imap_guessed: false };
        }
        let smtp = self.recording_refusal(lane, job, smtp);
        let imap = self.recording_refusal(lane, job, self.prober.imap(&mailbox.imap, &secrets.imap, urgency));
        let (smtp, imap) = tokio::join!(smtp, imap);
        LoginReport { smtp, imap: Some(imap), imap_guessed: false }
    }

    /// Runs a leg and stores a refusal at once, since the other leg may go on for long and the process may die.
    async fn recording_refusal(&self, lane: LaneRef, job: &RowJob, leg: impl Future<Output = LegReport>) -> LegReport {
        let report = leg.await;
        if let Some(finding) = report.failure.as_ref().filter(|finding| is_credential_refusal(finding)) {
            let subject = subject(lane, job);
            let recorded = store_result(&subject, || self.store.record_row_refusal(lane, job.position, finding)).await;
            if let Err(error) = recorded {
                log::warn!("{subject} a refusal was not noted: {error}");
            }
        }
        report
    }

    /// The IMAP login of a mailbox that is active by its SMTP login.
    async fn check_imap(&self, id: MailboxId, attempt: Attempt) -> Result<Outcome, CoreError> {
        let Some(_claim) = self.store.claim_mailbox(id).await? else { return Ok(Outcome::Later(CLAIMED_ELSEWHERE)) };
        let Some((mailbox, secrets)) = self.store.imap_check_job(id).await? else { return Ok(Outcome::Done) };
        let report = self.prober.imap(&mailbox.imap, &secrets.imap, Urgency::Bulk(mailbox.workspace_id)).await;
        let imap_only = LoginReport { smtp: passed(&report), imap: Some(report), imap_guessed: false };
        let finding = match judge(&imap_only) {
            Verdict::Accept { .. } => return Ok(Outcome::Done),
            Verdict::Refuse(finding) => finding,
            Verdict::Defer(finding) if attempt.0 >= self.settings.attempts => exhausted(finding),
            Verdict::Defer(finding) => return Ok(Outcome::Retry(pause_after(&finding, attempt.0, &self.settings))),
        };
        log::info!("mailbox.id={id} imap code={}", finding.code);
        store_result(&format!("mailbox.id={id}"), || self.store.note_fault(id, finding.remedy.clone())).await?;
        Ok(Outcome::Done)
    }
}

fn subject(lane: LaneRef, job: &RowJob) -> String {
    format!("import.id={} row={}", lane.import_id, job.position)
}

/// A leg that passed, standing for one that is not made.
fn passed(report: &LegReport) -> LegReport {
    LegReport { observed: report.observed.clone(), millis: 0, failure: None, warnings: vec![] }
}

fn report(lane: LaneRef, row: i32, outcome: &RowOutcome, elapsed: Duration) {
    let (ended, code) = match outcome {
        RowOutcome::Accepted => (Ended::Active, None),
        RowOutcome::Refused(Finding { code, .. }) => (Ended::Failed, Some(*code)),
        RowOutcome::Deferred(_) => (Ended::Deferred, None),
        RowOutcome::NoRoom(reason) => (Ended::Failed, Some(reason.code())),
    };
    metrics::ended(ended, code, elapsed);
    let (outcome, code, ms) = (ended.as_str(), code.map_or("-", |code| code.as_str()), elapsed.as_millis());
    log::info!("import.id={} row={row} outcome={outcome} code={code} duration_ms={ms}", lane.import_id);
}

#[async_trait]
impl Consumer for BulkVerifier {
    fn queue(&self) -> &'static str {
        BULK_VERIFIER_QUEUE
    }

    fn concurrency(&self) -> usize {
        LANES_AT_ONCE
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::ImportLaneOpened(lane) => self.run_lane(lane).await,
            Event::MailboxImapCheckRequested(mailbox) => self.check_imap(mailbox.mailbox_id, attempt).await,
            _ => Ok(Outcome::Park("not for this queue")),
        }
    }
}
