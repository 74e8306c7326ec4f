//! The section of webhooks.

use std::time::Duration;

use serde::Deserialize;

use super::list;

/// Delay between the attempts that a webhook wants although `retry_seconds` is empty.
const WITHOUT_ANY: Duration = Duration::from_secs(60);

/// Delivery of webhooks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub(super) timeout_ms: u64,
    #[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
    pub concurrency: usize,
    #[serde(deserialize_with = "list")]
    retry_seconds: Vec<u64>,
}

impl WebhookSettings {
    /// Bound of one delivery, from the look-up of the host to the end of the answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Attempts at a delivery, the first included. `wanted_retries` is the webhook's own number of further attempts.
    pub fn max_attempts(&self, wanted_retries: Option<u32>) -> u32 {
        self.retries(wanted_retries).saturating_add(1)
    }

    /// Delay between this attempt (the first is 1) and the next; `None` after the last. A webhook that wants more
    /// attempts than `retry_seconds` has delays waits for the last of these each time.
    pub fn retry_after(&self, attempt: u32, wanted_retries: Option<u32>) -> Option<Duration> {
        let index = attempt.checked_sub(1).filter(|index| *index < self.retries(wanted_retries))?;
        let set = usize::try_from(index).ok().and_then(|index| self.retry_seconds.get(index));
        Some(set.or(self.retry_seconds.last()).map_or(WITHOUT_ANY, |seconds| Duration::from_secs(*seconds)))
    }

    fn retries(&self, wanted: Option<u32>) -> u32 {
        wanted.unwrap_or_else(|| u32::try_from(self.retry_seconds.len()).unwrap_or(u32::MAX))
    }
}
