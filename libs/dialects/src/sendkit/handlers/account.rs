//! `/v1/account`, for platform keys only.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Payload};

use crate::App;
use crate::sendkit::auth;
use crate::sendkit::errors::{ErrorEnvelope, SendkitError};
use crate::sendkit::wire::{AccountBody, Name, NameBody, Success, read_body};
use use_cases::Account;

async fn body(app: &App, account: Account) -> Result<Json<Success<AccountBody>>, SendkitError> {
    let owner = app.use_cases.owner(account).await?;
    let workspaces = app.use_cases.workspaces(account).await?;
    Ok(Json(Success::new(AccountBody::new(&owner, &workspaces))))
}

/// The account behind the key.
#[utoipa::path(get, operation_id = "sendkitGetAccount", path = "/v1/account", tag = "SendKit account", responses(
    (status = 200, body = Success<AccountBody>), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn read(
    request: HttpRequest,
    app: Data<App>,
) -> Result<Json<Success<AccountBody>>, SendkitError> {
    let account = auth::account(&request, &app).await?;
    body(&app, account).await
}

/// Change the shown name.
#[utoipa::path(patch, operation_id = "sendkitUpdateAccount", path = "/v1/account", tag = "SendKit account", request_body = NameBody, responses(
    (status = 200, body = Success<AccountBody>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn update(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<Json<Success<AccountBody>>, SendkitError> {
    let account = auth::account(&request, &app).await?;
    account.as_owner()?;
    let Name(name) = read_body(&request, payload).await?;
    app.use_cases.rename_owner(account, name).await?;
    body(&app, account).await
}
