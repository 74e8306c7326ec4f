//! From the headers of a request to the account or tenant behind it. On the way the request is counted
//! against the limit of its key.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyBody, KeyKind, KeyReach, KeyText};

use super::DIALECT;
use super::errors::SendkitError;
use crate::App;
use use_cases::{Account, Tenant};

const KEY_HEADER: &str = "x-api-key";
const WORKSPACE_HEADER: &str = "X-Workspace-Id";

/// Opens one workspace, which has at most one.
pub(super) const WORKSPACE_KEY: KeyKind =
    KeyKind { name: "sendkit-workspace", prefix: "sk_", body: KeyBody::HEX_48, reach: KeyReach::Workspace };
/// Opens all workspaces of its owner.
pub(super) const PLATFORM_KEY: KeyKind =
    KeyKind { name: "sendkit-platform", prefix: "sk_user_", body: KeyBody::HEX_48, reach: KeyReach::Owner };

/// SendKit has no scopes.
pub(super) fn check_scopes(kind: &KeyKind, scopes: &[String]) -> Result<(), String> {
    if scopes.is_empty() { Ok(()) } else { Err(format!("a {} key has no scopes; leave them out", kind.name)) }
}

/// The account that the key of the request opens. If both headers are present, `X-Api-Key` decides; there is no
/// fallback.
pub(super) async fn account(request: &HttpRequest, app: &App) -> Result<Account, SendkitError> {
    let key = match header(request, KEY_HEADER) {
        Some(key) => key,
        None => header(request, AUTHORIZATION.as_str()).and_then(bearer).ok_or(CoreError::Unauthenticated)?,
    };
    let key = KeyText::new(key);
    if let Some(foreign) = app.foreign_key(&DIALECT, &key) {
        return Err(foreign.into());
    }
    app.authenticate(request, &DIALECT, key).await.map(|(account, _)| account)
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
