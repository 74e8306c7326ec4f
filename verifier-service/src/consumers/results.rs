//! Storing what a mail server answered.

use std::future::Future;

use service_runtime::insist::insist;
use shared_models::domain::CoreError;

/// Stores a result of a login, waiting while the database is away: to repeat the login could lock the account.
/// `subject` names what was tested, for the log.
///
/// # Errors
/// Those of `write` except `Unavailable`.
pub(super) async fn store_result<T, W>(subject: &str, write: impl FnMut() -> W) -> Result<T, CoreError>
where
    W: Future<Output = Result<T, CoreError>>,
{
    insist(&format!("{subject} a result"), write).await
}
