//! In-process signals: a consumer sleeps until a commit has put something into its queue, a request
//! until something happened that it waits for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast};

use crate::events::Event;

/// Whoever is slower than that looks into the database instead.
const NEWS_KEPT: usize = 1024;

/// What a transaction has written that others wait for.
#[derive(Default)]
pub(crate) struct Written {
    /// Names of queues, and of the outbox.
    pub(crate) queues: BTreeSet<&'static str>,
    /// What happened.
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

    /// What happens from now on.
    pub(crate) fn news(&self) -> broadcast::Receiver<Event> {
        self.news.subscribe()
    }

    /// Tells of what is committed.
    pub(crate) fn tell(&self, written: Written) {
        for queue in written.queues {
            self.signal(queue).notify_one();
        }
        for event in written.events {
            // Nobody may be listening.
            let _ = self.news.send(event);
        }
    }
}
