//! The operations on `/domains`.

use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::sending_domains::DomainRecords;
use shared_models::domain::sending_domains::SendingDomain;

use crate::App;
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::idempotency::{Reply, once_in_transaction};
use crate::sendmux::permissions::Permission;
use crate::sendmux::wire::answer::{self, Deleted, PREFIX, SendmuxOk, SendmuxPage};
use crate::sendmux::wire::domains::requests::{DomainChangeBody, NewDomainBody};
use crate::sendmux::wire::domains::responses::{Domain, Verification};
use crate::sendmux::wire::filters::{Filters, FiltersBody};
use crate::sendmux::wire::{body, lists};
use crate::sendmux::{auth, conditional, ids};

/// The default of the setting: the records of a domain would send its mail to whoever reads them.
const UNSET_HOSTNAME: &str = "localhost";
const NO_HOSTNAME: &str = "The mail servers have no public name yet, so a domain cannot be pointed to them: the operator has to set MAILMOOR__MAIL_PLATFORM__HOSTNAME";

/// Add a domain. Publish its `dns_records`, then have it verified.
#[utoipa::path(post, operation_id = "sendmuxCreateDomain", path = "/api/v1/domains", tag = "Sendmux domains", params(
    ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters"),
), request_body = NewDomainBody, responses((status = 201, body = SendmuxOk<Domain>)))]
pub(in crate::sendmux) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainCreate).await?;
    let raw = body::repeatable(&request, payload).await?;
    let new: NewDomainBody = body::parse(&request, &raw)?;
    let platform = app.platform.clone();
    let render = move |domain: &SendingDomain| {
        let location = format!("{PREFIX}/domains/{}", ids::domain::encode(domain.id));
        Reply::created(location, Domain::new(domain, &platform))
    };
    once_in_transaction(&request, &app, &caller, "POST /domains", "", &raw, render, async |answer| {
        if app.platform.hostname == UNSET_HOSTNAME {
            return Err(SendmuxError::conflict(NO_HOSTNAME));
        }
        Ok(app.use_cases.create_domain(caller.tenant, new.into(), answer).await?)
    })
    .await
}

/// List domains, newest first.
#[utoipa::path(get, operation_id = "sendmuxListDomains", path = "/api/v1/domains", tag = "Sendmux domains", params(
    ("limit" = Option<i64>, Query, description = "default 50", minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
), responses((status = 200, body = SendmuxPage<Domain>)))]
pub(in crate::sendmux) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainRead).await?;
    let wanted = lists::page_request(&request)?;
    let page = app.use_cases.list_domains(caller.tenant, wanted.after, wanted.limit).await?;
    let next = page.items.last().filter(|_| page.has_more).map(|last| lists::cursor(last.id));
    let items = page.items.iter().map(|domain| Domain::new(domain, &app.platform)).collect();
    Ok(answer::page(&request, items, next))
}

/// Read one domain.
#[utoipa::path(get, operation_id = "sendmuxGetDomain", path = "/api/v1/domains/{id}", tag = "Sendmux domains",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Domain>), (status = 304)))]
pub(in crate::sendmux) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainRead).await?;
    let domain = app.use_cases.domain(caller.tenant, ids::domain::decode(&id)?).await?;
    Ok(answer::tagged(&request, Domain::new(&domain, &app.platform)))
}

/// Let a domain receive mail, too. It needs another record then, and is verified anew.
#[utoipa::path(patch, operation_id = "sendmuxUpdateDomain", path = "/api/v1/domains/{id}", tag = "Sendmux domains",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)), request_body = DomainChangeBody,
    responses((status = 200, body = SendmuxOk<Domain>)))]
pub(in crate::sendmux) async fn change(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainCreate).await?;
    let change: DomainChangeBody = body::read(&request, payload).await?;
    let (tenant, id) = (caller.tenant, ids::domain::decode(&id)?);
    let read = async || Ok(app.use_cases.domain(tenant, id).await?);
    let show = |domain: &SendingDomain| Domain::new(domain, &app.platform);
    let changed = conditional::change(&request, read, show, async |_, expected| {
        change.check()?;
        Ok(app.use_cases.let_domain_receive(tenant, id, expected).await?)
    });
    Ok(answer::changed(&request, show(&changed.await?)))
}

/// Remove a domain without mailboxes.
#[utoipa::path(delete, operation_id = "sendmuxDeleteDomain", path = "/api/v1/domains/{id}", tag = "Sendmux domains",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Deleted>)))]
pub(in crate::sendmux) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainDelete).await?;
    let id = ids::domain::decode(&id)?;
    app.use_cases.delete_domain(caller.tenant, id).await?;
    Ok(answer::deleted(&request, ids::domain::encode(id)))
}

/// Have the records of a domain looked at now. Answered with what DNS says at this moment; 503 when it, or
/// the service that asks it, says nothing in time.
#[utoipa::path(post, operation_id = "sendmuxVerifyDomain", path = "/api/v1/domains/{id}/verify", tag = "Sendmux domains",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Verification>)))]
pub(in crate::sendmux) async fn verify(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainVerify).await?;
    body::nothing(&request, &body::raw(payload).await?)?;
    let domain = app.use_cases.verify_domain(caller.tenant, ids::domain::decode(&id)?).await?;
    Ok(answer::ok(&request, Verification::new(&domain, &app.platform)?))
}

/// Get all records of a domain as lines of a zone file.
#[utoipa::path(get, operation_id = "sendmuxGetDomainZoneFile", path = "/api/v1/domains/{id}/zone-file", tag = "Sendmux domains",
    params(("id" = String, Path)), responses((status = 200, body = String, content_type = "text/plain")))]
pub(in crate::sendmux) async fn zone_file(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainRead).await?;
    let domain = app.use_cases.domain(caller.tenant, ids::domain::decode(&id)?).await?;
    let zone = DomainRecords::new(&domain, &app.platform.hostname).zone_file();
    // A name of letters, digits, hyphens and dots needs no escaping.
    let as_file = format!("attachment; filename=\"{}.zone\"", domain.name);
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::plaintext())
        .insert_header((CONTENT_DISPOSITION, as_file))
        .body(zone))
}

/// Read who may write to a domain.
#[utoipa::path(get, operation_id = "sendmuxGetDomainFilters", path = "/api/v1/domains/{id}/filters", tag = "Sendmux domains",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Filters>), (status = 304), (status = 409, body = crate::sendmux::errors::ErrorEnvelope)))]
pub(in crate::sendmux) async fn filters(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainRead).await?;
    let set = app.use_cases.domain_filters(caller.tenant, ids::domain::decode(&id)?).await?;
    Ok(answer::tagged(&request, Filters::from(&set)))
}

/// Replace the rules on who may write to a domain. A mailbox's own rules stand in the place of these.
#[utoipa::path(put, operation_id = "sendmuxSetDomainFilters", path = "/api/v1/domains/{id}/filters", tag = "Sendmux domains",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)), request_body = FiltersBody,
    responses((status = 200, body = SendmuxOk<Filters>)))]
pub(in crate::sendmux) async fn set_filters(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::DomainCreate).await?;
    let body: FiltersBody = body::read(&request, payload).await?;
    let id = ids::domain::decode(&id)?;
    let read = async || Ok(app.use_cases.domain_filters(caller.tenant, id).await?);
    let set = conditional::change(
        &request,
        read,
        |set| Filters::from(set),
        async |_, expected| {
            Ok(app.use_cases.set_domain_filters(caller.tenant, id, body.into_domain()?, expected).await?)
        },
    );
    Ok(answer::changed(&request, Filters::from(&set.await?)))
}
