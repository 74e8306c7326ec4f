//! From the header of a request to the tenant behind it, in this order: the key, the limit on its
//! requests, its scopes.

use actix_web::HttpRequest;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyKind, KeyText};

use super::errors::ColdsendError;
use super::scopes::Scope;
use crate::App;
use crate::http::rate_limit;
use use_cases::Tenant;

const KEY_HEADER: &str = "x-api-key";

/// The workspace in which the request acts.
pub(super) async fn tenant(request: &HttpRequest, app: &App, needed: Scope) -> Result<Tenant, ColdsendError> {
    let header = request.headers().get(KEY_HEADER).filter(|value| !value.as_bytes().trim_ascii().is_empty());
    // What is not visible ASCII is there, and no key.
    let key = header.ok_or(ColdsendError::NoKey)?.to_str().map_err(|_| CoreError::Unauthenticated)?.trim();
    let (account, granted) = app.use_cases.authenticate_scoped(KeyText::new(key), &[KeyKind::Coldsend]).await?;
    rate_limit::count(request, &app.limiters.coldsend, account.key)?;
    if !needed.is_among(&granted) {
        return Err(ColdsendError::MissingScope { needed, granted });
    }
    Ok(app.use_cases.tenant(account, None, KEY_HEADER).await?)
}
