//! The gauges of the whole installation. They are read from database and broker at each scrape, so that every process
//! shows the same values.

use std::sync::LazyLock;
use std::time::Duration;

use shared_models::domain::Timestamp;

use super::{Ops, SCRAPE_WITHIN, answer};
use crate::metrics::{Gauge, IntGauge, gauge, int_gauge};

struct Gauges {
    outbox_pending: IntGauge,
    outbox_oldest: Gauge,
    dead_letters: IntGauge,
}

static GAUGES: LazyLock<Gauges> = LazyLock::new(|| Gauges {
    outbox_pending: int_gauge(
        "mailmoor_outbox_pending",
        "Committed events that no consumer has been given yet. The same in every process: take the maximum, not the sum.",
    ),
    outbox_oldest: gauge(
        "mailmoor_outbox_oldest_seconds",
        "Age of the oldest of them, 0 when there is none. The same in every process.",
    ),
    dead_letters: int_gauge(
        "mailmoor_dead_letters",
        "Events that the consumers gave up on. The same in every process: take the maximum, not the sum.",
    ),
});

/// Queries both parts at the same time. A gauge whose part does not answer in time keeps its last value.
pub(super) async fn refresh(ops: &Ops) {
    let gauges = &*GAUGES;
    let (backlog, dead_letters) = tokio::join!(
        answer("outbox gauges not refreshed", SCRAPE_WITHIN, ops.store.outbox_backlog()),
        answer("dead letter gauge not refreshed", SCRAPE_WITHIN, ops.broker.count_dead_letters()),
    );
    if let Some(backlog) = backlog {
        gauges.outbox_pending.set(backlog.pending);
        gauges.outbox_oldest.set(backlog.oldest.map_or(Duration::ZERO, age).as_secs_f64());
    }
    if let Some(count) = dead_letters {
        gauges.dead_letters.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// Zero for a time in the future, as the clocks of two processes differ.
fn age(since: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(Timestamp::now().millis() - since.millis()).unwrap_or(0))
}
