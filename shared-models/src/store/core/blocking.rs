//! Blocking database work behind async functions: on threads of its own, and with a limit on the wait.

use std::time::Duration;

use crate::domain::CoreError;
use crate::store::core::error::unavailable;

/// Longest wait for the database. A frozen database must not hold up its callers for ever. Their work may still be
/// done.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

pub(crate) async fn answered<T>(work: impl Future<Output = Result<T, CoreError>>) -> Result<T, CoreError> {
    tokio::time::timeout(LONGEST_ANSWER, work).await.unwrap_or_else(|_| Err(unavailable("no answer in time")))
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CoreError> + Send + 'static,
) -> Result<T, CoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| CoreError::Internal(format!("database work stopped: {e}")))?
}
