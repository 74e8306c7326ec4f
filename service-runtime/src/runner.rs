//! Feeds one consumer from its queue: decode, handle, then acknowledge, retry or park. Consumers
//! never see a message or an acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared_models::domain::DomainError;
use shared_models::events::Envelope;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{Broker, Delivery, Subscription};

/// A message handed out so often without an end kills its consumer or meets a fault of ours each time.
const MAX_DELIVERIES: u32 = 25;
/// First and longest delay after a fault of ours.
const FAULT_DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// See [`Consumer::grace`]. Orchestrators commonly kill a process 30 seconds after the signal.
const GRACE: Duration = Duration::from_secs(10);

/// What a consumer made of an event. Refused logins and missing records are `Done`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The result is committed, or there is nothing to do (any more).
    Done,
    /// A temporary fault outside; another try is worth it after this time.
    Retry(Duration),
}

/// Which try this is.
#[derive(Clone, Copy, Debug)]
pub struct Attempt(pub u32);

/// The work of one service. Handling the same event twice must change nothing.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// The queue it is fed from.
    fn queue(&self) -> &'static str;

    /// Events handled at the same time.
    fn concurrency(&self) -> usize;

    /// How long work in flight may go on after the stop signal before it is given back.
    fn grace(&self) -> Duration {
        GRACE
    }

    /// Handles one event.
    ///
    /// # Errors
    /// A fault of ours, never one of a mail server or resolver. The event is delivered again.
    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, DomainError>;
}

/// Runs a consumer until `stop` is cancelled; then takes nothing more, lets work in flight end
/// within its grace, and gives the rest back to the queue.
pub async fn run(broker: &dyn Broker, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
    let mut subscription = broker.subscribe(consumer.queue());
    let slots = Arc::new(Semaphore::new(consumer.concurrency()));
    let (tasks, give_up) = (TaskTracker::new(), CancellationToken::new());
    while let Some(deliveries) = next(&mut *subscription, &slots, &stop, consumer.queue()).await {
        for delivery in deliveries {
            // `next` never takes more than there are free slots, so this does not wait.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (consumer, give_up) = (consumer.clone(), give_up.clone());
            tasks.spawn(async move {
                process(consumer, delivery, give_up).await;
                drop(slot);
            });
        }
    }
    tasks.close();
    if tokio::time::timeout(consumer.grace(), tasks.wait()).await.is_err() {
        log::info!("queue={} giving back {} events in flight", consumer.queue(), tasks.len());
        give_up.cancel();
        tasks.wait().await;
    }
}

/// Waits for a free slot, then for messages. `None` = stopped.
async fn next(
    subscription: &mut dyn Subscription,
    slots: &Semaphore,
    stop: &CancellationToken,
    queue: &str,
) -> Option<Vec<Box<dyn Delivery>>> {
    loop {
        // Only to wait: the slots themselves are taken one for each message.
        drop(stop.run_until_cancelled(slots.acquire()).await?.ok()?);
        match subscription.receive(slots.available_permits().max(1), stop).await {
            Ok(deliveries) if stop.is_cancelled() => {
                // Taken while the stop signal came: nobody should have to wait for their leases to run out.
                for delivery in deliveries {
                    report(queue, "give back", delivery.retry(Duration::ZERO, false).await);
                }
                return None;
            }
            Ok(deliveries) => return Some(deliveries),
            Err(error) => {
                log::warn!("queue={queue} cannot receive: {error}");
                stop.run_until_cancelled(tokio::time::sleep(FAULT_DELAYS.0)).await?;
            }
        }
    }
}

async fn process(consumer: Arc<dyn Consumer>, delivery: Box<dyn Delivery>, give_up: CancellationToken) {
    let queue = consumer.queue();
    let envelope = match Envelope::parse(delivery.body()) {
        Ok(envelope) => envelope,
        Err(reason) => return report(queue, "park", delivery.dead_letter(reason.to_string()).await),
    };
    if delivery.deliveries() > MAX_DELIVERIES {
        let reason = format!("handed out {} times without an end", delivery.deliveries());
        log::error!("queue={queue} event.id={} parked: {reason}", envelope.id);
        return report(queue, "park", delivery.dead_letter(reason).await);
    }
    let attempt = Attempt(delivery.attempt());
    let id = envelope.id;
    // A task of its own, so that a panic costs this delivery and nothing else.
    let work = tokio::spawn(async move { consumer.handle(&envelope, attempt).await });
    let stop_work = work.abort_handle();
    let result = tokio::select! {
        result = work => result,
        () = give_up.cancelled() => {
            stop_work.abort();
            return report(queue, "give back", delivery.retry(Duration::ZERO, false).await);
        }
    };
    let fault = match result {
        Ok(Ok(Outcome::Done)) => return report(queue, "acknowledge", delivery.ack().await),
        Ok(Ok(Outcome::Retry(after))) => return report(queue, "retry", delivery.retry(after, true).await),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic.to_string(),
    };
    log::error!("queue={queue} event.id={id} deliveries={} {fault}", delivery.deliveries());
    report(queue, "retry", delivery.retry(fault_delay(delivery.deliveries()), false).await);
}

/// An end that could not be told to the broker is harmless: the message comes again and finds its
/// work done.
fn report(queue: &str, what: &str, result: Result<(), DomainError>) {
    if let Err(error) = result {
        log::warn!("queue={queue} could not {what}: {error}");
    }
}

fn fault_delay(deliveries: u32) -> Duration {
    exponential(FAULT_DELAYS.0, deliveries).min(FAULT_DELAYS.1)
}

/// `base` doubled for each try after the first, give or take a fifth, so that many that failed
/// together do not come back together.
pub fn exponential(base: Duration, attempt: u32) -> Duration {
    let doubled = base.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_with_jitter() {
        for (attempt, millis) in [(1, 100), (2, 200), (3, 400)] {
            let delay = exponential(Duration::from_millis(100), attempt).as_millis();
            assert!((millis * 8 / 10..=millis * 12 / 10).contains(&delay), "{attempt}: {delay}");
        }
        assert!(fault_delay(25) <= FAULT_DELAYS.1);
    }
}
