//! Handlers: authenticate, read, look it up, one use case, convert.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::EmailAddress;
use shared_models::domain::hosted::{Availability, ProvisionedMailbox};

use crate::App;
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::idempotency::{Reply, once, once_in_transaction};
use crate::sendmux::permissions::Permission;
use crate::sendmux::wire::answer::{self, Deleted, PREFIX, SendmuxOk, SendmuxPage};
use crate::sendmux::wire::body;
use crate::sendmux::wire::filters::{Filters, FiltersBody};
use crate::sendmux::wire::lists::{self, Parameters};
use crate::sendmux::wire::mailboxes::requests::{MailboxChangeBody, NewMailboxBody};
use crate::sendmux::wire::mailboxes::responses::{Available, Mailbox, Provisioned};
use crate::sendmux::{auth, conditional, ids};

/// Provision a mailbox. It works at once: the key in the answer signs in to IMAP and SMTP.
#[utoipa::path(post, operation_id = "sendmuxCreateMailbox", path = "/api/v1/mailboxes", tag = "Sendmux mailboxes",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255)), request_body = NewMailboxBody,
    responses((status = 201, body = SendmuxOk<Provisioned>)))]
pub(in crate::sendmux) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxCreate).await?;
    let raw = body::repeatable(&request, payload).await?;
    let new: NewMailboxBody = body::parse(&request, &raw)?;
    let platform = app.platform.clone();
    let render = move |made: &ProvisionedMailbox| {
        let location = format!("{PREFIX}/mailboxes/{}", ids::mailbox::encode(made.mailbox.id));
        Reply::created(location, Provisioned::new(made, &platform))
    };
    once_in_transaction(&request, &app, &caller, "POST /mailboxes", "", &raw, render, async |answer| {
        Ok(app.use_cases.provision_mailbox(caller.tenant, new.into_domain(), auth::MAILBOX_KEY, answer).await?)
    })
    .await
}

/// List mailboxes, newest first.
#[utoipa::path(get, operation_id = "sendmuxListMailboxes", path = "/api/v1/mailboxes", tag = "Sendmux mailboxes", params(
    ("limit" = Option<i64>, Query, description = "default 50", minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ("include_deleted" = Option<String>, Query, description = "`true` lists the deleted ones, too"),
), responses((status = 200, body = SendmuxPage<Mailbox>)))]
pub(in crate::sendmux) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxRead).await?;
    let wanted = lists::page_request(&request)?;
    let include_deleted = Parameters::of(&request).text("include_deleted") == Some("true");
    let page = app.use_cases.list_hosted_mailboxes(caller.tenant, include_deleted, wanted.after, wanted.limit).await?;
    let next = page.items.last().filter(|_| page.has_more).map(|last| lists::cursor(last.id));
    Ok(answer::page(&request, page.items.iter().map(Mailbox::from).collect(), next))
}

/// Check if an address is available. The next moment somebody else may have it.
#[utoipa::path(get, operation_id = "sendmuxGetMailboxAvailability", path = "/api/v1/mailboxes/availability",
    tag = "Sendmux mailboxes", params(("email" = String, Query)),
    responses((status = 200, body = SendmuxOk<Available>)))]
pub(in crate::sendmux) async fn availability(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxCreate).await?;
    let parameters = Parameters::of(&request);
    let text = parameters.text("email").map(str::trim).filter(|text| !text.is_empty());
    let text = text.ok_or(SendmuxError::MissingParameter("email"))?;
    let told = match EmailAddress::parse(text) {
        Ok(email) => {
            let availability = app.use_cases.hosted_address(caller.tenant, email.clone()).await?;
            Available::new(email.as_str().to_owned(), availability)
        }
        Err(_) => Available::new(text.to_lowercase(), Availability::InvalidEmail),
    };
    Ok(answer::ok(&request, told))
}

/// Read a mailbox.
#[utoipa::path(get, operation_id = "sendmuxGetMailbox", path = "/api/v1/mailboxes/{id}", tag = "Sendmux mailboxes",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Mailbox>), (status = 304)))]
pub(in crate::sendmux) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxRead).await?;
    let found = app.use_cases.hosted_mailbox(caller.tenant, ids::mailbox::decode(&id)?).await?;
    Ok(answer::tagged(&request, Mailbox::from(&found)))
}

/// Change a mailbox, all of it or nothing.
#[utoipa::path(patch, operation_id = "sendmuxUpdateMailbox", path = "/api/v1/mailboxes/{id}", tag = "Sendmux mailboxes",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)), request_body = MailboxChangeBody,
    responses((status = 200, body = SendmuxOk<Mailbox>)))]
pub(in crate::sendmux) async fn change(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxManage).await?;
    let change: MailboxChangeBody = body::read(&request, payload).await?;
    let (tenant, id) = (caller.tenant, ids::mailbox::decode(&id)?);
    let read = async || Ok(app.use_cases.hosted_mailbox(tenant, id).await?);
    let after = conditional::change(
        &request,
        read,
        |mailbox| Mailbox::from(mailbox),
        async |before, expected| {
            Ok(app.use_cases.change_hosted_mailbox(tenant, before, change.into_domain(), expected).await?)
        },
    );
    Ok(answer::changed(&request, Mailbox::from(&after.await?)))
}

/// Delete a mailbox with its keys. What is open is closed; the record of it stays.
#[utoipa::path(delete, operation_id = "sendmuxDeleteMailbox", path = "/api/v1/mailboxes/{id}", tag = "Sendmux mailboxes",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Deleted>)))]
pub(in crate::sendmux) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxDelete).await?;
    let id = ids::mailbox::decode(&id)?;
    app.use_cases.delete_hosted_mailbox(caller.tenant, id).await?;
    Ok(answer::deleted(&request, ids::mailbox::encode(id)))
}

/// Suspend a mailbox: no mail gets in or out, and nobody. What is in it stays.
#[utoipa::path(post, operation_id = "sendmuxSuspendMailbox", path = "/api/v1/mailboxes/{id}/suspend", tag = "Sendmux mailboxes",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<Mailbox>)))]
pub(in crate::sendmux) async fn suspend(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    switch(&request, payload, &id, &app, "POST /mailboxes/{id}/suspend", true).await
}

/// Let a suspended mailbox work again, with the keys that it had.
#[utoipa::path(post, operation_id = "sendmuxResumeMailbox", path = "/api/v1/mailboxes/{id}/resume", tag = "Sendmux mailboxes",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<Mailbox>)))]
pub(in crate::sendmux) async fn resume(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    switch(&request, payload, &id, &app, "POST /mailboxes/{id}/resume", false).await
}

async fn switch(
    request: &HttpRequest,
    payload: Payload,
    public_id: &str,
    app: &App,
    endpoint: &'static str,
    suspend: bool,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(request, app, Permission::MailboxManage).await?;
    let raw = body::repeatable(request, payload).await?;
    body::nothing(request, &raw)?;
    // A deleted mailbox is found as well: `suspend_mailbox` reports the deletion, as a `Conflict`.
    let id = app.use_cases.recorded_hosted_mailbox(caller.tenant, ids::mailbox::decode(public_id)?).await?.id;
    once(request, app, &caller, endpoint, public_id, &raw, async || {
        let mailbox = app.use_cases.suspend_mailbox(caller.tenant, id, suspend).await?;
        Ok(Reply::ok(Mailbox::from(&mailbox))?)
    })
    .await
}

/// Read who may write to a mailbox.
#[utoipa::path(get, operation_id = "sendmuxGetMailboxFilters", path = "/api/v1/mailboxes/{id}/filters", tag = "Sendmux mailboxes",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Filters>), (status = 304)))]
pub(in crate::sendmux) async fn filters(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxRead).await?;
    let set = app.use_cases.mailbox_filters(caller.tenant, ids::mailbox::decode(&id)?).await?;
    Ok(answer::tagged(&request, Filters::from(&set)))
}

/// Replace the rules on who may write to a mailbox. Unless they are off, they stand in the place of those of
/// its domain.
#[utoipa::path(put, operation_id = "sendmuxReplaceMailboxFilters", path = "/api/v1/mailboxes/{id}/filters", tag = "Sendmux mailboxes",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)), request_body = FiltersBody,
    responses((status = 200, body = SendmuxOk<Filters>)))]
pub(in crate::sendmux) async fn set_filters(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxManage).await?;
    let new: FiltersBody = body::read(&request, payload).await?;
    let id = ids::mailbox::decode(&id)?;
    let read = async || Ok(app.use_cases.mailbox_filters(caller.tenant, id).await?);
    let set = conditional::change(
        &request,
        read,
        |set| Filters::from(set),
        async |_, expected| {
            Ok(app.use_cases.set_mailbox_filters(caller.tenant, id, new.into_domain()?, expected).await?)
        },
    );
    Ok(answer::changed(&request, Filters::from(&set.await?)))
}
