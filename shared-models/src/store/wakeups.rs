//! In-process signals: a consumer sleeps until a commit has put something into its queue.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// One signal for each queue name.
#[derive(Clone, Default)]
pub(crate) struct Wakeups(Arc<Mutex<HashMap<String, Arc<Notify>>>>);

impl Wakeups {
    /// The signal of a queue. `Notify` keeps one permit, so a wake-up between look and sleep is not lost.
    pub(crate) fn signal(&self, queue: &str) -> Arc<Notify> {
        let mut signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        signals.entry(queue.to_owned()).or_default().clone()
    }

    /// Wakes the consumers of these queues.
    pub(crate) fn wake(&self, queues: BTreeSet<&'static str>) {
        for queue in queues {
            self.signal(queue).notify_one();
        }
    }
}
