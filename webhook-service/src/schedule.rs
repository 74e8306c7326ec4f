//! The clock of later attempts. They are up to hours away and customers can see them, so they are rows in the database
//! and not messages that wait in a broker. Each copy of this service has a clock; the first that sees an attempt due
//! queues it.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::domain::{CoreError, Timestamp};
use shared_models::store::Store;
use tokio::sync::Notify;

/// Attempts queued in one transaction, so that a backlog does not hold locks for long.
const BATCH: i64 = 100;
/// Upper bound of a sleep. Other processes schedule attempts without notifying this one; the shortest usual delay of
/// theirs is a minute.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// Lower bound of a sleep, so that a row which another process is just queueing is not polled in a busy loop.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// Queues attempts when they are due, until `stop` is cancelled. `rescheduled` ends a sleep early: an attempt may be
/// due before its end.
pub(super) async fn run(store: &Store, rescheduled: &Notify, stop: &CancellationToken) {
    loop {
        let sleep = match queue_due(store).await {
            Ok(sleep) => sleep,
            Err(error) => {
                log::warn!("webhook deliveries that are due were not queued: {error}");
                LONGEST_SLEEP
            }
        };
        let woken = tokio::time::timeout(sleep, rescheduled.notified());
        if stop.run_until_cancelled(woken).await.is_none() {
            return;
        }
    }
}

/// Queues a batch of due attempts. Returns the time until the next look.
async fn queue_due(store: &Store) -> Result<Duration, CoreError> {
    let queued = store.queue_due_webhook_deliveries(BATCH).await?;
    if queued > 0 {
        log::debug!("queued {queued} webhook deliveries that were due");
    }
    let next = store.next_webhook_delivery_at().await?;
    Ok(next.map_or(LONGEST_SLEEP, Timestamp::remaining).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
}
