//! Waiting for a part of ours that is away, most often the database.

use std::future::Future;
use std::time::Duration;

use shared_models::domain::CoreError;

/// Pause after the first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Upper bound of the pause, so that work goes on at most a second after the outage.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Repeats `action` until it returns anything but [`CoreError::Unavailable`], and returns that. For results that
/// must not be lost, such as that of a login: repeating the login could lock the customer's account.
///
/// There is no upper bound of the repetitions: a caller that stops drops the future. `subject` begins the log line,
/// which is written once for each call.
///
/// # Errors
/// Those of `action` except `Unavailable`.
pub async fn insist<T, A>(subject: &str, mut action: impl FnMut() -> A) -> Result<T, CoreError>
where
    A: Future<Output = Result<T, CoreError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match action().await {
            // A line for each repetition would fill the log in an outage with many logins in flight.
            Err(CoreError::Unavailable { cause, .. }) if pause == FIRST_PAUSE => {
                log::warn!("{subject} waits: {cause}");
            }
            Err(CoreError::Unavailable { .. }) => {}
            result => return result,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_outage_is_waited_for() {
        let mut calls = 0;
        let result: Result<(), _> = insist("test", || {
            calls += 1;
            let outage = CoreError::Unavailable { retry_after: Duration::ZERO, cause: "on purpose".to_owned() };
            std::future::ready(Err(if calls < 3 { outage } else { CoreError::NotFound("mailbox") }))
        })
        .await;
        assert!(matches!(result, Err(CoreError::NotFound(_))) && calls == 3);
    }
}
