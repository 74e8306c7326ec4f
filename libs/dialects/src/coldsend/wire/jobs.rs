//! Response bodies about many accounts at once.

use serde::Serialize;
use shared_models::domain::Timestamp;
use shared_models::domain::imports::{Import, ImportRow, RowState};
use utoipa::ToSchema;
use uuid::Uuid;

use super::failure_text::{no_room, refused_login};
use crate::coldsend::ids;

/// Result for one account.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendJobResult)]
pub(super) struct JobResult {
    /// Null for an account that was to be removed and is not there.
    #[schema(required)]
    pub(super) email_address: Option<String>,
    pub(super) success: bool,
    /// Null for an account that was not created.
    #[schema(required)]
    pub(super) inbox_id: Option<Uuid>,
    /// Why not.
    #[schema(required)]
    pub(super) error: Option<String>,
}

impl JobResult {
    /// `None` while nothing is known.
    fn of_row(row: &ImportRow) -> Option<Self> {
        let failed = |error| (None, Some(error));
        let (inbox_id, error) = match &row.state {
            RowState::Open => return None,
            RowState::Imported(id) => (Some(ids::to_uuid(*id)), None),
            RowState::Skipped => failed("Email account already exists".to_owned()),
            RowState::Faulty(fault) => failed(fault.error.clone()),
            RowState::NoRoom(reason) => failed(no_room(*reason).to_owned()),
            RowState::Refused(finding) => failed(refused_login(finding)),
        };
        Some(Self { email_address: Some(row.email.clone()), success: inbox_id.is_some(), inbox_id, error })
    }
}

/// A job that was accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendAcceptedJob)]
pub(in crate::coldsend) struct AcceptedJob {
    /// Always true.
    success: bool,
    message: &'static str,
    total: i64,
    /// Always 0: ask for the job's progress.
    success_count: i64,
    /// Always 0.
    failed_count: i64,
    #[schema(required)]
    job_id: Option<Uuid>,
    /// Always empty.
    results: Vec<JobResult>,
}

impl From<&Import> for AcceptedJob {
    fn from(import: &Import) -> Self {
        Self {
            success: true,
            message: "Bulk creation started",
            total: import.total,
            success_count: 0,
            failed_count: 0,
            job_id: Some(ids::to_uuid(import.id)),
            results: vec![],
        }
    }
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendJob)]
pub(super) struct Job {
    pub(super) job_id: Uuid,
    /// `PENDING`, `VALIDATING`, `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    #[schema(pattern = "^(PENDING|VALIDATING|IN_PROGRESS|COMPLETED|FAILED)$")]
    pub(super) status: &'static str,
    /// Whole percent; 100 only when it is done.
    #[schema(maximum = 100, minimum = 0)]
    pub(super) progress_percentage: i64,
    pub(super) total_rows: i64,
    pub(super) processed_count: i64,
    pub(super) success_count: i64,
    pub(super) failed_count: i64,
    #[schema(required, format = DateTime)]
    pub(super) started_at: Option<String>,
    #[schema(required, format = DateTime)]
    pub(super) completed_at: Option<String>,
    /// Of what is processed, in the order of the request.
    pub(super) results: Vec<JobResult>,
}

/// The progress of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendJobProgress)]
pub(in crate::coldsend) struct JobProgress {
    /// Always true.
    success: bool,
    message: &'static str,
    job: Job,
}

impl JobProgress {
    pub(in crate::coldsend) fn new(import: &Import, rows: &[ImportRow]) -> Self {
        let status = match (import.finished_at, import.processed()) {
            (Some(_), _) => "COMPLETED",
            (None, 0) => "PENDING",
            (None, _) => "IN_PROGRESS",
        };
        let percentage = (100 * import.processed()).checked_div(import.total).unwrap_or(100);
        let job = Job {
            job_id: ids::to_uuid(import.id),
            status,
            // The last row is settled a moment before the job.
            progress_percentage: if import.finished_at.is_some() { 100 } else { percentage.min(99) },
            total_rows: import.total,
            processed_count: import.processed(),
            success_count: import.imported,
            failed_count: import.failed + import.skipped,
            started_at: Some(import.created_at.to_rfc3339()),
            completed_at: import.finished_at.map(Timestamp::to_rfc3339),
            results: rows.iter().filter_map(JobResult::of_row).collect(),
        };
        Self { success: true, message: "Job progress retrieved successfully", job }
    }
}
