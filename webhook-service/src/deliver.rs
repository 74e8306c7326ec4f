//! The consumer that makes the tries, and puts into words what happened.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use service_runtime::metrics::{IntCounterVec, counters};
use service_runtime::runner::{Attempt, Consumer, Outcome};
use service_runtime::settings::WebhookSettings;
use shared_models::domain::CoreError;
use shared_models::domain::webhooks::{WebhookJob, WebhookReply};
use shared_models::events::{Envelope, Event, WEBHOOK_QUEUE, WebhookDispatchRef};
use shared_models::store::{Settled, Store};
use tokio::sync::Notify;

use crate::announce::{Announced, Announcer, Words};
use crate::client::HookClient;
use crate::in_flight::{InFlight, TO_ONE_WEBHOOK};

/// The part of all tries in flight that one workspace may have, so that many such receivers do not, either.
const SHARE: usize = 4;
/// How long the others are put off: the longer, the more of them there are, ...
const PUT_OFF: Duration = Duration::from_secs(1);
/// ... and at most so long.
const LONGEST_PUT_OFF: Duration = Duration::from_secs(60);
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
    announcer: Announcer,
    client: HookClient,
    settings: WebhookSettings,
    hurry: Arc<Notify>,
    in_flight: InFlight,
}

impl Deliverer {
    pub(super) fn new(
        store: Store,
        client: HookClient,
        settings: WebhookSettings,
        hurry: Arc<Notify>,
        words: Words,
    ) -> Self {
        LazyLock::force(&DELIVERIES);
        let announcer = Announcer::new(store.clone(), words);
        let in_flight = InFlight::new(settings.concurrency.div_ceil(SHARE));
        Self { store, announcer, client, settings, hurry, in_flight }
    }

    async fn tell(&self, about: WebhookDispatchRef) -> Result<(), CoreError> {
        let subject = format!("webhook.id={} webhook_event.id={}", about.webhook_id, about.webhook_event_id);
        let _place = match self.in_flight.enter(about.workspace_id, about.webhook_id) {
            Ok(place) => place,
            Err(turned_away) => {
                let rounds = u32::try_from(turned_away / TO_ONE_WEBHOOK).unwrap_or(u32::MAX).saturating_add(1);
                let delay = PUT_OFF.saturating_mul(rounds).min(LONGEST_PUT_OFF);
                self.store.postpone_webhook_delivery(about, delay).await?;
                self.hurry.notify_one();
                return Ok(());
            }
        };
        let Some(job) = self.store.begin_webhook_delivery(about).await? else {
            log::debug!("{subject} is not to be told (any more)");
            return Ok(());
        };
        let (attempt, retries) = (job.attempt, job.retry_attempts);
        let reply = self.client.post(&job).await;
        let (status, error) = (reply.status.map_or_else(|| "-".to_owned(), |s| s.to_string()), reply.error.clone());
        let (ms, success) = (reply.millis, reply.is_success());
        let retry_after = self.settings.retry_after(attempt, retries);
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
    ) -> Result<Settled, CoreError> {
        let tries = self.settings.max_attempts(job.retry_attempts);
        loop {
            let (job, reply) = (job.clone(), reply.clone());
            match self.store.settle_webhook_delivery(about, job, reply, retry_after, tries).await {
                Err(CoreError::Unavailable { cause, .. }) => {
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

    async fn handle(&self, event: &Envelope, _: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::WebhookDeliveryRequested(about) => self.tell(about).await.map(|()| Outcome::Done),
            _ => match self.announcer.announce(event).await? {
                Announced::Done => Ok(Outcome::Done),
                Announced::Unknown => Ok(Outcome::Park("nothing that webhooks are told")),
            },
        }
    }
}
