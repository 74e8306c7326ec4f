//! The one error of the core. Dialects turn it into their envelopes by an exhaustive `match`. A refused login or a
//! missing record of a worker is an outcome, not an error.

use std::time::Duration;

/// One bad field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path as the caller knows it, for example `smtp.port`.
    pub field: String,
    /// The fault, in words that follow the name of the field. Never the value.
    pub message: String,
}

impl FieldError {
    /// The message continues the sentence that the field begins.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Everything that a use case can answer besides success.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// Bad input, in the order of the request's fields. Never empty.
    #[error("invalid input")]
    Invalid(Vec<FieldError>),
    /// No key, an unknown key or a revoked key.
    #[error("not authenticated")]
    Unauthenticated,
    /// A valid key that may not do this; the text is for the caller.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// The thing is unknown or belongs to another workspace. The text names its kind, and is part of answers.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The thing that was to be added exists.
    #[error("already exists")]
    AlreadyExists,
    /// The state of the thing forbids it; the text is for the caller.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// The owner has no active subscription.
    #[error("subscription required")]
    SubscriptionRequired,
    /// There may be no more of its kind, for example mailboxes on an owner's plan or keys of a mailbox.
    #[error("limit exceeded: {usage} of {limit}, {requested} more requested")]
    LimitExceeded {
        /// Things that count now.
        usage: i64,
        /// Things that there may be.
        limit: i64,
        /// Further things that the caller asked for.
        requested: i64,
    },
    /// A part that we need does not answer; repeating the request later helps.
    #[error("unavailable: {cause}")]
    Unavailable {
        /// The time after which a repetition makes sense.
        retry_after: Duration,
        /// For the log, not for the caller.
        cause: String,
    },
    /// A fault of ours; the text is for the log, not for the caller.
    #[error("internal: {0}")]
    Internal(String),
}

impl CoreError {
    /// An [`Self::Invalid`] with one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}
