//! From the headers of a request to the account or tenant behind it. On the way the request is counted
//! against the limit of its key.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyKind, KeyText};

use super::errors::SendkitError;
use crate::App;
use crate::http::rate_limit;
use use_cases::{Account, Tenant};

const KEY_HEADER: &str = "x-api-key";
const WORKSPACE_HEADER: &str = "X-Workspace-Id";

/// Who sent the request. With both headers `X-Api-Key` decides; there is no fallback.
pub(super) async fn account(request: &HttpRequest, app: &App) -> Result<Account, SendkitError> {
    let key = match header(request, KEY_HEADER) {
        Some(key) => key,
        None => header(request, AUTHORIZATION.as_str()).and_then(bearer).ok_or(CoreError::Unauthenticated)?,
    };
    let kinds = [KeyKind::SendkitWorkspace, KeyKind::SendkitPlatform];
    let account = app.use_cases.authenticate(KeyText::new(key), &kinds).await?;
    rate_limit::count(request, &app.limiters.sendkit, account.key)?;
    Ok(account)
}

/// The workspace in which the request acts.
pub(super) async fn tenant(request: &HttpRequest, app: &App) -> Result<Tenant, SendkitError> {
    let account = account(request, app).await?;
    Ok(app.use_cases.tenant(account, header(request, WORKSPACE_HEADER), WORKSPACE_HEADER).await?)
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    // A value that is not visible ASCII is no key and no id.
    request.headers().get(name).map(|value| value.to_str().unwrap_or("").trim())
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
