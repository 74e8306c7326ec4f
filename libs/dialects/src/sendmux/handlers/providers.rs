//! Handlers: authenticate, read, look it up, one use case, convert.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::sending_accounts::{SendingAccount, SendingAccountStatus};
use shared_models::domain::{CoreError, SendingAccountId};
use shared_models::store::{LimitIncrease as Increase, SendingAccountQuery};

use crate::App;
use crate::sendmux::auth::{self, Caller};
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::idempotency::{self, Reply};
use crate::sendmux::permissions::Permission;
use crate::sendmux::wire::answer::{self, Deleted, PREFIX, SendmuxOk, SendmuxPage};
use crate::sendmux::wire::body;
use crate::sendmux::wire::lists::{self, DEFAULT_LIMIT, Parameters};
use crate::sendmux::wire::providers::requests::{NewProviderBody, ProviderChangeBody};
use crate::sendmux::wire::providers::responses::{
    LimitIncrease, Provider, ProviderLimits, ProviderStats, ProviderTest, ProviderUsage,
};
use crate::sendmux::wire::providers::schemas::{NewProvider, ProviderChange};
use crate::sendmux::{conditional, ids};

const STATUSES: [(&str, SendingAccountStatus); 4] = [
    ("active", SendingAccountStatus::Active),
    ("inactive", SendingAccountStatus::Inactive),
    ("error", SendingAccountStatus::Error),
    ("pending", SendingAccountStatus::Pending),
];
/// Every type, with true if providers of that type can exist here.
const TYPES: [(&str, bool); 4] = [("smtp", true), ("gmail_api", false), ("outlook_api", false), ("amazon_ses", false)];

fn shown(provider: &SendingAccount) -> Result<Reply, CoreError> {
    Reply::ok(Provider::from(provider))
}

/// Add a sending account. Its login is tried in the background.
#[utoipa::path(post, operation_id = "sendmuxCreateProvider", path = "/api/v1/providers", tag = "Sendmux providers",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255)), request_body = NewProvider,
    responses((status = 201, body = SendmuxOk<Provider>)))]
pub(in crate::sendmux) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderCreate).await?;
    let raw = body::repeatable(&request, payload).await?;
    let new: NewProviderBody = body::parse(&request, &raw)?;
    let tenant = caller.tenant;
    let render = |added: &SendingAccount| {
        let location = format!("{PREFIX}/providers/{}", ids::provider::encode(added.id));
        Reply::created(location, Provider::from(added))
    };
    idempotency::once_in_transaction(&request, &app, &caller, "POST /providers", "", &raw, render, async |answer| {
        let new = match new.into_domain() {
            Ok(new) => new,
            // A full team is reported before a broken rule.
            Err(broken) => return Err(full(&app, &caller).await?.unwrap_or(broken)),
        };
        Ok(app.use_cases.create_sending_account(tenant, new, answer).await?)
    })
    .await
}

async fn full(app: &App, caller: &Caller) -> Result<Option<SendmuxError>, SendmuxError> {
    let limit = app.use_cases.sending_account_allowance(caller.tenant).await?.limit;
    let (usage, requested) = (limit.usage, 1);
    let error = CoreError::LimitExceeded { usage, limit: limit.max_allowed, requested };
    Ok(limit.is_reached().then(|| error.into()))
}

/// List sending accounts, newest first.
#[utoipa::path(get, operation_id = "sendmuxListProviders", path = "/api/v1/providers", tag = "Sendmux providers", params(
    ("limit" = Option<i64>, Query, description = "default 50", minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ("status" = Option<String>, Query, pattern = "^(active|inactive|error|pending)$"),
    ("type" = Option<String>, Query, pattern = "^(smtp|gmail_api|outlook_api|amazon_ses)$"),
), responses((status = 200, body = SendmuxPage<Provider>)))]
pub(in crate::sendmux) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderRead).await?;
    let parameters = Parameters::of(&request);
    let mut faults = vec![];
    let page = parameters.page(DEFAULT_LIMIT, &mut faults);
    let status = parameters.choice("status", &STATUSES, &mut faults);
    let there_are_any = parameters.choice("type", &TYPES, &mut faults).unwrap_or(true);
    let page = lists::settled(page, faults)?;
    if !there_are_any {
        return Ok(answer::page::<Provider>(&request, vec![], None));
    }
    let query = SendingAccountQuery { status, after: page.after, limit: page.limit };
    let (found, has_more) = app.use_cases.list_sending_accounts(caller.tenant, query).await?;
    let next = found.last().filter(|_| has_more).map(|last| lists::cursor(last.id));
    Ok(answer::page(&request, found.iter().map(Provider::from).collect(), next))
}

/// Read a sending account.
#[utoipa::path(get, operation_id = "sendmuxGetProvider", path = "/api/v1/providers/{id}", tag = "Sendmux providers",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Provider>), (status = 304)))]
pub(in crate::sendmux) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderRead).await?;
    let found = app.use_cases.sending_account(caller.tenant, ids::provider::decode(&id)?).await?;
    Ok(answer::tagged(&request, Provider::from(&found)))
}

/// Change a sending account. A changed login is tried in the background.
#[utoipa::path(patch, operation_id = "sendmuxUpdateProvider", path = "/api/v1/providers/{id}", tag = "Sendmux providers",
    params(("id" = String, Path)), request_body = ProviderChange, responses((status = 200, body = SendmuxOk<Provider>)))]
pub(in crate::sendmux) async fn change(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderUpdate).await?;
    let change: ProviderChangeBody = body::read(&request, payload).await?;
    let (tenant, id) = (caller.tenant, ids::provider::decode(&id)?);
    let read = async || Ok(app.use_cases.sending_account(tenant, id).await?);
    let after = conditional::change(
        &request,
        read,
        |provider| Provider::from(provider),
        async |_, expected| {
            Ok(app.use_cases.change_sending_account(tenant, id, change.into_domain()?, expected).await?)
        },
    );
    Ok(answer::changed(&request, Provider::from(&after.await?)))
}

/// Remove a sending account for good.
#[utoipa::path(delete, operation_id = "sendmuxDeleteProvider", path = "/api/v1/providers/{id}", tag = "Sendmux providers",
    params(("id" = String, Path)), responses((status = 200, body = SendmuxOk<Deleted>)))]
pub(in crate::sendmux) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderDelete).await?;
    let id = ids::provider::decode(&id)?;
    app.use_cases.delete_sending_account(caller.tenant, id).await?;
    Ok(answer::deleted(&request, ids::provider::encode(id)))
}

/// A POST without a body about one provider, up to its work.
async fn about(
    request: &HttpRequest,
    payload: Payload,
    id: &str,
    app: &App,
) -> Result<(Caller, SendingAccountId, Vec<u8>), SendmuxError> {
    let caller = auth::caller(request, app, Permission::ProviderUpdate).await?;
    let raw = body::repeatable(request, payload).await?;
    body::nothing(request, &raw)?;
    let found = app.use_cases.sending_account(caller.tenant, ids::provider::decode(id)?).await?;
    Ok((caller, found.id, raw.to_vec()))
}

/// Switch a sending account on. A login that was refused stays refused.
#[utoipa::path(post, operation_id = "sendmuxActivateProvider", path = "/api/v1/providers/{id}/activate", tag = "Sendmux providers",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<Provider>)))]
pub(in crate::sendmux) async fn activate(
    request: HttpRequest,
    payload: Payload,
    path: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let (caller, id, raw) = about(&request, payload, &path, &app).await?;
    idempotency::once(&request, &app, &caller, "POST /providers/{id}/activate", &path, &raw, async || {
        Ok(shown(&app.use_cases.switch_sending_account(caller.tenant, id, true).await?)?)
    })
    .await
}

/// Switch a sending account off.
#[utoipa::path(post, operation_id = "sendmuxDeactivateProvider", path = "/api/v1/providers/{id}/deactivate", tag = "Sendmux providers",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<Provider>)))]
pub(in crate::sendmux) async fn deactivate(
    request: HttpRequest,
    payload: Payload,
    path: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let (caller, id, raw) = about(&request, payload, &path, &app).await?;
    idempotency::once(&request, &app, &caller, "POST /providers/{id}/deactivate", &path, &raw, async || {
        Ok(shown(&app.use_cases.switch_sending_account(caller.tenant, id, false).await?)?)
    })
    .await
}

/// Test the login of a sending account, and wait for the result. A password that was refused is not shown to
/// the server again before something about the login was changed.
#[utoipa::path(post, operation_id = "sendmuxTestProvider", path = "/api/v1/providers/{id}/test", tag = "Sendmux providers",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<ProviderTest>)))]
pub(in crate::sendmux) async fn test(
    request: HttpRequest,
    payload: Payload,
    path: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let (caller, id, raw) = about(&request, payload, &path, &app).await?;
    idempotency::once(&request, &app, &caller, "POST /providers/{id}/test", &path, &raw, async || {
        Ok(Reply::ok(ProviderTest::from(app.use_cases.test_sending_account(caller.tenant, id).await?))?)
    })
    .await
}

/// How many sending accounts there are and may be.
#[utoipa::path(get, operation_id = "sendmuxGetProviderLimits", path = "/api/v1/providers/limits", tag = "Sendmux providers",
    responses((status = 200, body = SendmuxOk<ProviderLimits>)))]
pub(in crate::sendmux) async fn limits(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderRead).await?;
    let allowance = app.use_cases.sending_account_allowance(caller.tenant).await?;
    Ok(answer::ok(&request, ProviderLimits::from(allowance)))
}

/// How many sending accounts stand where.
#[utoipa::path(get, operation_id = "sendmuxGetProviderStats", path = "/api/v1/providers/stats", tag = "Sendmux providers",
    responses((status = 200, body = SendmuxOk<ProviderStats>)))]
pub(in crate::sendmux) async fn stats(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderRead).await?;
    let counts = app.use_cases.count_sending_accounts(caller.tenant).await?;
    Ok(answer::ok(&request, ProviderStats::from(counts)))
}

/// Read the mail counts of each sending account.
#[utoipa::path(get, operation_id = "sendmuxGetProviderUsage", path = "/api/v1/providers/usage", tag = "Sendmux providers",
    responses((status = 200, body = SendmuxOk<ProviderUsage>)))]
pub(in crate::sendmux) async fn usage(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::ProviderRead).await?;
    let ids = app.use_cases.sending_account_ids(caller.tenant).await?;
    Ok(answer::ok(&request, ProviderUsage::of_unused(ids)))
}

/// Ask for more sending accounts. Possible from 80 % of the limit on, once until it is raised.
#[utoipa::path(post, operation_id = "sendmuxRequestProviderIncrease", path = "/api/v1/providers/limits/sending-accounts/request-increase",
    tag = "Sendmux providers", params(("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    responses((status = 200, body = SendmuxOk<LimitIncrease>)))]
pub(in crate::sendmux) async fn request_increase(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    const ENDPOINT: &str = "POST /providers/limits/sending-accounts/request-increase";
    let caller = auth::caller(&request, &app, Permission::ProviderCreate).await?;
    let raw = body::repeatable(&request, payload).await?;
    body::nothing(&request, &raw)?;
    idempotency::once(&request, &app, &caller, ENDPOINT, "", &raw, async || {
        match app.use_cases.request_limit_increase(caller.tenant).await? {
            Increase::Asked(id, allowance) => Ok(Reply::ok(LimitIncrease::new(id, allowance))?),
            Increase::Pending => Err(SendmuxError::conflict("An increase has been asked for already")),
            Increase::NotNear(limit) => Err(SendmuxError::semantic_field(
                "sending_accounts",
                "custom",
                format!("{} of {} are in use; an increase is for 80 % and more", limit.usage, limit.max_allowed),
            )),
        }
    })
    .await
}
