//! Errors: `{"ok":false,"error":{"code","message","retryable"},"meta":{"request_id"}}`. The id is the
//! request's, which an error does not know: the envelope is made in [`super::context`].

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, ETAG, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use shared_models::domain::CoreError;
use utoipa::ToSchema;

use super::permissions::Permission;
use crate::http::body::BodyError;
use crate::http::rate_limit::RateLimited;
use crate::sendmux::wire::meta::Meta;

/// Seconds to wait after a fault of which nothing else is known.
const FAULT_RETRY: u64 = 1;

/// Everything that can go wrong in this dialect.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendmuxError {
    #[error(transparent)]
    Domain(#[from] CoreError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    #[error("This key lacks the permission {}", .0.name())]
    MissingPermission(Permission),
    /// A good key of another family.
    #[error("This needs a team key (smx_root_...)")]
    NotTeamKey,
    /// Breaks the schema of body or query. Never empty.
    #[error("{}", told(.0))]
    Invalid(Vec<FieldFault>),
    /// Well formed, but breaks a rule. Never empty.
    #[error("{}", told(.0))]
    Semantic(Vec<FieldFault>),
    /// The named query parameter is absent.
    #[error("The query parameter {0} is required")]
    MissingParameter(&'static str),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Idempotency(&'static str),
    /// `If-Match` named another representation than the one with this `ETag`.
    #[error("The resource has changed since: the ETag in If-Match is not the current one")]
    Mismatch(String),
    #[error("There is nothing at this path")]
    UnknownPath,
    #[error("This path does not take this method")]
    MethodNotAllowed(&'static str),
}

/// One bad field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SendmuxFieldFault)]
pub(super) struct FieldFault {
    /// Dot path, such as `quotas.per_day.min`.
    pub(super) field: String,
    /// A validator's word, such as `too_small`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A failure.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxError)]
pub(super) struct ErrorEnvelope {
    /// Always false.
    ok: bool,
    error: ErrorBody,
    meta: Meta,
}

/// Details of the failure.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxErrorBody)]
struct ErrorBody {
    /// One of a closed list.
    code: &'static str,
    message: String,
    /// True if the same request may succeed later.
    retryable: bool,
    /// The first bad field.
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
    /// Every bad field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldFault>,
}

impl FieldFault {
    pub(super) fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }
}

fn told(faults: &[FieldFault]) -> String {
    faults.first().map_or_else(String::new, |fault| format!("{}: {}", fault.field, fault.message))
}

impl SendmuxError {
    /// Schema faults: 400.
    pub(super) fn invalid(faults: Vec<FieldFault>) -> Self {
        Self::Invalid(faults)
    }

    /// One schema fault: 400.
    pub(super) fn invalid_field(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault::new(field, code, message)])
    }

    /// Broken rules: 422.
    pub(super) fn semantic(faults: Vec<FieldFault>) -> Self {
        Self::Semantic(faults)
    }

    /// One broken rule: 422.
    pub(super) fn semantic_field(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Semantic(vec![FieldFault::new(field, code, message)])
    }

    /// The state of things is against it: 409.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    fn parts(&self) -> (StatusCode, &'static str, String) {
        use StatusCode as S;
        let (status, code) = match self {
            Self::Domain(error) => return of_domain(error),
            Self::Body(BodyError::TooLarge(_)) => (S::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Body(_) | Self::Invalid(_) => (S::BAD_REQUEST, "invalid_parameter"),
            Self::MissingParameter(_) => (S::BAD_REQUEST, "missing_parameter"),
            Self::RateLimited(_) => (S::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            Self::MissingPermission(_) | Self::NotTeamKey => (S::FORBIDDEN, "insufficient_permissions"),
            Self::Semantic(_) => (S::UNPROCESSABLE_ENTITY, "validation_error"),
            Self::Conflict(_) | Self::Mismatch(_) => (S::CONFLICT, "conflict"),
            Self::Idempotency(_) => (S::CONFLICT, "idempotency_conflict"),
            Self::UnknownPath => (S::NOT_FOUND, "not_found"),
            // The list of codes has none for it.
            Self::MethodNotAllowed(_) => (S::METHOD_NOT_ALLOWED, "not_found"),
        };
        (status, code, self.to_string())
    }

    fn faults(&self) -> Vec<FieldFault> {
        match self {
            Self::Invalid(faults) | Self::Semantic(faults) => faults.clone(),
            Self::Domain(CoreError::Invalid(fields)) => {
                fields.iter().map(|field| FieldFault::new(&field.field, "custom", &field.message)).collect()
            }
            _ => vec![],
        }
    }

    /// Seconds to wait, where waiting helps: with every 429 and 5xx.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited(RateLimited { retry_after }) => Some(retry_after.as_secs()),
            Self::Domain(CoreError::Unavailable { retry_after, .. }) => Some(retry_after.as_secs().max(1)),
            Self::Domain(CoreError::Internal(_)) => Some(FAULT_RETRY),
            _ => None,
        }
    }

    pub(super) fn answer(&self, request_id: &str) -> HttpResponse {
        match self {
            Self::Domain(CoreError::Unavailable { cause, .. }) => log::warn!("{request_id} answered 503: {cause}"),
            Self::Domain(CoreError::Internal(cause)) => log::error!("{request_id} answered 500: {cause}"),
            _ => {}
        }
        let (status, code, message) = self.parts();
        let errors = self.faults();
        let param = match self {
            Self::MissingParameter(name) => Some((*name).to_owned()),
            _ => errors.first().map(|fault| fault.field.clone()),
        };
        let retryable = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let error = ErrorBody { code, message, retryable, param, errors };
        let meta = Meta::new(request_id);
        let mut answer = HttpResponse::build(status).json(ErrorEnvelope { ok: false, error, meta });
        self.add_headers(answer.headers_mut());
        answer
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match self {
            Self::Domain(CoreError::Unauthenticated) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Mismatch(tag) => {
                if let Ok(tag) = HeaderValue::from_str(tag) {
                    headers.insert(ETAG, tag);
                }
            }
            _ => {}
        }
    }
}

fn of_domain(error: &CoreError) -> (StatusCode, &'static str, String) {
    use StatusCode as S;
    let (status, code, text) = match error {
        CoreError::Unauthenticated => (S::UNAUTHORIZED, "authentication_required", "A valid API key is required"),
        CoreError::Forbidden(why) => (S::FORBIDDEN, "insufficient_permissions", *why),
        CoreError::NotFound(what) => {
            let (first, rest) = what.split_at(1);
            let text = format!("{}{rest} not found", first.to_ascii_uppercase());
            return (S::NOT_FOUND, "not_found", text);
        }
        CoreError::AlreadyExists => (S::CONFLICT, "conflict", "It exists already"),
        CoreError::Conflict(why) => (S::CONFLICT, "conflict", *why),
        CoreError::SubscriptionRequired => {
            (S::CONFLICT, "limit_exceeded", "The team has no active subscription, so nothing can be added")
        }
        CoreError::LimitExceeded { limit, .. } => {
            return (S::CONFLICT, "limit_exceeded", format!("The limit of {limit} is reached"));
        }
        CoreError::Unavailable { .. } => {
            (S::SERVICE_UNAVAILABLE, "service_unavailable", "The service is temporarily unavailable; try again shortly")
        }
        CoreError::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal_error", "An internal error occurred"),
        // The fields of this dialect are checked before; what is left breaks a rule.
        CoreError::Invalid(fields) => {
            let text = fields.first().map_or_else(String::new, |first| format!("{}: {}", first.field, first.message));
            return (S::UNPROCESSABLE_ENTITY, "validation_error", text);
        }
    };
    (status, code, text.to_owned())
}

impl ResponseError for SendmuxError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    /// Without an envelope: [`super::context::dressed`] replaces it.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

#[cfg(test)]
mod tests;
