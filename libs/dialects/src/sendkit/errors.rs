//! The error envelope: `{"success":false,"error":{"code","message"}}`.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use shared_models::domain::{CoreError, FieldError};
use utoipa::ToSchema;

use crate::ForeignKey;
use crate::http::body::BodyError;
use crate::http::rate_limit::RateLimited;
use crate::http::upload::UploadError;

/// Everything that can go wrong in this dialect.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendkitError {
    #[error(transparent)]
    Domain(#[from] CoreError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    #[error(transparent)]
    ForeignKey(#[from] ForeignKey),
    #[error("There is nothing at this path")]
    UnknownPath,
    #[error("This path does not take this method")]
    MethodNotAllowed(&'static str),
}

/// A failure.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorEnvelope {
    /// Always false.
    success: bool,
    error: ErrorBody,
}

/// Details of the failure.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    /// One of a closed list.
    code: &'static str,
    /// For people; names the first bad field.
    message: String,
    /// Every bad field, with `VALIDATION_ERROR`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<FieldFault>,
    /// With `LIMIT_REACHED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_usage: Option<i64>,
    /// With `LIMIT_REACHED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_mailboxes: Option<i64>,
    /// With `LIMIT_REACHED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<i64>,
}

/// One bad field.
#[derive(Serialize, ToSchema)]
struct FieldFault {
    field: String,
    message: String,
}

impl ErrorBody {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: vec![],
            current_usage: None,
            max_mailboxes: None,
            requested: None,
        }
    }

    fn invalid(fields: &[FieldError]) -> Self {
        let message = fields.first().map_or_else(String::new, |first| format!("{} {}", first.field, first.message));
        let details = fields.iter().map(|f| FieldFault { field: f.field.clone(), message: f.message.clone() });
        Self { details: details.collect(), ..Self::new("VALIDATION_ERROR", message) }
    }
}

fn of_domain(error: &CoreError) -> (StatusCode, ErrorBody) {
    use StatusCode as S;
    match error {
        CoreError::Invalid(fields) => (S::BAD_REQUEST, ErrorBody::invalid(fields)),
        CoreError::Unauthenticated => (S::UNAUTHORIZED, ErrorBody::new("UNAUTHORIZED", "A valid API key is required")),
        CoreError::Forbidden(why) => (S::FORBIDDEN, ErrorBody::new("FORBIDDEN", *why)),
        CoreError::NotFound(what) => {
            let (first, rest) = what.split_at(1);
            (S::NOT_FOUND, ErrorBody::new("NOT_FOUND", format!("{}{rest} not found", first.to_ascii_uppercase())))
        }
        CoreError::AlreadyExists => (S::CONFLICT, ErrorBody::new("CONFLICT", "Mailbox already exists")),
        CoreError::Conflict(why) => (S::CONFLICT, ErrorBody::new("CONFLICT", *why)),
        CoreError::SubscriptionRequired => (
            S::FORBIDDEN,
            ErrorBody::new("SUBSCRIPTION_REQUIRED", "Workspace owner needs an active subscription to add mailboxes"),
        ),
        CoreError::LimitExceeded { usage, limit, requested } => (
            S::FORBIDDEN,
            ErrorBody {
                current_usage: Some(*usage),
                max_mailboxes: Some(*limit),
                requested: Some(*requested),
                ..ErrorBody::new("LIMIT_REACHED", "Mailbox limit reached for your plan")
            },
        ),
        CoreError::Unavailable { .. } => (
            S::SERVICE_UNAVAILABLE,
            ErrorBody::new("SERVICE_UNAVAILABLE", "The service is temporarily unavailable; try again shortly"),
        ),
        CoreError::Internal(_) => {
            (S::INTERNAL_SERVER_ERROR, ErrorBody::new("INTERNAL_ERROR", "An internal error occurred"))
        }
    }
}

fn of_body(error: &BodyError) -> (StatusCode, ErrorBody) {
    let text = error.to_string();
    match error {
        BodyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorBody::new("PAYLOAD_TOO_LARGE", text)),
        BodyError::NotJsonType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorBody::new("UNSUPPORTED_MEDIA_TYPE", text)),
        BodyError::Json(_) | BodyError::NotAnObject | BodyError::Broken => (
            StatusCode::BAD_REQUEST,
            ErrorBody {
                details: vec![FieldFault { field: "body".to_owned(), message: text.clone() }],
                ..ErrorBody::new("VALIDATION_ERROR", text)
            },
        ),
    }
}

fn of_upload(error: &UploadError) -> (StatusCode, ErrorBody) {
    let text = error.to_string();
    let field = match error {
        UploadError::NotMultipart => {
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorBody::new("UNSUPPORTED_MEDIA_TYPE", text));
        }
        UploadError::TooLarge { .. } => {
            return (StatusCode::PAYLOAD_TOO_LARGE, ErrorBody::new("PAYLOAD_TOO_LARGE", text));
        }
        UploadError::MissingFile(name) | UploadError::RepeatedFile(name) => name.as_str(),
        UploadError::Malformed(_) | UploadError::Broken => "body",
    };
    let details = vec![FieldFault { field: field.to_owned(), message: text.clone() }];
    (StatusCode::BAD_REQUEST, ErrorBody { details, ..ErrorBody::new("VALIDATION_ERROR", text) })
}

impl SendkitError {
    fn parts(&self) -> (StatusCode, ErrorBody) {
        match self {
            Self::Domain(error) => of_domain(error),
            Self::Body(error) => of_body(error),
            Self::Upload(error) => of_upload(error),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, ErrorBody::new("RATE_LIMITED", self.to_string())),
            Self::ForeignKey(_) => (StatusCode::UNAUTHORIZED, ErrorBody::new("UNAUTHORIZED", self.to_string())),
            Self::UnknownPath => (StatusCode::NOT_FOUND, ErrorBody::new("NOT_FOUND", self.to_string())),
            Self::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, ErrorBody::new("METHOD_NOT_ALLOWED", self.to_string()))
            }
        }
    }
}

impl ResponseError for SendkitError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, error) = self.parts();
        let mut response = HttpResponse::build(status);
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((ALLOW, *allowed));
        }
        if let Self::RateLimited(RateLimited { retry_after }) = self {
            response.insert_header((RETRY_AFTER, retry_after.as_secs()));
        }
        if let Self::Domain(CoreError::Unavailable { retry_after, cause }) = self {
            log::warn!("answered 503: {cause}");
            response.insert_header((RETRY_AFTER, retry_after.as_secs().max(1)));
        }
        if let Self::Domain(CoreError::Internal(cause)) = self {
            log::error!("answered 500: {cause}");
        }
        response.json(ErrorEnvelope { success: false, error })
    }
}
