//! Response bodies about many accounts that are removed at once. It is done when it is answered.

use serde::Serialize;
use shared_models::domain::MailboxId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::jobs::{Job, JobResult};
use crate::coldsend::ids;
use use_cases::Deletion;

/// The mailboxes of these UUIDs, in their order. For a UUID that no inbox ever had, an id made of its position stands
/// in, so that it is counted.
pub(in crate::coldsend) fn to_be_deleted(uuids: &[Uuid]) -> Vec<MailboxId> {
    (0_u32..).zip(uuids).map(|(index, uuid)| ids::from_uuid(*uuid).unwrap_or_else(|| stand_in(index))).collect()
}

/// The id of a mailbox of 1970.
fn stand_in(index: u32) -> MailboxId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    MailboxId::from_bytes(bytes)
}

fn is_stand_in(id: MailboxId) -> bool {
    id.to_bytes()[..8] == [0; 8]
}

/// Accounts that are gone.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendDeletedAccounts)]
pub(in crate::coldsend) struct DeletedAccounts {
    /// Always true.
    success: bool,
    message: &'static str,
    total: usize,
    deleted_count: usize,
    /// Always 0.
    failed_count: usize,
    #[schema(required)]
    job_id: Option<Uuid>,
    /// Not found.
    skipped_count: usize,
    results: Vec<JobResult>,
}

/// How far a deletion is.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendDeletionJob)]
struct DeletionJob {
    #[serde(flatten)]
    job: Job,
    /// Not found.
    skipped_count: usize,
}

/// The progress of a deletion.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendDeletionProgress)]
pub(in crate::coldsend) struct DeletionProgress {
    /// Always true.
    success: bool,
    message: &'static str,
    job: DeletionJob,
}

fn results(deletion: &Deletion, uuid_of: impl Fn(usize, MailboxId) -> Option<Uuid>) -> Vec<JobResult> {
    let result = |(index, deleted): (usize, &use_cases::DeletedMailbox)| JobResult {
        email_address: deleted.email.clone(),
        success: deleted.email.is_some(),
        inbox_id: uuid_of(index, deleted.id),
        error: deleted.email.is_none().then(|| "Sender account not found".to_owned()),
    };
    deletion.results.iter().enumerate().map(result).collect()
}

fn deleted(deletion: &Deletion) -> usize {
    deletion.results.iter().filter(|deleted| deleted.email.is_some()).count()
}

impl DeletedAccounts {
    /// `asked_for` in the order of the results.
    pub(in crate::coldsend) fn new(deletion: &Deletion, asked_for: &[Uuid]) -> Self {
        let (total, deleted) = (deletion.results.len(), deleted(deletion));
        Self {
            success: true,
            message: "Bulk deletion completed",
            total,
            deleted_count: deleted,
            failed_count: 0,
            job_id: Some(ids::to_uuid(deletion.id)),
            skipped_count: total - deleted,
            results: results(deletion, |index, _| asked_for.get(index).copied()),
        }
    }
}

impl From<&Deletion> for DeletionProgress {
    fn from(deletion: &Deletion) -> Self {
        let (total, deleted) = (deletion.results.len(), deleted(deletion));
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let at = Some(deletion.at.to_rfc3339());
        let job = Job {
            job_id: ids::to_uuid(deletion.id),
            status: "COMPLETED",
            progress_percentage: 100,
            total_rows: count(total),
            processed_count: count(total),
            success_count: count(deleted),
            failed_count: 0,
            started_at: at.clone(),
            completed_at: at,
            // Of a stand-in the UUID is forgotten.
            results: results(deletion, |_, id| (!is_stand_in(id)).then(|| ids::to_uuid(id))),
        };
        let job = DeletionJob { job, skipped_count: total - deleted };
        Self { success: true, message: "Job progress retrieved successfully", job }
    }
}
