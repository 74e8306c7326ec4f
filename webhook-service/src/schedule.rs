//! The clock of the tries that are to come. They are hours away, longer than a message should wait in a
//! broker, and people look at them; so they stand in the database, and whoever of the gateways sees first
//! that one is due queues it.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::domain::{CoreError, Timestamp};
use shared_models::store::Store;
use tokio::sync::Notify;

/// Queued at once.
const AT_ONCE: i64 = 100;
/// Others may write to a shared database without telling us; what they write is due in a minute or later.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// So that what another gateway is just queueing is not looked for all the time.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// Runs until `stop` is cancelled.
pub(super) async fn run(store: &Store, hurry: &Notify, stop: &CancellationToken) {
    loop {
        let sleep = match round(store).await {
            Ok(sleep) => sleep,
            Err(error) => {
                log::warn!("deliveries to webhooks that are due were not queued: {error}");
                LONGEST_SLEEP
            }
        };
        let earlier = tokio::time::timeout(sleep, hurry.notified());
        if stop.run_until_cancelled(earlier).await.is_none() {
            return;
        }
    }
}

/// Queues what is due. Returns how long nothing else will be.
async fn round(store: &Store) -> Result<Duration, CoreError> {
    let queued = store.queue_due_webhook_deliveries(AT_ONCE).await?;
    if queued > 0 {
        log::debug!("queued {queued} deliveries to webhooks that are due");
    }
    let next = store.next_webhook_delivery_at().await?;
    Ok(next.map_or(LONGEST_SLEEP, Timestamp::remaining).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
}
