//! A dialect with one route, `GET /fourth/v1/team`, as small as one can be.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Json, ServiceConfig, get, resource, route, scope};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use dialects::http::rate_limit::{self, RateLimited};
use dialects::{App, Dialect, LimitSetting};
use serde::Serialize;
use serde_json::json;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyBody, KeyKind, KeyReach, KeyText};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "fourth",
    prefix: "/fourth/v1",
    mount: |services: &mut ServiceConfig| {
        services.service(
            scope(DIALECT.prefix)
                .service(resource("/team").route(get().to(team)))
                .default_service(route().to(async || Err::<(), _>(Refused::from(CoreError::NotFound("path")))))
                .wrap(from_fn(rate_limit::announced)),
        );
    },
    document: || Doc::openapi(),
    keys: &[KeyKind {
        name: "fourth-team",
        prefix: "fourth_",
        body: KeyBody::new(b"ABCD", 70),
        reach: KeyReach::Workspace,
    }],
    check_scopes: |_, scopes| if scopes.is_empty() { Ok(()) } else { Err("there are no scopes".to_owned()) },
    limits: &[LimitSetting { setting: "fourth_per_second", default: 3, window: Duration::from_secs(1_000) }],
    webhook_words: None,
    import_source: None,
};

/// Read the team of the key.
#[utoipa::path(get, path = "/fourth/v1/team", operation_id = "fourthTeam",
    responses((status = 200, body = FourthTeam), (status = 401, body = FourthRefusal), (status = 429, body = FourthRefusal)))]
async fn team(request: HttpRequest, app: Data<App>) -> Result<Json<FourthTeam>, Refused> {
    let key = request.headers().get("fourth-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (account, _) = app.authenticate::<Refused>(&request, &DIALECT, KeyText::new(key)).await?;
    let tenant = app.use_cases.tenant(account, None, "fourth-key").await?;
    Ok(Json(FourthTeam { name: app.use_cases.own_workspace(tenant).await?.name }))
}

#[derive(Serialize, ToSchema)]
struct FourthTeam {
    name: String,
}

/// How failures look.
#[derive(Serialize, ToSchema)]
struct FourthRefusal {
    refused_because: String,
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Core(CoreError::Unauthenticated) => StatusCode::UNAUTHORIZED,
            Self::Core(CoreError::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Core(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({"refused_because": self.to_string()}))
    }
}

#[derive(OpenApi)]
#[openapi(paths(team), modifiers(&Key), security(("fourth_key" = [])))]
struct Doc;

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("fourth-key")));
        document.components.get_or_insert_default().add_security_scheme("fourth_key", header);
    }
}
