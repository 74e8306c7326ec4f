//! The way of events to their consumers: one trait with two implementations, the queue in the database and RabbitMQ.
//! Consumers do not depend on which of them it is.

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

/// A message that was delivered to a consumer. Exactly one of `ack`, `retry` and `dead_letter` is called; if none is,
/// as when the process dies, the message is delivered again.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// The body as it was published.
    fn body(&self) -> &[u8];

    /// The number of the attempt, from 1. Attempts that a dying process interrupted do not count.
    fn attempt(&self) -> u32;

    /// The number of deliveries, this one included.
    fn deliveries(&self) -> u32;

    /// Removes the message: its work is committed.
    async fn ack(&self) -> Result<(), CoreError>;

    /// Delivers the message again after `delay`. `failed` counts an attempt; a process that stops gives its messages
    /// back uncounted.
    async fn retry(&self, delay: Duration, failed: bool) -> Result<(), CoreError>;

    /// Parks the message with a reason: no consumer can process it.
    async fn dead_letter(&self, reason: String) -> Result<(), CoreError>;
}

/// A stream of messages from one queue.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for messages and takes at most `limit`, which is at least 1. Returns an empty list after `stop` was
    /// cancelled. The caller does not drop the future, so no message is taken and lost.
    async fn receive(&mut self, limit: usize, stop: &CancellationToken) -> Result<Vec<Box<dyn Delivery>>, CoreError>;
}

/// Delivers events to subscriptions.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Subscribes to a queue. At most `prefetch` of its messages are delivered and not settled.
    fn subscribe(&self, queue: &'static str, prefetch: usize) -> Box<dyn Subscription>;

    /// The broker's own work, such as the relay of the outbox. Returns soon after `stop` was cancelled, which should be
    /// when nothing is committed any more.
    async fn run(&self, stop: CancellationToken);

    /// Passes events that other processes commit to [`Store::report`] until `stop` is cancelled. Events may be missed,
    /// so whoever waits for one polls the database, too.
    async fn listen(&self, stop: CancellationToken);

    /// # Errors
    /// `Unavailable` while the broker does not answer.
    async fn ping(&self) -> Result<(), CoreError>;

    /// All parked messages, oldest first.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError>;

    /// The number of parked messages.
    async fn count_dead_letters(&self) -> Result<u64, CoreError>;

    /// Puts one parked message, or all if `id` is `None`, back into its queue as a new one. Returns their number.
    ///
    /// # Errors
    /// `NotFound` when no parked message has the id.
    async fn replay_dead_letters(&self, id: Option<&str>) -> Result<usize, CoreError>;

    /// Deletes one parked message.
    ///
    /// # Errors
    /// `NotFound` when no parked message has the id.
    async fn drop_dead_letter(&self, id: &str) -> Result<(), CoreError>;
}

/// Connects the broker that the settings name.
///
/// # Errors
/// When the settings cannot be used. A broker that is down is no error: connecting is repeated until it succeeds.
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
