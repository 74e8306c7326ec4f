//! Waiting for what other services do. They say when it is done, by an event; whether an event gets
//! here or not, the database is looked at now and then, so any gateway may wait for any work.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::domain::CoreError;
use shared_models::events::Event;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver};
use tokio::time::{Instant, sleep_until};

use crate::UseCases;

/// Between looks into the database while no event comes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What happens, from the moment it was asked for. Ask before the work is asked for.
pub(crate) struct News {
    events: broadcast::Receiver<Event>,
    ending: CancellationToken,
}

impl News {
    /// Returns when such an event comes, it is time to look anyway, or the process ends.
    pub(crate) async fn of(&mut self, relevant: impl Fn(&Event) -> bool, until: Instant) {
        let until = until.min(Instant::now() + LOOK_EVERY);
        tokio::select! {
            () = next(&mut self.events, relevant) => {}
            () = sleep_until(until) => {}
            () = self.ending.cancelled() => {}
        }
    }

    /// Waiting is over, because the process ends.
    pub(crate) fn is_over(&self) -> bool {
        self.ending.is_cancelled()
    }
}

async fn next(events: &mut Receiver<Event>, relevant: impl Fn(&Event) -> bool) {
    loop {
        match events.recv().await {
            Ok(event) if relevant(&event) => return,
            Ok(_) => {}
            // Too many at once: it may have been among them.
            Err(RecvError::Lagged(_)) => return,
            // Only the clock is left.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl UseCases {
    /// What happens from now on.
    pub(crate) fn news(&self) -> News {
        News { events: self.store.news(), ending: self.ending.clone() }
    }

    /// Waits until `look` finds what it looks for; `None` when it has not after `patience`, or the process is
    /// told to stop. A database that is away meanwhile only means that nothing is found yet.
    pub(crate) async fn wait_for<T>(
        &self,
        mut news: News,
        patience: Duration,
        relevant: impl Fn(&Event) -> bool,
        look: impl AsyncFn() -> Result<Option<T>, CoreError>,
    ) -> Result<Option<T>, CoreError> {
        let deadline = Instant::now() + patience;
        loop {
            match look().await {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) | Err(CoreError::Unavailable { .. }) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline || news.is_over() {
                return Ok(None);
            }
            news.of(&relevant, deadline).await;
        }
    }
}
