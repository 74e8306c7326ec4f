//! Publishing with many confirms outstanding: one at a time is twenty times slower.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use shared_models::domain::CoreError;
use tokio::time::{Instant, timeout_at};

use super::link::{Link, unavailable};
use super::topology::short;

/// Upper bound for a whole batch. A broker under a resource alarm stops reading and confirms nothing.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// Delivery mode 2 (AMQP 0-9-1, class `basic`): the message survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// A message to publish.
pub(super) struct Outgoing {
    /// Empty = the queue named by `routing_key`.
    pub(super) exchange: &'static str,
    pub(super) routing_key: String,
    /// Fail if no queue receives the message.
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

/// The properties that all messages share.
pub(super) fn persistent() -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/cloudevents+json".into())
        .with_delivery_mode(PERSISTENT)
        .with_app_id("mailmoor".into())
}

/// Numeric headers by name.
pub(super) fn numbers<const N: usize>(headers: [(&'static str, u32); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(name.into(), AMQPValue::LongLongInt(i64::from(value)));
    }
    table
}

/// Publishes all and waits for the confirm of each. The results are in the order of the messages.
pub(super) async fn publish(link: &Link, messages: Vec<Outgoing>) -> Vec<Result<(), CoreError>> {
    let count = messages.len();
    let channel = match link.publisher().await {
        Ok(channel) => channel,
        Err(error) => return (0..count).map(|_| Err(unavailable(&error))).collect(),
    };
    let deadline = Instant::now() + CONFIRM_TIMEOUT;
    let mut sent = Vec::with_capacity(count);
    for message in messages {
        sent.push(
            timeout_at(deadline, send(&channel, message)).await.unwrap_or_else(|_| Err(unavailable("no answer"))),
        );
    }
    let mut results = Vec::with_capacity(count);
    let mut homeless = false;
    for confirm in sent {
        results.push(match confirm {
            Ok(confirm) => match timeout_at(deadline, confirm).await {
                Ok(Ok(Confirmation::Ack(None))) => Ok(()),
                Ok(Ok(Confirmation::Ack(Some(_)))) => {
                    homeless = true;
                    Err(unavailable("a queue is missing"))
                }
                Ok(Ok(_)) => Err(unavailable("the broker refused a message")),
                Ok(Err(error)) => Err(unavailable(error)),
                Err(_) => Err(unavailable("no confirmation")),
            },
            Err(error) => Err(error),
        });
    }
    // A missing exchange closes the channel.
    if homeless || !channel.status().connected() {
        link.distrust().await;
    }
    results
}

/// Publishes one message.
pub(super) async fn publish_one(link: &Link, message: Outgoing) -> Result<(), CoreError> {
    publish(link, vec![message]).await.pop().unwrap_or_else(|| Err(unavailable("no confirmation")))
}

async fn send(channel: &Channel, message: Outgoing) -> Result<PublisherConfirm, CoreError> {
    let options = BasicPublishOptions { mandatory: message.mandatory, immediate: false };
    channel
        .basic_publish(message.exchange.into(), short(&message.routing_key), options, &message.body, message.properties)
        .await
        .map_err(unavailable)
}
