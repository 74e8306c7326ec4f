//! Feeds one consumer from its queue: decode, handle, then acknowledge, retry or park. Consumers
//! never see a message or an acknowledgement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared_models::domain::CoreError;
use shared_models::events::Envelope;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{Broker, Delivery, Subscription};
use crate::insist::insist;

/// Upper bound of the deliveries of one message. A message beyond it kills its consumer, or meets a fault of ours each
/// time, and is parked.
const MAX_DELIVERIES: u32 = 25;
/// First and longest delay before a message is delivered again after a fault of ours.
const FAULT_DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Default of [`Consumer::grace`]. Orchestrators commonly kill a process 30 seconds after the signal.
const GRACE: Duration = Duration::from_secs(10);

/// The outcome of handling an event. Refused logins and missing records are `Done`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The result is committed, or there was nothing to do.
    Done,
    /// A temporary fault of another party. The next attempt is due after this time.
    Retry(Duration),
    /// The event is delivered again after this time; this delivery does not count as an attempt.
    Later(Duration),
    /// No consumer can ever handle this event, for this reason.
    Park(&'static str),
}

/// The number of the attempt, from 1.
#[derive(Clone, Copy, Debug)]
pub struct Attempt(pub u32);

/// The work of one service. Handling the same event twice must change nothing.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Name of the queue.
    fn queue(&self) -> &'static str;

    /// Upper bound of events handled at the same time.
    fn concurrency(&self) -> usize;

    /// Time that work in flight gets after the stop signal before it is given back.
    fn grace(&self) -> Duration {
        GRACE
    }

    /// Handles one event.
    ///
    /// # Errors
    /// A fault of ours, never one of a mail server or resolver. After `Unavailable` the consumer is called again after
    /// a pause; after any other error the event is delivered again.
    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError>;
}

/// Runs a consumer until `stop` is cancelled. Then it receives nothing more, work in flight gets its grace, and the
/// rest is given back to the queue.
pub async fn run(broker: &dyn Broker, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
    let mut subscription = broker.subscribe(consumer.queue(), consumer.concurrency());
    let slots = Arc::new(Semaphore::new(consumer.concurrency()));
    let (tasks, give_up, locks) = (TaskTracker::new(), CancellationToken::new(), SubjectLocks::default());
    while let Some(deliveries) = next(&mut *subscription, &slots, &stop, consumer.queue()).await {
        for delivery in deliveries {
            // `next` receives at most as many messages as there are free slots, so this does not wait.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (consumer, locks, give_up) = (consumer.clone(), locks.clone(), give_up.clone());
            tasks.spawn(async move {
                process(consumer, delivery, locks, give_up).await;
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

/// Waits for a free slot, then for messages. `None` after `stop` was cancelled.
async fn next(
    subscription: &mut dyn Subscription,
    slots: &Semaphore,
    stop: &CancellationToken,
    queue: &str,
) -> Option<Vec<Box<dyn Delivery>>> {
    loop {
        // Only waits; a slot is taken for each message.
        drop(stop.run_until_cancelled(slots.acquire()).await?.ok()?);
        match subscription.receive(slots.available_permits().max(1), stop).await {
            Ok(deliveries) if stop.is_cancelled() => {
                // Received while the stop signal came; given back so that others need not wait for the leases to end.
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

async fn process(
    consumer: Arc<dyn Consumer>,
    delivery: Box<dyn Delivery>,
    locks: SubjectLocks,
    give_up: CancellationToken,
) {
    let queue = consumer.queue();
    let envelope = match Envelope::parse(delivery.body()) {
        Ok(envelope) => envelope,
        Err(reason) => return park(queue, "?", &*delivery, reason.to_string()).await,
    };
    if delivery.deliveries() > MAX_DELIVERIES {
        let reason = format!("handed out {} times without an end", delivery.deliveries());
        return park(queue, &envelope.id.to_string(), &*delivery, reason).await;
    }
    let attempt = Attempt(delivery.attempt());
    let id = envelope.id;
    // A task of its own, so that a panic ends this delivery only.
    let work = tokio::spawn(async move {
        let _lock = locks.acquire(envelope.event.subject()).await;
        handle(&*consumer, &envelope, attempt).await
    });
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
        Ok(Ok(Outcome::Later(after))) => return report(queue, "put off", delivery.retry(after, false).await),
        Ok(Ok(Outcome::Park(reason))) => return park(queue, &id.to_string(), &*delivery, reason.to_owned()).await,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic.to_string(),
    };
    log::error!("queue={queue} event.id={id} deliveries={} {fault}", delivery.deliveries());
    report(queue, "retry", delivery.retry(fault_delay(delivery.deliveries()), false).await);
}

/// Calls the consumer until what it needs is there. The message stays with us meanwhile: giving it
/// back would only make it go round.
async fn handle(consumer: &dyn Consumer, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError> {
    let subject = format!("queue={} event.id={}", consumer.queue(), event.id);
    insist(&subject, || consumer.handle(event, attempt)).await
}

async fn park(queue: &str, event: &str, delivery: &dyn Delivery, reason: String) {
    log::error!("queue={queue} event.id={event} deliveries={} parked: {reason}", delivery.deliveries());
    report(queue, "park", delivery.dead_letter(reason).await);
}

/// One lock for each subject in work: an event that the broker delivers again waits for the first delivery, and then
/// finds the work done.
#[derive(Clone, Default)]
struct SubjectLocks(Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>);

/// Held while an event is handled.
struct SubjectLock {
    locks: SubjectLocks,
    subject: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl SubjectLocks {
    async fn acquire(&self, subject: String) -> SubjectLock {
        let lock = self.map().entry(subject.clone()).or_default().clone();
        SubjectLock { guard: Some(lock.lock_owned().await), locks: self.clone(), subject }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SubjectLock {
    fn drop(&mut self) {
        let mut locks = self.locks.map();
        self.guard = None;
        // The map holds the only reference, so nobody waits.
        if locks.get(&self.subject).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.subject);
        }
    }
}

/// A failure to acknowledge is harmless: the message is delivered again and finds its work done.
fn report(queue: &str, what: &str, result: Result<(), CoreError>) {
    if let Err(error) = result {
        log::warn!("queue={queue} could not {what}: {error}");
    }
}

fn fault_delay(deliveries: u32) -> Duration {
    exponential(FAULT_DELAYS.0, deliveries).min(FAULT_DELAYS.1)
}

/// `base`, doubled for each attempt after the first, with a jitter of a fifth either way, so that work which failed
/// together does not return together.
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
