//! `/sender-accounts`, many at once, and their jobs.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::imports::NewImport;

use super::path_id;
use crate::App;
use crate::coldsend::IMPORTS;
use crate::coldsend::auth;
use crate::coldsend::errors::{ColdsendError, Failure, Forbidden};
use crate::coldsend::scopes::Scope;
use crate::coldsend::wire::{
    AcceptedJob, DeletedAccounts, DeletionProgress, DoomedAccounts, DoomedAccountsBody, Faults, JobProgress,
    NewAccountsBody, read_body, to_be_deleted,
};

/// Add up to 100 accounts. Their logins are tried in the background; ask for the job's progress.
#[utoipa::path(post, operation_id = "coldsendAddAccounts", path = "/api/public/v1/sender-accounts/smtp/bulk", tag = "ColdSend sender accounts", request_body = NewAccountsBody, responses(
    (status = 201, body = AcceptedJob), (status = 403, body = Forbidden),
))]
pub(in crate::coldsend) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Create).await?;
    let mut faults = Faults::default();
    let new: Option<NewImport> = read_body(&request, payload, &mut faults).await?;
    let import = app.use_cases.start_import(tenant, faults.settle(new)?).await?;
    Ok(HttpResponse::Created().json(AcceptedJob::from(&import)))
}

/// How far a bulk creation is.
#[utoipa::path(get, operation_id = "coldsendGetAddAccountsProgress", path = "/api/public/v1/sender-accounts/smtp/bulk/{job_id}/progress", tag = "ColdSend sender accounts", params(("job_id" = uuid::Uuid, Path)), responses(
    (status = 200, body = JobProgress), (status = 404, body = Failure),
))]
pub(in crate::coldsend) async fn progress(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<JobProgress>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Read).await?;
    let id = path_id("job_id", &id, "import")?;
    let (import, rows) = app.use_cases.import(tenant, IMPORTS, id).await?;
    Ok(Json(JobProgress::new(&import, &rows)))
}

/// Remove up to 100 accounts for good, all that are there.
#[utoipa::path(post, operation_id = "coldsendDeleteAccounts", path = "/api/public/v1/sender-accounts/bulk/delete", tag = "ColdSend sender accounts", request_body = DoomedAccountsBody, responses(
    (status = 200, body = DeletedAccounts), (status = 400, body = Failure),
))]
pub(in crate::coldsend) async fn remove(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<Json<DeletedAccounts>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Delete).await?;
    let mut faults = Faults::default();
    let doomed = read_body(&request, payload, &mut faults).await?;
    let DoomedAccounts { ids, confirmed } = faults.settle(doomed)?;
    if !confirmed {
        return Err(ColdsendError::Refused("Bulk deletion must be confirmed".to_owned()));
    }
    let deletion = app.use_cases.delete_mailboxes(tenant, to_be_deleted(&ids)).await?;
    Ok(Json(DeletedAccounts::new(&deletion, &ids)))
}

/// Read the result of a bulk deletion.
#[utoipa::path(get, operation_id = "coldsendGetDeleteAccountsProgress", path = "/api/public/v1/sender-accounts/bulk/delete/{job_id}/progress", tag = "ColdSend sender accounts", params(("job_id" = uuid::Uuid, Path)), responses(
    (status = 200, body = DeletionProgress), (status = 404, body = Failure),
))]
pub(in crate::coldsend) async fn removal_progress(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<DeletionProgress>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Read).await?;
    let deletion = app.use_cases.deletion(tenant, path_id("job_id", &id, "deletion")?).await?;
    Ok(Json(DeletionProgress::from(&deletion)))
}
