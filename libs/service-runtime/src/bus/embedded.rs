//! The embedded broker: a queue table in the same database as the data. A commit wakes the
//! consumer; nothing polls. Messages are leased, and the leases renewed while work goes on, so that
//! the messages of a dead process become free again soon.

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

/// How long a claim holds without renewal.
const LEASE: Duration = Duration::from_secs(30);
/// Renewals within one lease, so that one missed renewal does no harm.
const RENEWALS: u32 = 3;
/// With a database of its own, the process knows of every message but those that the command line
/// replays.
const LONGEST_SLEEP_ALONE: Duration = Duration::from_secs(10);
/// Other processes may write to a shared database without telling us.
const LONGEST_SLEEP_SHARED: Duration = Duration::from_millis(500);

/// Whether other processes write to the same queue table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// This process is told of every message by its own commits.
    Alone,
    /// Messages may appear unannounced, so the table is looked at now and then.
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

    /// How long the messages of a process that died stay away from the others; 30 seconds if not set.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    /// A claim takes what there is room for at that moment, so there is nothing to fetch in advance.
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

    /// Every commit delivers by itself.
    async fn run(&self, _stop: CancellationToken) {}

    /// With a database shared by several processes, those who wait have to look for themselves.
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

/// The row behind the id that the operator was shown.
fn row_id(id: &str) -> Result<i64, CoreError> {
    id.parse().map_err(|_| CoreError::NotFound("dead letter"))
}

/// The messages that this process works on, for renewal.
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

/// Runs until the subscription and all its deliveries' work is over; idle when nothing is claimed.
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
            // `Notify` keeps a permit, so a commit since the claim above ends this at once.
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
