//! `/v1/webhooks`.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::webhooks::{NewWebhook, WebhookChange};
use shared_models::domain::{CoreError, WebhookId};
use shared_models::store::{DeliveryQuery, PendingAnswer, WebhookQuery, WebhookTest};

use crate::App;
use crate::sendkit::auth;
use crate::sendkit::errors::{ErrorEnvelope, SendkitError};
use crate::sendkit::webhook_words::{WEBHOOKS, test_event};
use crate::sendkit::wire::{
    CreateWebhookBody, MessageBody, Page, PageStart, Success, UpdateWebhookBody, WebhookBody, WebhookDeliveryBody,
    WebhookTestBody, WebhookWithSecret, page_query, read_body, read_optional_body,
};

/// A malformed id is as unknown as any other.
fn webhook_id(path: &str) -> Result<WebhookId, CoreError> {
    path.parse().map_err(|_| CoreError::NotFound("webhook"))
}

/// The only limit here is not the plan's.
fn too_many(error: CoreError) -> CoreError {
    match error {
        CoreError::LimitExceeded { .. } => CoreError::Conflict("The workspace has as many webhooks as it can have"),
        other => other,
    }
}

/// Add a webhook. Its secret is returned in this answer only.
#[utoipa::path(post, operation_id = "sendkitCreateWebhook", path = "/v1/webhooks", tag = "SendKit webhooks", request_body = CreateWebhookBody, responses(
    (status = 201, body = Success<WebhookWithSecret>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let new: NewWebhook = read_body(&request, payload).await?;
    let made = app.use_cases.create_webhook(tenant, new, PendingAnswer::not_kept()).await;
    let (webhook, secret) = made.map_err(too_many)?;
    Ok(HttpResponse::Created().json(Success::new(WebhookWithSecret::new(&webhook, &secret, tenant.owner))))
}

/// List webhooks, newest first.
#[utoipa::path(get, operation_id = "sendkitListWebhooks", path = "/v1/webhooks", tag = "SendKit webhooks", params(
    ("cursor" = Option<String>, Query, pattern = "^([0-9a-f]{24})?$"),
    ("limit" = Option<i64>, Query, description = "default 25; more than 100 is 100", minimum = 1),
    ("page" = Option<i64>, Query, minimum = 1, maximum = 1000000),
), responses((status = 200, body = Page<WebhookBody>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope)))]
pub(in crate::sendkit) async fn list(
    request: HttpRequest,
    app: Data<App>,
) -> Result<Json<Page<WebhookBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let (PageStart { after, offset }, wish) = page_query(&request)?;
    let query = WebhookQuery { after, offset, limit: wish.limit };
    let (found, has_more) = app.use_cases.list_webhooks(tenant, WEBHOOKS, query).await?;
    let total = app.use_cases.count_webhooks(tenant, WEBHOOKS).await?;
    let next = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    let shown = found.iter().map(|webhook| WebhookBody::new(webhook, tenant.owner)).collect();
    Ok(Json(Page::new(shown, wish, total, next)))
}

/// Read one webhook.
#[utoipa::path(get, operation_id = "sendkitGetWebhook", path = "/v1/webhooks/{webhookId}", tag = "SendKit webhooks", params(("webhookId" = String, Path)), responses(
    (status = 200, body = Success<WebhookBody>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<WebhookBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let webhook = app.use_cases.webhook(tenant, WEBHOOKS, webhook_id(&id)?).await?;
    Ok(Json(Success::new(WebhookBody::new(&webhook, tenant.owner))))
}

/// Change a webhook, or switch it off and on.
#[utoipa::path(patch, operation_id = "sendkitUpdateWebhook", path = "/v1/webhooks/{webhookId}", tag = "SendKit webhooks", params(("webhookId" = String, Path)), request_body = UpdateWebhookBody, responses(
    (status = 200, body = Success<WebhookBody>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn update(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<WebhookBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let id = webhook_id(&id)?;
    let change: WebhookChange = read_optional_body(&request, payload).await?;
    let webhook = app.use_cases.change_webhook(tenant, WEBHOOKS, id, change, None).await?;
    Ok(Json(Success::new(WebhookBody::new(&webhook, tenant.owner))))
}

/// Remove a webhook. Nothing more is delivered to it; pending retries are dropped.
#[utoipa::path(delete, operation_id = "sendkitDeleteWebhook", path = "/v1/webhooks/{webhookId}", tag = "SendKit webhooks", params(("webhookId" = String, Path)), responses(
    (status = 200, body = Success<MessageBody>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<MessageBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    app.use_cases.delete_webhook(tenant, WEBHOOKS, webhook_id(&id)?).await?;
    Ok(Json(Success::new(MessageBody::new("Webhook removed"))))
}

/// Give a webhook a new secret, which is returned in this answer only. `X-SendKit-Signature` is made with it at once.
/// For 24 hours `webhook-signature` has a second signature, made with the old secret.
#[utoipa::path(post, operation_id = "sendkitRotateWebhookSecret", path = "/v1/webhooks/{webhookId}/rotate-secret", tag = "SendKit webhooks", params(("webhookId" = String, Path)), responses(
    (status = 200, body = Success<WebhookWithSecret>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn rotate_secret(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<WebhookWithSecret>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let (id, answer) = (webhook_id(&id)?, PendingAnswer::not_kept());
    let (webhook, secret) = app.use_cases.rotate_webhook_secret(tenant, WEBHOOKS, id, answer).await?;
    Ok(Json(Success::new(WebhookWithSecret::new(&webhook, &secret, tenant.owner))))
}

/// Send a test event to a webhook. It must have asked for `webhook.test`.
#[utoipa::path(post, operation_id = "sendkitTestWebhook", path = "/v1/webhooks/{webhookId}/test", tag = "SendKit webhooks", params(("webhookId" = String, Path)), responses(
    (status = 200, body = Success<WebhookTestBody>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn test(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Success<WebhookTestBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let id = webhook_id(&id)?;
    let event = test_event(tenant.workspace, id)?;
    let refused = match app.use_cases.test_webhook(tenant, id, event, PendingAnswer::not_kept()).await? {
        WebhookTest::Sent(event) => return Ok(Json(Success::new(event.into()))),
        WebhookTest::NotWanted => "The webhook does not have webhook.test among its events",
        WebhookTest::NotListening => "The webhook is disabled or failing; make it active first",
    };
    Err(CoreError::Conflict(refused).into())
}

/// List the deliveries to a webhook in the last seven days, one item per attempt, newest first.
#[utoipa::path(get, operation_id = "sendkitListWebhookDeliveries", path = "/v1/webhooks/{webhookId}/deliveries", tag = "SendKit webhooks", params(
    ("webhookId" = String, Path),
    ("cursor" = Option<String>, Query, pattern = "^([0-9a-f]{24})?$"),
    ("limit" = Option<i64>, Query, description = "default 25; more than 100 is 100", minimum = 1),
    ("page" = Option<i64>, Query, minimum = 1, maximum = 1000000),
), responses((status = 200, body = Page<WebhookDeliveryBody>), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)))]
pub(in crate::sendkit) async fn deliveries(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Page<WebhookDeliveryBody>>, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let id = webhook_id(&id)?;
    let (PageStart { after, offset }, wish) = page_query(&request)?;
    let query = DeliveryQuery { after, offset, limit: wish.limit, ..DeliveryQuery::default() };
    let (found, has_more) = app.use_cases.webhook_deliveries(tenant, WEBHOOKS, id, query).await?;
    let total = app.use_cases.count_webhook_deliveries(tenant, WEBHOOKS, id).await?;
    let next = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    Ok(Json(Page::new(found.iter().map(WebhookDeliveryBody::from).collect(), wish, total, next)))
}
