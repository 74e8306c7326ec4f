//! The consumer that makes the tries.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use service_runtime::metrics::{IntCounterVec, counters};
use service_runtime::runner::{Attempt, Consumer, Outcome};
use service_runtime::settings::WebhookSettings;
use shared_models::domain::webhooks::{WebhookJob, WebhookReply};
use shared_models::domain::{DomainError, WebhookId};
use shared_models::events::{Envelope, Event, WEBHOOK_QUEUE, WebhookDispatchRef};
use shared_models::store::{Settled, Store};
use tokio::sync::Notify;

use super::client::HookClient;

/// Tries in flight to one webhook, so that a receiver that does not answer holds up nobody else.
const TO_ONE_WEBHOOK: usize = 5;
/// How long the others are put off.
const PUT_OFF: Duration = Duration::from_secs(1);
/// Between tries to store a result while the database is away.
const STORE_PAUSE: Duration = Duration::from_secs(1);

static DELIVERIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let metric = counters(
        "mailmoor_webhook_deliveries_total",
        "Tries to tell a webhook of an event, by result (success, retrying, permanent_failure, superseded).",
        &["result"],
    );
    metric.with_label_values(&["success"]);
    metric
});

/// Makes tries.
pub(super) struct Deliverer {
    store: Store,
    client: HookClient,
    settings: WebhookSettings,
    hurry: Arc<Notify>,
    in_flight: InFlight,
}

impl Deliverer {
    pub(super) fn new(store: Store, client: HookClient, settings: WebhookSettings, hurry: Arc<Notify>) -> Self {
        LazyLock::force(&DELIVERIES);
        Self { store, client, settings, hurry, in_flight: InFlight::default() }
    }

    async fn tell(&self, about: WebhookDispatchRef) -> Result<(), DomainError> {
        let subject = format!("webhook.id={} webhook_event.id={}", about.webhook_id, about.webhook_event_id);
        let Some(_place) = self.in_flight.enter(about.webhook_id) else {
            self.store.postpone_webhook_delivery(about, PUT_OFF).await?;
            self.hurry.notify_one();
            return Ok(());
        };
        let Some(job) = self.store.begin_webhook_delivery(about).await? else {
            log::debug!("{subject} is not to be told (any more)");
            return Ok(());
        };
        let attempt = job.attempt;
        let reply = self.client.post(&job).await;
        let (status, error) = (reply.status.map_or_else(|| "-".to_owned(), |s| s.to_string()), reply.error.clone());
        let (ms, success) = (reply.millis, reply.is_success());
        let retry_after = self.settings.retry_after(attempt);
        let result = match self.settle(about, job, reply, retry_after).await? {
            Settled::Superseded => "superseded",
            Settled::Stored if success => "success",
            Settled::Stored if retry_after.is_some() => "retrying",
            Settled::Stored => "permanent_failure",
        };
        if result == "retrying" {
            self.hurry.notify_one();
        }
        DELIVERIES.with_label_values(&[result]).inc();
        let error = error.as_deref().unwrap_or("-");
        log::info!("{subject} attempt={attempt} result={result} status={status} duration_ms={ms} error={error}");
        Ok(())
    }

    /// Stores a result, waiting for the database if need be: the receiver has the event already.
    async fn settle(
        &self,
        about: WebhookDispatchRef,
        job: WebhookJob,
        reply: WebhookReply,
        retry_after: Option<Duration>,
    ) -> Result<Settled, DomainError> {
        let tries = self.settings.max_attempts();
        loop {
            let (job, reply) = (job.clone(), reply.clone());
            match self.store.settle_webhook_delivery(about, job, reply, retry_after, tries).await {
                Err(DomainError::Unavailable { cause, .. }) => {
                    log::warn!("webhook.id={} a result waits: {cause}", about.webhook_id);
                }
                result => return result,
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }
}

#[async_trait]
impl Consumer for Deliverer {
    fn queue(&self) -> &'static str {
        WEBHOOK_QUEUE
    }

    fn concurrency(&self) -> usize {
        self.settings.concurrency
    }

    async fn handle(&self, event: &Envelope, _: Attempt) -> Result<Outcome, DomainError> {
        match event.event {
            Event::WebhookDeliveryRequested(about) => self.tell(about).await.map(|()| Outcome::Done),
            _ => Ok(Outcome::Park("nothing that webhooks are told")),
        }
    }
}

/// How many tries are under way, by webhook.
#[derive(Clone, Default)]
struct InFlight(Arc<Mutex<HashMap<WebhookId, usize>>>);

/// One of them, until it is dropped.
struct Place {
    all: InFlight,
    webhook: WebhookId,
}

impl InFlight {
    fn enter(&self, webhook: WebhookId) -> Option<Place> {
        let mut counts = self.lock();
        let count = counts.entry(webhook).or_default();
        if *count >= TO_ONE_WEBHOOK {
            return None;
        }
        *count += 1;
        Some(Place { all: self.clone(), webhook })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WebhookId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        if let Some(count) = counts.get_mut(&self.webhook) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.webhook);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_receiver_takes_no_more_than_its_places() {
        let (all, busy, idle) = (InFlight::default(), WebhookId::new(), WebhookId::new());
        let mut places: Vec<Place> = (0..TO_ONE_WEBHOOK).map(|_| all.enter(busy).unwrap()).collect();
        assert!(all.enter(busy).is_none());
        assert!(all.enter(idle).is_some());
        places.pop();
        places.push(all.enter(busy).unwrap());
        assert!(all.enter(busy).is_none());
        drop(places);
        assert!(all.lock().is_empty());
    }
}
