//! The embedded broker: a queue table in the same database as the data. A commit wakes the consumer. Messages are
//! leased, and the lease is renewed while work goes on, so that the messages of a dead process are soon delivered
//! again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared_models::domain::{CoreError, Timestamp};
use shared_models::store::queue::ClaimedMessage;
use shared_models::store::{DeadLetter, Store};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Broker, Delivery, Subscription};

/// Time for which a claim holds without renewal.
const LEASE: Duration = Duration::from_secs(30);
/// Renewals within one lease, so that one missed renewal does no harm.
const RENEWALS: u32 = 3;
/// Poll interval with a database of its own: every message is announced by a commit, except those that the command line
/// replays.
const LONGEST_SLEEP_ALONE: Duration = Duration::from_secs(10);
/// Poll interval with a shared database, to which other processes write without an announcement here.
const LONGEST_SLEEP_SHARED: Duration = Duration::from_millis(500);

/// The processes that write to the queue table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// This process only; its own commits announce every message.
    Alone,
    /// Several; the table is polled, as messages of others are not announced.
    WithOthers,
}

/// Feeds consumers from the database.
pub struct EmbeddedBroker {
    store: Store,
    sharing: Sharing,
    lease: Duration,
}

impl EmbeddedBroker {
    /// A broker over this store.
    pub fn new(store: Store, sharing: Sharing) -> Self {
        Self { store, sharing, lease: LEASE }
    }

    /// Sets the time after which the messages of a dead process are delivered to others; 30 s if not set.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    /// Ignores `prefetch`: a claim takes as many messages as there is room for at that moment.
    fn subscribe(&self, queue: &'static str, _prefetch: usize) -> Box<dyn Subscription> {
        let claims = Claims::default();
        let stop = CancellationToken::new();
        tokio::spawn(renew(self.store.clone(), claims.clone(), self.lease, stop.clone()));
        Box::new(EmbeddedSubscription {
            signal: self.store.queue_signal(queue),
            longest_sleep: match self.sharing {
                Sharing::Alone => LONGEST_SLEEP_ALONE,
                Sharing::WithOthers => LONGEST_SLEEP_SHARED,
            },
            store: self.store.clone(),
            queue,
            lease: self.lease,
            claims,
            _stop_renewing: stop.drop_guard(),
        })
    }

    /// Nothing to do: every commit delivers by itself.
    async fn run(&self, _stop: CancellationToken) {}

    /// Reports nothing: those who wait for another process poll the database.
    async fn listen(&self, _stop: CancellationToken) {}

    async fn ping(&self) -> Result<(), CoreError> {
        self.store.ping().await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError> {
        self.store.dead_letters().await
    }

    async fn count_dead_letters(&self) -> Result<u64, CoreError> {
        self.store.count_dead_letters().await
    }

    async fn replay_dead_letters(&self, id: Option<&str>) -> Result<usize, CoreError> {
        self.store.replay_dead_letters(id.map(row_id).transpose()?).await
    }

    async fn drop_dead_letter(&self, id: &str) -> Result<(), CoreError> {
        self.store.drop_dead_letter(row_id(id)?).await
    }
}

/// Parses the id of a dead letter, which is the number of its row.
fn row_id(id: &str) -> Result<i64, CoreError> {
    id.parse().map_err(|_| CoreError::NotFound("dead letter"))
}

/// The messages in work, whose leases are renewed.
#[derive(Clone, Default)]
struct Claims(Arc<Mutex<HashMap<i64, String>>>);

impl Claims {
    fn add(&self, message: &ClaimedMessage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(message.id, message.lease.clone());
    }

    fn remove(&self, message: &ClaimedMessage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&message.id);
    }

    fn all(&self) -> Vec<(i64, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(id, lease)| (*id, lease.clone())).collect()
    }
}

/// Renews leases until the subscription and all its deliveries are dropped; idle while nothing is claimed.
async fn renew(store: Store, claims: Claims, lease: Duration, stop: CancellationToken) {
    let mut tick = tokio::time::interval(lease / RENEWALS);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let held = claims.all();
        if held.is_empty() {
            continue;
        }
        if let Err(error) = store.renew_leases(held, lease).await {
            log::warn!("leases were not renewed: {error}");
        }
    }
}

struct EmbeddedSubscription {
    store: Store,
    queue: &'static str,
    lease: Duration,
    signal: Arc<Notify>,
    longest_sleep: Duration,
    claims: Claims,
    _stop_renewing: DropGuard,
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    async fn receive(&mut self, limit: usize, stop: &CancellationToken) -> Result<Vec<Box<dyn Delivery>>, CoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        while !stop.is_cancelled() {
            let claimed = self.store.claim_messages(self.queue, limit, self.lease).await?;
            if !claimed.is_empty() {
                return Ok(claimed.into_iter().map(|message| self.deliver(message)).collect());
            }
            let due = self.store.next_message_at(self.queue).await?;
            let sleep = due.map_or(self.longest_sleep, |at| Timestamp::remaining(at).min(self.longest_sleep));
            // `Notify` keeps a permit, so a commit after the claim above ends this wait at once.
            let commit_or_due = tokio::time::timeout(sleep, self.signal.notified());
            let _ = stop.run_until_cancelled(commit_or_due).await;
        }
        Ok(vec![])
    }
}

impl EmbeddedSubscription {
    fn deliver(&self, message: ClaimedMessage) -> Box<dyn Delivery> {
        self.claims.add(&message);
        Box::new(EmbeddedDelivery {
            store: self.store.clone(),
            queue: self.queue,
            message,
            claims: self.claims.clone(),
        })
    }
}

struct EmbeddedDelivery {
    store: Store,
    queue: &'static str,
    message: ClaimedMessage,
    claims: Claims,
}

impl Drop for EmbeddedDelivery {
    fn drop(&mut self) {
        self.claims.remove(&self.message);
    }
}

#[async_trait]
impl Delivery for EmbeddedDelivery {
    fn body(&self) -> &[u8] {
        self.message.envelope.as_bytes()
    }

    fn attempt(&self) -> u32 {
        self.message.attempt
    }

    fn deliveries(&self) -> u32 {
        self.message.deliveries
    }

    async fn ack(&self) -> Result<(), CoreError> {
        self.store.ack_message(&self.message).await
    }

    async fn retry(&self, delay: Duration, failed: bool) -> Result<(), CoreError> {
        self.store.return_message(self.queue, &self.message, delay, failed).await
    }

    async fn dead_letter(&self, reason: String) -> Result<(), CoreError> {
        self.store.park_message(&self.message, reason).await
    }
}
