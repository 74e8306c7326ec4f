//! From the header of a request to the tenant behind it, in this order: the key, the limit on its
//! requests, its scopes.

use actix_web::HttpRequest;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyBody, KeyKind, KeyReach, KeyText};

use super::DIALECT;
use super::errors::ColdsendError;
use super::scopes::Scope;
use crate::App;
use use_cases::Tenant;

const KEY_HEADER: &str = "x-api-key";

/// Opens one workspace.
pub(super) const KEY: KeyKind =
    KeyKind { name: "coldsend", prefix: "cs_live_", body: KeyBody::BASE32_40, reach: KeyReach::Workspace };

/// The workspace in which the request acts.
pub(super) async fn tenant(request: &HttpRequest, app: &App, needed: Scope) -> Result<Tenant, ColdsendError> {
    let header = request.headers().get(KEY_HEADER).filter(|value| !value.as_bytes().trim_ascii().is_empty());
    // A key that is not visible ASCII is present but invalid: `Unauthenticated`, not `NoKey`.
    let key = header.ok_or(ColdsendError::NoKey)?.to_str().map_err(|_| CoreError::Unauthenticated)?.trim();
    let (account, granted) = app.authenticate::<ColdsendError>(request, &DIALECT, KeyText::new(key)).await?;
    if !needed.is_among(&granted) {
        return Err(ColdsendError::MissingScope { needed, granted });
    }
    Ok(app.use_cases.tenant(account, None, KEY_HEADER).await?)
}
