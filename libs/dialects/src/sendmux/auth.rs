//! From the header of a request to the team behind it, in this order: the key, the limit on its
//! requests, its permissions.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use shared_models::domain::tenancy::{KeyBody, KeyKind, KeyReach, KeyText};
use shared_models::domain::{ApiKeyId, CoreError};

use super::DIALECT;
use super::errors::SendmuxError;
use super::permissions::Permission;
use crate::App;
use use_cases::Tenant;

/// Opens one workspace, which this dialect calls a team.
pub(super) const TEAM_KEY: KeyKind =
    KeyKind { name: "sendmux-root", prefix: "smx_root_", body: KeyBody::BASE32_40, reach: KeyReach::Workspace };
/// Opens a hosted mailbox for mail programs, and nothing here.
pub(super) const MAILBOX_KEY: KeyKind =
    KeyKind { name: "sendmux-mailbox", prefix: "smx_mbx_", body: KeyBody::BASE32_40, reach: KeyReach::Mailbox };

/// The sender of a request with a valid team key.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The team.
    pub(super) tenant: Tenant,
    pub(super) key: ApiKeyId,
    /// Permissions and roles of the key; none = everything.
    pub(super) granted: Vec<String>,
}

/// The caller of a route that needs a permission.
///
/// # Errors
/// 401, 429, 403, in this order.
pub(super) async fn caller(request: &HttpRequest, app: &App, needed: Permission) -> Result<Caller, SendmuxError> {
    let caller = any_caller(request, app).await?;
    if needed.is_among(&caller.granted) { Ok(caller) } else { Err(SendmuxError::MissingPermission(needed)) }
}

/// The caller of a route that every team key may use.
///
/// # Errors
/// 401, 429, in this order.
pub(super) async fn any_caller(request: &HttpRequest, app: &App) -> Result<Caller, SendmuxError> {
    let key = bearer(request).ok_or(CoreError::Unauthenticated)?;
    if key.expose().starts_with(MAILBOX_KEY.prefix)
        && let Some(opened_by) = app.use_cases.mailbox_key(key.clone()).await?
    {
        // Two ids are never the same, whatever they are of.
        app.count(request, &DIALECT, ApiKeyId::from_bytes(opened_by.to_bytes()))?;
        return Err(SendmuxError::NotTeamKey);
    }
    let (account, granted) = app.authenticate::<SendmuxError>(request, &DIALECT, key).await?;
    let tenant = app.use_cases.tenant(account, None, "authorization").await?;
    Ok(Caller { tenant, key: account.key, granted })
}

/// The key in `Authorization: Bearer <key>` (RFC 6750 section 2.1).
fn bearer(request: &HttpRequest) -> Option<KeyText> {
    let (scheme, key) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| KeyText::new(key.trim()))
}
