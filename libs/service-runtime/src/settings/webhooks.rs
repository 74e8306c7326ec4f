//! The section of webhooks.

use std::time::Duration;

use serde::Deserialize;

use super::list;

/// Between tries that a webhook wants where none are set.
const WITHOUT_ANY: Duration = Duration::from_secs(60);

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

    /// Tries of a delivery, the first included, to a webhook that wants so many more than one.
    pub fn max_attempts(&self, wanted_retries: Option<u32>) -> u32 {
        self.retries(wanted_retries).saturating_add(1)
    }

    /// How long after this try, the first is 1, the next one is due; `None` after the last. A webhook that
    /// wants more of them than are set waits each time as long as before the last of these.
    pub fn retry_after(&self, attempt: u32, wanted_retries: Option<u32>) -> Option<Duration> {
        let index = attempt.checked_sub(1).filter(|index| *index < self.retries(wanted_retries))?;
        let set = usize::try_from(index).ok().and_then(|index| self.retry_seconds.get(index));
        Some(set.or(self.retry_seconds.last()).map_or(WITHOUT_ANY, |seconds| Duration::from_secs(*seconds)))
    }

    fn retries(&self, wanted: Option<u32>) -> u32 {
        wanted.unwrap_or_else(|| u32::try_from(self.retry_seconds.len()).unwrap_or(u32::MAX))
    }
}
