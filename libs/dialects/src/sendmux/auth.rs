//! From the header of a request to the team behind it, in this order: the key, the limit on its
//! requests, its permissions.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use shared_models::domain::tenancy::{KeyKind, KeyText};
use shared_models::domain::{ApiKeyId, CoreError};

use super::errors::SendmuxError;
use super::permissions::Permission;
use crate::App;
use crate::http::rate_limit;
use use_cases::Tenant;

/// What keys of hosted mailboxes begin with.
const MAILBOX_KEY: &str = "smx_mbx_";

/// Who sent a good team key.
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
    if key.expose().starts_with(MAILBOX_KEY)
        && let Some(opened_by) = app.use_cases.mailbox_key(key.clone()).await?
    {
        // Two ids are never the same, whatever they are of.
        rate_limit::count(request, &app.limiters.sendmux, ApiKeyId::from_bytes(opened_by.to_bytes()))?;
        return Err(SendmuxError::NotTeamKey);
    }
    let (account, granted) = app.use_cases.authenticate_scoped(key, &[KeyKind::SendmuxRoot]).await?;
    rate_limit::count(request, &app.limiters.sendmux, account.key)?;
    let tenant = app.use_cases.tenant(account, None, "authorization").await?;
    Ok(Caller { tenant, key: account.key, granted })
}

/// The key in `Authorization: Bearer <key>` (RFC 6750 section 2.1).
fn bearer(request: &HttpRequest) -> Option<KeyText> {
    let (scheme, key) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| KeyText::new(key.trim()))
}
