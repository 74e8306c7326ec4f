//! Errors: `{"detail": ...}` with a text, or with one element for each bad field.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use shared_models::domain::CoreError;
use utoipa::ToSchema;

use super::scopes::Scope;
use super::wire::faults::{BODY, FieldFault};
use crate::http::body::BodyError;
use crate::http::json::{JsonError, Problem};
use crate::http::rate_limit::RateLimited;

/// Seconds until the fate of a message may be known that is not known now.
const FATE_RETRY: u64 = 60;

/// Everything that can go wrong in this dialect.
#[derive(Debug, thiserror::Error)]
pub(super) enum ColdsendError {
    #[error(transparent)]
    Domain(#[from] CoreError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    #[error("API key required. Include your API key in X-API-Key header.")]
    NoKey,
    #[error("Missing required scopes: {}", needed.name())]
    MissingScope { needed: Scope, granted: Vec<String> },
    /// Never empty.
    #[error("invalid fields")]
    Invalid(Vec<FieldFault>),
    /// The state of things, or a mail server, is against it.
    #[error("{0}")]
    Refused(String),
    #[error(
        "It is not known yet whether the test email was sent. Look for it in the recipient's inbox before you \
         send another one: this one may still arrive."
    )]
    FateUnknown,
    #[error("Not Found")]
    UnknownPath,
    #[error("Method Not Allowed")]
    MethodNotAllowed(&'static str),
}

/// A failure in words.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendFailure)]
pub(super) struct Failure {
    detail: String,
}

/// Bad fields, in the order of the schema.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendInvalidFields)]
pub(super) struct InvalidFields<'f> {
    #[schema(min_items = 1)]
    detail: &'f [FieldFault],
}

/// Failure of a key that lacks the required scope.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendInsufficientScopes)]
pub(super) struct InsufficientScopes<'g> {
    detail: String,
    /// Always `insufficient_scopes`.
    error: &'static str,
    /// Everything that the operation needs.
    required: [&'static str; 1],
    /// Everything that the key has.
    granted: &'g [String],
}

/// The key may not do it, or the plan does not allow it.
#[derive(ToSchema)]
#[schema(as = ColdsendForbidden)]
#[serde(untagged)]
#[allow(dead_code, reason = "stands for one of the two in the document")]
pub(super) enum Forbidden<'g> {
    Scopes(InsufficientScopes<'g>),
    Plan(Failure),
}

fn of_domain(error: &CoreError) -> (StatusCode, String) {
    use StatusCode as S;
    let (status, text) = match error {
        CoreError::Unauthenticated => (S::UNAUTHORIZED, "Invalid or revoked API key"),
        CoreError::Forbidden(why) => (S::FORBIDDEN, *why),
        CoreError::SubscriptionRequired => (S::FORBIDDEN, "Active subscription required"),
        CoreError::LimitExceeded { .. } => (S::FORBIDDEN, "Inbox limit reached for your plan"),
        CoreError::NotFound("mailbox") => (S::NOT_FOUND, "Sender account not found"),
        CoreError::NotFound("import" | "deletion") => (S::NOT_FOUND, "Job not found"),
        CoreError::NotFound(_) => (S::NOT_FOUND, "Not Found"),
        CoreError::AlreadyExists => (S::CONFLICT, "Email account already exists"),
        CoreError::Conflict(why) => (S::BAD_REQUEST, *why),
        CoreError::Unavailable { .. } => {
            (S::SERVICE_UNAVAILABLE, "The service is temporarily unavailable; try again shortly")
        }
        CoreError::Internal(_) => (S::INTERNAL_SERVER_ERROR, "Internal server error"),
        // The fields of this dialect are checked before; what is left has no place in its schema.
        CoreError::Invalid(fields) => {
            let told: Vec<String> = fields.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
            return (S::BAD_REQUEST, told.join("; "));
        }
    };
    (status, text.to_owned())
}

fn of_body(error: &BodyError) -> Result<FieldFault, (StatusCode, String)> {
    match error {
        BodyError::TooLarge(_) => Err((StatusCode::PAYLOAD_TOO_LARGE, error.to_string())),
        BodyError::Broken => Err((StatusCode::BAD_REQUEST, error.to_string())),
        BodyError::Json(JsonError::Malformed { text, offset }) => Ok(FieldFault::no_json(text.clone(), *offset)),
        BodyError::Json(JsonError::TooManyMembers(_)) => Ok(FieldFault::new(&BODY, error.to_string().into())),
        BodyError::NotJsonType | BodyError::NotAnObject => Ok(FieldFault::new(&BODY, Problem::NotObject)),
    }
}

impl ColdsendError {
    fn answer(&self) -> HttpResponse {
        let failure = |status, detail| HttpResponse::build(status).json(Failure { detail });
        let invalid = |detail: &[FieldFault]| HttpResponse::UnprocessableEntity().json(InvalidFields { detail });
        let text = || self.to_string();
        match self {
            Self::Domain(error) => {
                let (status, text) = of_domain(error);
                failure(status, text)
            }
            Self::Body(error) => match of_body(error) {
                Ok(fault) => invalid(&[fault]),
                Err((status, text)) => failure(status, text),
            },
            Self::RateLimited(_) => failure(StatusCode::TOO_MANY_REQUESTS, text()),
            Self::NoKey => failure(StatusCode::UNAUTHORIZED, text()),
            Self::MissingScope { needed, granted } => HttpResponse::Forbidden().json(InsufficientScopes {
                detail: text(),
                error: "insufficient_scopes",
                required: [needed.name()],
                granted,
            }),
            Self::Invalid(faults) => invalid(faults),
            Self::Refused(_) => failure(StatusCode::BAD_REQUEST, text()),
            Self::FateUnknown => failure(StatusCode::SERVICE_UNAVAILABLE, text()),
            Self::UnknownPath => failure(StatusCode::NOT_FOUND, text()),
            Self::MethodNotAllowed(_) => failure(StatusCode::METHOD_NOT_ALLOWED, text()),
        }
    }

    /// Seconds to wait, where waiting helps.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited(RateLimited { retry_after }) => Some(retry_after.as_secs()),
            Self::Domain(CoreError::Unavailable { retry_after, .. }) => Some(retry_after.as_secs().max(1)),
            Self::FateUnknown => Some(FATE_RETRY),
            _ => None,
        }
    }
}

impl ResponseError for ColdsendError {
    fn status_code(&self) -> StatusCode {
        self.answer().status()
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Domain(CoreError::Unavailable { cause, .. }) => log::warn!("answered 503: {cause}"),
            Self::Domain(CoreError::Internal(cause)) => log::error!("answered 500: {cause}"),
            _ => {}
        }
        let mut answer = self.answer();
        let headers = answer.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Self::MethodNotAllowed(allowed) = self {
            headers.insert(ALLOW, actix_web::http::header::HeaderValue::from_static(allowed));
        }
        answer
    }
}
