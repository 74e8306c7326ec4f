//! The section of webhooks.

use std::time::Duration;

use serde::Deserialize;

use super::list;

/// How webhooks are told what happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub(super) timeout_ms: u64,
    /// Deliveries in flight in one process.
    pub concurrency: usize,
    #[serde(deserialize_with = "list")]
    retry_seconds: Vec<u64>,
}

impl WebhookSettings {
    /// One delivery, from the look-up of the host to the end of the answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Tries of a delivery, the first included.
    pub fn max_attempts(&self) -> u32 {
        u32::try_from(self.retry_seconds.len()).unwrap_or(u32::MAX - 1) + 1
    }

    /// How long after this try, the first is 1, the next one is due; `None` after the last.
    pub fn retry_after(&self, attempt: u32) -> Option<Duration> {
        let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
        self.retry_seconds.get(index).copied().map(Duration::from_secs)
    }
}
