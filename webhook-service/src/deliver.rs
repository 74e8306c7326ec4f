//! The consumer of the webhooks' queue. An event about a mailbox is announced; a dispatch of a webhook is delivered:
//! posted once, and its outcome stored together with the time of the next attempt.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use service_runtime::insist::insist;
use service_runtime::metrics::{IntCounterVec, counters};
use service_runtime::runner::{Attempt, Consumer, Outcome};
use service_runtime::settings::WebhookSettings;
use shared_models::domain::CoreError;
use shared_models::events::{Envelope, Event, WEBHOOK_QUEUE, WebhookDispatchRef};
use shared_models::store::{Settled, Store};
use tokio::sync::Notify;

use crate::announce::{Announced, Announcer, Words};
use crate::client::WebhookClient;
use crate::in_flight::{InFlight, PER_WEBHOOK};

/// One workspace may hold at most a quarter of the deliveries in flight, so that a tenant whose receivers hang cannot
/// starve the others.
const WORKSPACE_SHARE_DIVISOR: usize = 4;
/// A delivery that finds no free slot is postponed by one second, and by one more for every [`PER_WEBHOOK`] deliveries
/// turned away before it.
const POSTPONE_STEP: Duration = Duration::from_secs(1);
/// Upper bound of that postponement.
const POSTPONE_MAX: Duration = Duration::from_secs(60);

static DELIVERIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let metric = counters(
        "mailmoor_webhook_deliveries_total",
        "Posts to webhooks, by result (success, retrying, permanent_failure, superseded).",
        &["result"],
    );
    metric.with_label_values(&["success"]);
    metric
});

/// Announces events and delivers them.
pub(super) struct Deliverer {
    store: Store,
    announcer: Announcer,
    client: WebhookClient,
    settings: WebhookSettings,
    /// Wakes the clock when an attempt was scheduled.
    rescheduled: Arc<Notify>,
    in_flight: InFlight,
}

impl Deliverer {
    pub(super) fn new(
        store: Store,
        client: WebhookClient,
        settings: WebhookSettings,
        rescheduled: Arc<Notify>,
        words: Words,
    ) -> Self {
        LazyLock::force(&DELIVERIES);
        let announcer = Announcer::new(store.clone(), words);
        let in_flight = InFlight::new(settings.concurrency.div_ceil(WORKSPACE_SHARE_DIVISOR));
        Self { store, announcer, client, settings, rescheduled, in_flight }
    }

    async fn deliver(&self, dispatch: WebhookDispatchRef) -> Result<(), CoreError> {
        match self.in_flight.take(dispatch.workspace_id, dispatch.webhook_id) {
            Ok(_slot) => self.post(dispatch).await,
            Err(turned_away) => self.postpone(dispatch, turned_away).await,
        }
    }

    /// Makes the next attempt, unless the dispatch is over: delivered, or its webhook is gone or switched off.
    async fn post(&self, dispatch: WebhookDispatchRef) -> Result<(), CoreError> {
        let subject = format!("webhook.id={} webhook_event.id={}", dispatch.webhook_id, dispatch.webhook_event_id);
        let Some(job) = self.store.begin_webhook_delivery(dispatch).await? else {
            log::debug!("{subject} has nothing to deliver (any more)");
            return Ok(());
        };
        let reply = self.client.post(&job).await;
        let retry_after = self.settings.retry_after(job.attempt, job.retry_attempts);
        let max_attempts = self.settings.max_attempts(job.retry_attempts);
        // The receiver has the event already; without its result the event would be posted again.
        let settled = insist(&subject, || {
            self.store.settle_webhook_delivery(dispatch, job.clone(), reply.clone(), retry_after, max_attempts)
        });
        let result = match settled.await? {
            Settled::Superseded => "superseded",
            Settled::Stored if reply.is_success() => "success",
            Settled::Stored if retry_after.is_some() => "retrying",
            Settled::Stored => "permanent_failure",
        };
        if result == "retrying" {
            self.rescheduled.notify_one();
        }
        DELIVERIES.with_label_values(&[result]).inc();
        let (attempt, ms) = (job.attempt, reply.millis);
        let status = reply.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let error = reply.error.as_deref().unwrap_or("-");
        log::info!("{subject} attempt={attempt} result={result} status={status} duration_ms={ms} error={error}");
        Ok(())
    }

    async fn postpone(&self, dispatch: WebhookDispatchRef, turned_away: usize) -> Result<(), CoreError> {
        let steps = u32::try_from(turned_away / PER_WEBHOOK).unwrap_or(u32::MAX).saturating_add(1);
        let delay = POSTPONE_STEP.saturating_mul(steps).min(POSTPONE_MAX);
        self.store.postpone_webhook_delivery(dispatch, delay).await?;
        self.rescheduled.notify_one();
        Ok(())
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

    async fn handle(&self, event: &Envelope, _: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::WebhookDeliveryRequested(dispatch) => self.deliver(dispatch).await.map(|()| Outcome::Done),
            _ => match self.announcer.announce(event).await? {
                Announced::Done => Ok(Outcome::Done),
                Announced::Unknown => Ok(Outcome::Park("nothing that webhooks are told")),
            },
        }
    }
}
