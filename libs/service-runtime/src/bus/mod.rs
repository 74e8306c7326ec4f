//! How events reach their consumers. One trait; the embedded implementation keeps the queue in the
//! database, the other one is RabbitMQ. Consumers cannot tell which one feeds them.

pub mod embedded;
pub mod rabbitmq;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared_models::domain::CoreError;
use shared_models::store::{DatabaseSettings, DeadLetter, Store};
use tokio_util::sync::CancellationToken;

use crate::settings::{BrokerSettings, Settings, SettingsError};
use embedded::{EmbeddedBroker, Sharing};
use rabbitmq::RabbitMq;

/// A message in the hands of a consumer. Exactly one of the three ends is called; a message for
/// which none is called (the process died) is delivered again.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// The message as it was published.
    fn body(&self) -> &[u8];

    /// Which try this is, from 1. Interrupted tries (the process died) do not count.
    fn attempt(&self) -> u32;

    /// How often it was handed out, this time included.
    fn deliveries(&self) -> u32;

    /// The work is done and committed.
    async fn ack(&self) -> Result<(), CoreError>;

    /// Deliver it again after `delay`. `failed` counts it as a try; a process that stops gives its
    /// messages back uncounted.
    async fn retry(&self, delay: Duration, failed: bool) -> Result<(), CoreError>;

    /// Nobody can process it: park it with the reason.
    async fn dead_letter(&self, reason: String) -> Result<(), CoreError>;
}

/// A stream of messages from one queue.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for messages and takes at most `limit` (which is at least 1). Returns an empty list
    /// once `stop` is cancelled; it is not dropped half way, so no message is taken and forgotten.
    async fn receive(&mut self, limit: usize, stop: &CancellationToken) -> Result<Vec<Box<dyn Delivery>>, CoreError>;
}

/// Where events come from.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Subscribes to a queue; at most `prefetch` of its messages are in this subscription's hands.
    fn subscribe(&self, queue: &'static str, prefetch: usize) -> Box<dyn Subscription>;

    /// What the broker needs done as long as the process lives; returns soon after `stop` is
    /// cancelled, which should be when nothing is committed any more.
    async fn run(&self, stop: CancellationToken);

    /// Passes on to [`Store::report`] what other processes commit, as long as `stop` is not cancelled. For
    /// those who wait for it; an event may be missed, so they look into the database now and then.
    async fn listen(&self, stop: CancellationToken);

    /// Answers when the broker does.
    async fn ping(&self) -> Result<(), CoreError>;

    /// Everything that consumers gave up on, oldest first.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError>;

    /// How many those are.
    async fn count_dead_letters(&self) -> Result<u64, CoreError>;

    /// Puts one parked message (or, without an id, all of them) back into its queue as if it were
    /// new. Returns how many; `NotFound` when the named one is not parked.
    async fn replay_dead_letters(&self, id: Option<&str>) -> Result<usize, CoreError>;

    /// Throws one parked message away; `NotFound` when it is not parked.
    async fn drop_dead_letter(&self, id: &str) -> Result<(), CoreError>;
}

/// Connects the broker that the settings name.
///
/// # Errors
/// When the settings cannot be used. A broker that is down is no error: it is tried again until it is there.
pub fn connect(settings: &Settings, store: &Store) -> Result<Arc<dyn Broker>, SettingsError> {
    Ok(match settings.broker_settings()? {
        BrokerSettings::Embedded => {
            let sharing = match settings.database_settings()? {
                DatabaseSettings::Sqlite { .. } => Sharing::Alone,
                DatabaseSettings::Postgres { .. } => Sharing::WithOthers,
            };
            Arc::new(EmbeddedBroker::new(store.clone(), sharing))
        }
        BrokerSettings::Amqp { url } => Arc::new(RabbitMq::new(&url, store.clone())?),
    })
}
