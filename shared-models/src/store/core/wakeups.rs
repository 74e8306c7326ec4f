//! In-process signals. A consumer sleeps until a commit has put something into its queue, a request until an event that
//! it waits for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast};

use crate::events::Event;

/// A receiver that falls further behind reads the database instead.
const NEWS_KEPT: usize = 1024;

/// The parts of a transaction that others wait for.
#[derive(Default)]
pub(crate) struct Written {
    /// Names of queues, and of the outbox.
    pub(crate) queues: BTreeSet<&'static str>,
    /// The events that were appended.
    pub(crate) events: Vec<Event>,
}

/// One signal for each queue name, and the news.
#[derive(Clone)]
pub(crate) struct Wakeups {
    signals: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
    news: broadcast::Sender<Event>,
}

impl Default for Wakeups {
    fn default() -> Self {
        Self { signals: Arc::default(), news: broadcast::Sender::new(NEWS_KEPT) }
    }
}

impl Wakeups {
    /// The signal of a queue. `Notify` keeps one permit, so a wake-up between look and sleep is not lost.
    pub(crate) fn signal(&self, queue: &str) -> Arc<Notify> {
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        signals.entry(queue.to_owned()).or_default().clone()
    }

    /// The events that are announced from now on.
    pub(crate) fn news(&self) -> broadcast::Receiver<Event> {
        self.news.subscribe()
    }

    /// Wakes the consumers and sends the news, once a transaction is committed.
    pub(crate) fn announce(&self, written: Written) {
        for queue in written.queues {
            self.signal(queue).notify_one();
        }
        for event in written.events {
            // An error only means that nobody listens.
            let _ = self.news.send(event);
        }
    }
}
