//! Writing results while the database is away.

use std::future::Future;
use std::time::Duration;

use shared_models::domain::CoreError;

/// Between tries to store a result, doubled each time up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// See [`FIRST_WAIT`].
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Writes until the database is there to take it. The logins are made, and a result that is lost means
/// making them again, which somebody's account may be locked for.
pub(crate) async fn insist<T, W: Future<Output = Result<T, CoreError>>>(
    subject: &str,
    write: impl Fn() -> W,
) -> Result<T, CoreError> {
    let mut pause = FIRST_WAIT;
    loop {
        match write().await {
            // Once for each: an outage with many logins in flight would fill the log.
            Err(CoreError::Unavailable { cause, .. }) if pause == FIRST_WAIT => {
                log::warn!("{subject} a result waits: {cause}");
            }
            Err(CoreError::Unavailable { .. }) => {}
            result => return result,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_WAIT);
    }
}
