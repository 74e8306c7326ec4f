//! How events reach their consumers. One trait; the embedded implementation keeps the queue in the
//! database. Consumers cannot tell which one feeds them.

pub mod embedded;

use std::time::Duration;

use async_trait::async_trait;
use shared_models::domain::DomainError;
use tokio_util::sync::CancellationToken;

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
    async fn ack(&self) -> Result<(), DomainError>;

    /// Deliver it again after `delay`. `failed` counts it as a try; a process that stops gives its
    /// messages back uncounted.
    async fn retry(&self, delay: Duration, failed: bool) -> Result<(), DomainError>;

    /// Nobody can process it: park it with the reason.
    async fn dead_letter(&self, reason: String) -> Result<(), DomainError>;
}

/// A stream of messages from one queue.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for messages and takes at most `limit` (which is at least 1). Returns an empty list
    /// once `stop` is cancelled; it is not dropped half way, so no message is taken and forgotten.
    async fn receive(&mut self, limit: usize, stop: &CancellationToken) -> Result<Vec<Box<dyn Delivery>>, DomainError>;
}

/// A source of subscriptions.
pub trait Broker: Send + Sync {
    /// Subscribes to a queue.
    fn subscribe(&self, queue: &'static str) -> Box<dyn Subscription>;
}
