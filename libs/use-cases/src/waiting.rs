//! Waiting for the work of other services. Their events end a wait at once. Events may get lost on their way to this
//! process, so the database is read from time to time as well, and any process may wait for any work.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::domain::CoreError;
use shared_models::events::Event;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver};
use tokio::time::{Instant, sleep_until};

use crate::UseCases;

/// Time between two reads of the database while no event arrives.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The events that arrive after this was made. Make it before the work is requested, or its event may be missed.
pub(crate) struct EventFeed {
    events: broadcast::Receiver<Event>,
    ending: CancellationToken,
}

impl EventFeed {
    /// Returns when a relevant event arrives, after [`POLL_INTERVAL`], at `until`, or when the process ends.
    pub(crate) async fn wait(&mut self, relevant: impl Fn(&Event) -> bool, until: Instant) {
        let until = until.min(Instant::now() + POLL_INTERVAL);
        tokio::select! {
            () = next(&mut self.events, relevant) => {}
            () = sleep_until(until) => {}
            () = self.ending.cancelled() => {}
        }
    }

    /// True once the process ends.
    pub(crate) fn is_over(&self) -> bool {
        self.ending.is_cancelled()
    }
}

async fn next(events: &mut Receiver<Event>, relevant: impl Fn(&Event) -> bool) {
    loop {
        match events.recv().await {
            Ok(event) if relevant(&event) => return,
            Ok(_) => {}
            // Events were dropped, and a relevant one may have been among them.
            Err(RecvError::Lagged(_)) => return,
            // The poll remains.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl UseCases {
    pub(crate) fn events(&self) -> EventFeed {
        EventFeed { events: self.store.news(), ending: self.ending.clone() }
    }

    /// Calls `look` until it returns `Some`. `None` after `patience`, or when the process ends. A database that is
    /// away counts as a look that found nothing.
    ///
    /// # Errors
    /// Those of `look` except `Unavailable`.
    pub(crate) async fn wait_for<T>(
        &self,
        mut events: EventFeed,
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
            if Instant::now() >= deadline || events.is_over() {
                return Ok(None);
            }
            events.wait(&relevant, deadline).await;
        }
    }
}
