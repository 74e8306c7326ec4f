//! `/v1/mailboxes`.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::mailboxes::{MailboxChange, NewMailbox};
use shared_models::domain::{CoreError, MailboxId};

use crate::App;
use crate::sendkit::auth;
use crate::sendkit::errors::{ErrorEnvelope, SendkitError};
use crate::sendkit::wire::{
    ConnectionTestBody, CreateMailboxBody, CreatedEnvelope, HealthBody, MailboxDetail, MailboxItem, MessageBody, Page,
    Success, UpdateMailboxBody, list_query, read_body, read_optional_body,
};

/// A malformed id is as unknown as any other.
fn mailbox_id(path: &str) -> Result<MailboxId, CoreError> {
    path.parse().map_err(|_| CoreError::NotFound("mailbox"))
}

/// Add one SMTP mailbox. Its logins and its domain's DNS are checked in the background.
#[utoipa::path(post, operation_id = "sendkitCreateMailbox", path = "/v1/mailboxes", tag = "SendKit mailboxes", request_body = CreateMailboxBody, responses(
    (status = 201, body = CreatedEnvelope),
    (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope),
    (status = 409, body = ErrorEnvelope), (status = 413, body = ErrorEnvelope), (status = 415, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let new: NewMailbox = read_body(&request, payload).await?;
    let mailbox = app.use_cases.create_mailbox(tenant, new).await?;
    Ok(HttpResponse::Created().json(CreatedEnvelope::from(&mailbox)))
}

/// List mailboxes, newest first.
#[utoipa::path(get, operation_id = "sendkitListMailboxes", path = "/v1/mailboxes", tag = "SendKit mailboxes", params(
    ("status" = Option<String>, Query, description = "comma separated",
        pattern = "^((active|inactive|error|warming_up|suspended|failed|pending)(,|$))*$"),
    ("provider" = Option<String>, Query, description = "comma separated", pattern = "^((gmail|outlook|azure|custom)(,|$))*$"),
    ("sendingEnabled" = Option<bool>, Query),
    ("tags" = Option<String>, Query, description = "comma separated"),
    ("tagMode" = Option<String>, Query, pattern = "^(any|all)?$"),
    ("untagged" = Option<bool>, Query),
    ("search" = Option<String>, Query, description = "part of address or display name"),
    ("connectionType" = Option<String>, Query, pattern = "^(smtp|oauth)?$"),
    ("minHealthScore" = Option<f64>, Query), ("maxHealthScore" = Option<f64>, Query),
    ("cursor" = Option<String>, Query, pattern = "^([0-9a-f]{24})?$"),
    ("limit" = Option<i64>, Query, description = "default 25; more than 100 is 100", minimum = 1),
    ("page" = Option<i64>, Query, minimum = 1, maximum = 1000000),
), responses((status = 200, body = Page<MailboxItem>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope)))]
pub(in crate::sendkit) async fn list(
    request: HttpRequest,
    app: Data<App>,
) -> Result<Json<Page<MailboxItem>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let (filter, page, wish) = list_query(&request)?;
    let found = app.use_cases.list_mailboxes(tenant, filter, page).await?;
    Ok(Json(Page::of_mailboxes(&found, wish)))
}

/// Read one mailbox.
#[utoipa::path(get, operation_id = "sendkitGetMailbox", path = "/v1/mailboxes/{mailboxId}", tag = "SendKit mailboxes", params(("mailboxId" = String, Path)), responses(
    (status = 200, body = Success<MailboxDetail>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<MailboxDetail>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let mailbox = app.use_cases.mailbox(tenant, mailbox_id(&id)?).await?;
    Ok(Json(Success::new((&mailbox).into())))
}

/// Change a mailbox.
#[utoipa::path(patch, operation_id = "sendkitUpdateMailbox", path = "/v1/mailboxes/{mailboxId}", tag = "SendKit mailboxes", params(("mailboxId" = String, Path)),
    request_body = UpdateMailboxBody, responses(
    (status = 200, body = Success<MailboxDetail>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope),
    (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope), (status = 413, body = ErrorEnvelope), (status = 415, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn update(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<MailboxDetail>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let id = mailbox_id(&id)?;
    let change: MailboxChange = read_optional_body(&request, payload).await?;
    let mailbox = app.use_cases.change_mailbox(tenant, id, change).await?;
    Ok(Json(Success::new((&mailbox).into())))
}

/// Remove a mailbox for good.
#[utoipa::path(delete, operation_id = "sendkitDeleteMailbox", path = "/v1/mailboxes/{mailboxId}", tag = "SendKit mailboxes", params(("mailboxId" = String, Path)), responses(
    (status = 200, body = Success<MessageBody>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<MessageBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    app.use_cases.delete_mailbox(tenant, mailbox_id(&id)?).await?;
    Ok(Json(Success::new(MessageBody::new("Mailbox removed"))))
}

/// How the verification stands. Still answers `failed` for seven days after the mailbox is gone.
#[utoipa::path(get, operation_id = "sendkitGetConnectionTest", path = "/v1/mailboxes/{mailboxId}/connection-test", tag = "SendKit mailboxes", params(("mailboxId" = String, Path)), responses(
    (status = 200, body = Success<ConnectionTestBody>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn connection_test(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<ConnectionTestBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let test = app.use_cases.connection_test(tenant, mailbox_id(&id)?).await?;
    Ok(Json(Success::new(test.into())))
}

/// The DNS records found and what is wrong with them.
#[utoipa::path(get, operation_id = "sendkitGetMailboxHealth", path = "/v1/mailboxes/{mailboxId}/health", tag = "SendKit mailboxes", params(("mailboxId" = String, Path)), responses(
    (status = 200, body = Success<HealthBody>), (status = 400, body = ErrorEnvelope), (status = 401, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn health(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<HealthBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let mailbox = app.use_cases.mailbox(tenant, mailbox_id(&id)?).await?;
    Ok(Json(Success::new((&mailbox).into())))
}
