//! Handlers: authenticate, read, look it up, one use case, convert.

use actix_web::web::{Bytes, Data, Path, Payload as RequestPayload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::webhooks::{DeliveryResult, Webhook as Stored};
use shared_models::domain::{CoreError, HostedMailboxId};
use shared_models::store::{DeliveryQuery, MadeWebhook, WebhookQuery, WebhookTest as Tested};

use crate::App;
use crate::sendmux::auth::{self, Caller};
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::idempotency::{self, Reply};
use crate::sendmux::permissions::Permission;
use crate::sendmux::webhook_words::{TEST, TYPES, WEBHOOKS, test_event};
use crate::sendmux::wire::answer::{self, Deleted, PREFIX, SendmuxOk, SendmuxPage};
use crate::sendmux::wire::body;
use crate::sendmux::wire::lists::{self, Parameters};
use crate::sendmux::wire::webhooks::requests::{NewWebhookBody, WebhookChangeBody, foreign_mailbox};
use crate::sendmux::wire::webhooks::responses::{Delivery, Payload, Webhook, WebhookTest, WebhookWithSecret};
use crate::sendmux::wire::webhooks::schemas::{NewWebhook, WebhookChange};
use crate::sendmux::{conditional, ids};

/// Deliveries of a page.
const DELIVERIES: i64 = 25;
const RESULTS: [(&str, DeliveryResult); 4] = [
    ("success", DeliveryResult::Success),
    ("retrying", DeliveryResult::Retrying),
    ("failed", DeliveryResult::Failed),
    ("permanent_failure", DeliveryResult::PermanentFailure),
];

async fn check_mailboxes(app: &App, caller: &Caller, mailboxes: &[HostedMailboxId]) -> Result<(), SendmuxError> {
    match app.use_cases.first_foreign_mailbox(caller.tenant, mailboxes).await? {
        None => Ok(()),
        Some(index) => Err(foreign_mailbox(index)),
    }
}

/// Add a webhook. Its secret is returned in this answer only.
#[utoipa::path(post, operation_id = "sendmuxCreateWebhook", path = "/api/v1/webhooks", tag = "Sendmux webhooks",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255)), request_body = NewWebhook,
    responses((status = 201, body = SendmuxOk<WebhookWithSecret>)))]
pub(in crate::sendmux) async fn create(
    request: HttpRequest,
    payload: RequestPayload,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookCreate).await?;
    let raw = body::repeatable(&request, payload).await?;
    let new: NewWebhookBody = body::parse(&request, &raw)?;
    let render = |(webhook, secret): &MadeWebhook| {
        let location = format!("{PREFIX}/webhooks/{}", ids::webhook::encode(webhook.id));
        Reply::created(location, WebhookWithSecret::new(webhook, secret))
    };
    idempotency::once_in_transaction(&request, &app, &caller, "POST /webhooks", "", &raw, render, async |answer| {
        let new = new.into_domain()?;
        check_mailboxes(&app, &caller, &new.mailboxes).await?;
        Ok(app.use_cases.create_webhook(caller.tenant, new, answer).await?)
    })
    .await
}

/// List webhooks, newest first.
#[utoipa::path(get, operation_id = "sendmuxListWebhooks", path = "/api/v1/webhooks", tag = "Sendmux webhooks", params(
    ("limit" = Option<i64>, Query, description = "default 50", minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
), responses((status = 200, body = SendmuxPage<Webhook>)))]
pub(in crate::sendmux) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookRead).await?;
    let page = lists::page_request(&request)?;
    let query = WebhookQuery { after: page.after, offset: 0, limit: page.limit };
    let (found, has_more) = app.use_cases.list_webhooks(caller.tenant, WEBHOOKS, query).await?;
    let next = found.last().filter(|_| has_more).map(|last| lists::cursor(last.id));
    Ok(answer::page(&request, found.iter().map(Webhook::from).collect(), next))
}

/// Read a webhook.
#[utoipa::path(get, operation_id = "sendmuxGetWebhook", path = "/api/v1/webhooks/{id}", tag = "Sendmux webhooks",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Webhook>), (status = 304)))]
pub(in crate::sendmux) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookRead).await?;
    let found = app.use_cases.webhook(caller.tenant, WEBHOOKS, ids::webhook::decode(&id)?).await?;
    Ok(answer::tagged(&request, Webhook::from(&found)))
}

/// Change a webhook.
#[utoipa::path(patch, operation_id = "sendmuxUpdateWebhook", path = "/api/v1/webhooks/{id}", tag = "Sendmux webhooks",
    params(("id" = String, Path)), request_body = WebhookChange, responses((status = 200, body = SendmuxOk<Webhook>)))]
pub(in crate::sendmux) async fn change(
    request: HttpRequest,
    payload: RequestPayload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookUpdate).await?;
    let change: WebhookChangeBody = body::read(&request, payload).await?;
    let (tenant, id) = (caller.tenant, ids::webhook::decode(&id)?);
    let read = async || Ok(app.use_cases.webhook(tenant, WEBHOOKS, id).await?);
    let show = |webhook: &Stored| Webhook::from(webhook);
    let after = conditional::change(&request, read, show, async |_, expected| {
        let change = change.into_domain()?;
        check_mailboxes(&app, &caller, change.mailboxes.as_deref().unwrap_or_default()).await?;
        Ok(app.use_cases.change_webhook(tenant, WEBHOOKS, id, change, expected).await?)
    });
    Ok(answer::changed(&request, Webhook::from(&after.await?)))
}

/// Remove a webhook. Nothing more is delivered to it; pending retries are dropped.
#[utoipa::path(delete, operation_id = "sendmuxDeleteWebhook", path = "/api/v1/webhooks/{id}", tag = "Sendmux webhooks",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Deleted>)))]
pub(in crate::sendmux) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookDelete).await?;
    let id = ids::webhook::decode(&id)?;
    app.use_cases.delete_webhook(caller.tenant, WEBHOOKS, id).await?;
    Ok(answer::deleted(&request, ids::webhook::encode(id)))
}

/// A POST without a body about one webhook, up to its work.
async fn about(
    request: &HttpRequest,
    payload: RequestPayload,
    id: &str,
    app: &App,
) -> Result<(Caller, Stored, Bytes), SendmuxError> {
    let caller = auth::caller(request, app, Permission::WebhookManage).await?;
    let raw = body::repeatable(request, payload).await?;
    body::nothing(request, &raw)?;
    let found = app.use_cases.webhook(caller.tenant, WEBHOOKS, ids::webhook::decode(id)?).await?;
    Ok((caller, found, raw))
}

/// Give a webhook a new secret, which is returned in this answer only. `X-Sendmux-Signature` is made with it at once.
/// For 24 hours `webhook-signature` has a second signature, made with the old secret.
#[utoipa::path(post, operation_id = "sendmuxRotateWebhookSecret", path = "/api/v1/webhooks/{id}/rotate-secret", tag = "Sendmux webhooks",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<WebhookWithSecret>)))]
pub(in crate::sendmux) async fn rotate_secret(
    request: HttpRequest,
    payload: RequestPayload,
    path: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    const ENDPOINT: &str = "POST /webhooks/{id}/rotate-secret";
    let (caller, webhook, raw) = about(&request, payload, &path, &app).await?;
    let render = |(webhook, secret): &MadeWebhook| Reply::ok(WebhookWithSecret::new(webhook, secret));
    idempotency::once_in_transaction(&request, &app, &caller, ENDPOINT, &path, &raw, render, async |answer| {
        Ok(app.use_cases.rotate_webhook_secret(caller.tenant, WEBHOOKS, webhook.id, answer).await?)
    })
    .await
}

fn shown_test(tested: &Tested) -> Result<Reply, CoreError> {
    match tested {
        Tested::Sent(id) => Reply::ok(WebhookTest { event_id: ids::webhook_event::encode(*id) }),
        Tested::NotWanted | Tested::NotListening => Err(CoreError::Internal("a refused test is answered".to_owned())),
    }
}

/// Send a test event to a webhook. It must have asked for `sendmux.test`.
#[utoipa::path(post, operation_id = "sendmuxTestWebhook", path = "/api/v1/webhooks/{id}/test", tag = "Sendmux webhooks",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<WebhookTest>)))]
pub(in crate::sendmux) async fn test(
    request: HttpRequest,
    payload: RequestPayload,
    path: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    const ENDPOINT: &str = "POST /webhooks/{id}/test";
    let (caller, webhook, raw) = about(&request, payload, &path, &app).await?;
    idempotency::once_in_transaction(&request, &app, &caller, ENDPOINT, &path, &raw, shown_test, async |answer| {
        let event = test_event(caller.tenant.workspace, webhook.id)?;
        match app.use_cases.test_webhook(caller.tenant, webhook.id, event, answer).await? {
            sent @ Tested::Sent(_) => Ok(sent),
            Tested::NotWanted => {
                Err(SendmuxError::conflict(format!("The webhook does not have {TEST} among its event types")))
            }
            Tested::NotListening => Err(SendmuxError::conflict("The webhook is disabled or failing; enable it first")),
        }
    })
    .await
}

/// List the deliveries to a webhook in the last seven days, one item per attempt, newest first.
#[utoipa::path(get, operation_id = "sendmuxListWebhookDeliveries", path = "/api/v1/webhooks/{id}/deliveries", tag = "Sendmux webhooks", params(
    ("id" = String, Path),
    ("limit" = Option<i64>, Query, description = "default 25", minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ("event_type" = Option<String>, Query),
    ("result" = Option<String>, Query, pattern = "^(success|retrying|failed|permanent_failure)$"),
), responses((status = 200, body = SendmuxPage<Delivery>)))]
pub(in crate::sendmux) async fn deliveries(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookRead).await?;
    let parameters = Parameters::of(&request);
    let mut faults = vec![];
    let page = parameters.page(DELIVERIES, &mut faults);
    let event_type = parameters.choice("event_type", &TYPES.map(|name| (name, name)), &mut faults);
    let result = parameters.choice("result", &RESULTS, &mut faults);
    let page = lists::settled(page, faults)?;
    let event_type = event_type.map(str::to_owned);
    let query = DeliveryQuery { event_type, result, after: page.after, offset: 0, limit: page.limit };
    let id = ids::webhook::decode(&id)?;
    let (found, has_more) = app.use_cases.webhook_deliveries(caller.tenant, WEBHOOKS, id, query).await?;
    let next = found.last().filter(|_| has_more).map(|last| lists::cursor(last.id));
    Ok(answer::page(&request, found.iter().map(Delivery::from).collect(), next))
}

/// Read what was posted in one attempt.
#[utoipa::path(get, operation_id = "sendmuxGetWebhookPayload", path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}/payload", tag = "Sendmux webhooks",
    params(("id" = String, Path), ("delivery_id" = String, Path)), responses((status = 200, body = SendmuxOk<Payload>)))]
pub(in crate::sendmux) async fn payload(
    request: HttpRequest,
    path: Path<(String, String)>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::WebhookRead).await?;
    let (id, delivery) = path.into_inner();
    let (id, delivery) = (ids::webhook::decode(&id)?, ids::webhook_delivery::decode(&delivery)?);
    let (delivery, body) = app.use_cases.webhook_payload(caller.tenant, WEBHOOKS, id, delivery).await?;
    Ok(answer::ok(&request, Payload::new(&delivery, &body)?))
}
