//! Diesel's errors become the core's here, and nowhere else.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::domain::CoreError;

/// The failure of work inside a transaction; either variant rolls it back.
#[derive(Debug)]
pub(crate) enum TxError {
    /// A decision of ours, already in the core's terms.
    Domain(CoreError),
    /// The database refused, or could not be reached.
    Db(DieselError),
}

impl From<DieselError> for TxError {
    fn from(error: DieselError) -> Self {
        Self::Db(error)
    }
}

impl From<CoreError> for TxError {
    fn from(error: CoreError) -> Self {
        Self::Domain(error)
    }
}

impl From<TxError> for CoreError {
    fn from(error: TxError) -> Self {
        match error {
            TxError::Domain(error) => error,
            TxError::Db(error) if is_broken(&error) || is_contended(&error) => unavailable(error),
            TxError::Db(error) => Self::Internal(format!("database: {error}")),
        }
    }
}

/// The database cannot be reached now.
pub(crate) fn unavailable(cause: impl std::fmt::Display) -> CoreError {
    // libpq's messages have several lines.
    let cause = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    CoreError::Unavailable { retry_after: Duration::from_secs(1), cause: format!("database: {cause}") }
}

/// A stored value that does not parse: corruption or a newer version's data.
pub(crate) fn corrupt(what: &str) -> TxError {
    TxError::Domain(CoreError::Internal(format!("stored {what} cannot be read")))
}

/// True when the connection must not be used again.
pub(crate) fn is_broken(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
        | DieselError::BrokenTransactionManager => true,
        // libpq reports a server that went away in the middle of a statement as an unknown error.
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => {
            let text = info.message();
            [
                "server closed the connection",
                "terminating connection",
                "connection to server",
                "no connection to the server",
                "SSL connection",
            ]
            .iter()
            .any(|sign| text.contains(sign))
        }
        _ => false,
    }
}

fn is_contended(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => {
            ["database is locked", "deadlock detected", "the database system is", "database or disk is full"]
                .iter()
                .any(|sign| info.message().contains(sign))
        }
        _ => false,
    }
}

/// True when a unique index refused the row.
pub(crate) fn is_duplicate(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}
