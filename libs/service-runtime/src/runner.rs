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
    /// Not now; after this time it is delivered again, and this was no try.
    Later(Duration),
    /// Nobody can ever handle this event, for this reason.
    Park(&'static str),
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
    /// A fault of ours, never one of a mail server or resolver. After `Unavailable` it is called
    /// again when the pause is over, after anything else the event is delivered again.
    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError>;
}

/// Runs a consumer until `stop` is cancelled; then takes nothing more, lets work in flight end
/// within its grace, and gives the rest back to the queue.
pub async fn run(broker: &dyn Broker, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
    let mut subscription = broker.subscribe(consumer.queue(), consumer.concurrency());
    let slots = Arc::new(Semaphore::new(consumer.concurrency()));
    let (tasks, give_up, turns) = (TaskTracker::new(), CancellationToken::new(), Turns::default());
    while let Some(deliveries) = next(&mut *subscription, &slots, &stop, consumer.queue()).await {
        for delivery in deliveries {
            // `next` never takes more than there are free slots, so this does not wait.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (consumer, turns, give_up) = (consumer.clone(), turns.clone(), give_up.clone());
            tasks.spawn(async move {
                process(consumer, delivery, turns, give_up).await;
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

async fn process(consumer: Arc<dyn Consumer>, delivery: Box<dyn Delivery>, turns: Turns, give_up: CancellationToken) {
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
    // A task of its own, so that a panic costs this delivery and nothing else.
    let work = tokio::spawn(async move {
        let _turn = turns.take(envelope.event.subject()).await;
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

/// One event of a subject at a time: an event that the broker delivers again while its work is still
/// going on finds the work done, instead of doing it beside.
#[derive(Clone, Default)]
struct Turns(Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>);

/// Held as long as the event is handled.
struct Turn {
    turns: Turns,
    subject: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    async fn take(&self, subject: String) -> Turn {
        let turn = self.lock().entry(subject.clone()).or_default().clone();
        Turn { guard: Some(turn.lock_owned().await), turns: self.clone(), subject }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.turns.lock();
        self.guard = None;
        // Nobody waits for it: the map has the only one.
        if turns.get(&self.subject).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.subject);
        }
    }
}

/// An end that could not be told to the broker is harmless: the message comes again and finds its
/// work done.
fn report(queue: &str, what: &str, result: Result<(), CoreError>) {
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
