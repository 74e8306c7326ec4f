//! `/v1/workspaces`.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::{CoreError, WorkspaceId};

use crate::App;
use crate::sendkit::auth;
use crate::sendkit::errors::{ErrorEnvelope, SendkitError};
use crate::sendkit::wire::{
    MessageBody, Name, NameBody, Success, WorkspaceBody, WorkspaceDetail, WorkspaceKeyBody, read_body,
};

fn workspace_id(path: &str) -> Result<WorkspaceId, CoreError> {
    path.parse().map_err(|_| CoreError::NotFound("workspace"))
}

/// The taken name is the only thing that can exist already here.
fn name_taken(error: CoreError) -> CoreError {
    match error {
        CoreError::AlreadyExists => CoreError::Conflict("A workspace of this name exists already"),
        other => other,
    }
}

/// The workspaces that the key opens.
#[utoipa::path(get, operation_id = "sendkitListWorkspaces", path = "/v1/workspaces", tag = "SendKit workspaces", responses((status = 200, body = Success<Vec<WorkspaceBody>>), (status = 401, body = ErrorEnvelope)))]
pub(in crate::sendkit) async fn list(
    request: HttpRequest,
    app: Data<App>,
) -> Result<Json<Success<Vec<WorkspaceBody>>>, SendkitError> {
    let account = auth::account(&request, &app).await?;
    let workspaces = app.use_cases.workspaces(account).await?;
    Ok(Json(Success::new(workspaces.iter().map(WorkspaceBody::from).collect())))
}

/// Open a workspace.
#[utoipa::path(post, operation_id = "sendkitCreateWorkspace", path = "/v1/workspaces", tag = "SendKit workspaces", request_body = NameBody, responses(
    (status = 201, body = Success<WorkspaceBody>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let account = auth::account(&request, &app).await?;
    account.as_owner()?;
    let Name(name) = read_body(&request, payload).await?;
    let workspace = app.use_cases.create_workspace(account, &name).await.map_err(name_taken)?;
    Ok(HttpResponse::Created().json(Success::new(WorkspaceBody::from(&workspace))))
}

/// Read one workspace.
#[utoipa::path(get, operation_id = "sendkitGetWorkspace", path = "/v1/workspaces/{workspaceId}", tag = "SendKit workspaces", params(("workspaceId" = String, Path)), responses(
    (status = 200, body = Success<WorkspaceDetail>), (status = 401, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<WorkspaceDetail>>, SendkitError> {
    let account = auth::account(&request, &app).await?;
    let found = app.use_cases.workspace(account, workspace_id(&id)?).await?;
    Ok(Json(Success::new((&found).into())))
}

/// Rename a workspace.
#[utoipa::path(patch, operation_id = "sendkitUpdateWorkspace", path = "/v1/workspaces/{workspaceId}", tag = "SendKit workspaces", params(("workspaceId" = String, Path)), request_body = NameBody, responses(
    (status = 200, body = Success<WorkspaceDetail>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn update(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<WorkspaceDetail>>, SendkitError> {
    let account = auth::account(&request, &app).await?;
    let id = workspace_id(&id)?;
    let Name(name) = read_body(&request, payload).await?;
    let found = app.use_cases.rename_workspace(account, id, name).await.map_err(name_taken)?;
    Ok(Json(Success::new((&found).into())))
}

/// Close a workspace that has no mailboxes; its keys are revoked.
#[utoipa::path(delete, operation_id = "sendkitDeleteWorkspace", path = "/v1/workspaces/{workspaceId}", tag = "SendKit workspaces", params(("workspaceId" = String, Path)), responses(
    (status = 200, body = Success<MessageBody>), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<MessageBody>>, SendkitError> {
    let account = auth::account(&request, &app).await?;
    app.use_cases.delete_workspace(account, workspace_id(&id)?).await?;
    Ok(Json(Success::new(MessageBody::new("Workspace removed"))))
}

/// Make the API key of a workspace. It is shown this once.
#[utoipa::path(post, operation_id = "sendkitCreateWorkspaceApiKey", path = "/v1/workspaces/{workspaceId}/api-key", tag = "SendKit workspaces", params(("workspaceId" = String, Path)), responses(
    (status = 201, body = Success<WorkspaceKeyBody>), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn create_key(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let account = auth::account(&request, &app).await?;
    let (key, text) = app.use_cases.create_workspace_key(account, workspace_id(&id)?, auth::WORKSPACE_KEY).await?;
    Ok(HttpResponse::Created().json(Success::new(WorkspaceKeyBody::new(&key, &text))))
}
