//! Waiting for a condition. The only place with a pause in it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longest wait for anything. Generous: a slow machine must not fail a test.
pub const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(15);

/// Looks until `look` gives a value. `Err` says what is still wrong.
///
/// # Panics
/// After [`LIMIT`], with `what` and the last `Err`.
#[track_caller]
pub fn eventually<T, L>(what: &str, mut look: impl FnMut() -> L) -> impl Future<Output = T>
where
    L: Future<Output = Result<T, String>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let begin = Instant::now();
        loop {
            match look().await {
                Ok(value) => return value,
                Err(wrong) if begin.elapsed() > LIMIT => panic!("{caller}: waited in vain for {what}: {wrong}"),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}
