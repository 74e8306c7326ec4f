//! Dead letters on RabbitMQ. AMQP cannot browse a queue, so every message is taken, and those that stay are given back.

use lapin::message::Delivery as Received;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel};
use ring::digest;
use shared_models::domain::{CoreError, Timestamp};
use shared_models::events::{Envelope, QUEUES};
use shared_models::store::DeadLetter;

use super::delivery::number;
use super::link::unavailable;
use super::publish::{Outgoing, persistent, publish_one};
use super::topology::{dead_queue, short};
use super::{DEAD_AT, DELIVERIES, Links, REASON};

/// All parked messages, oldest first.
pub(super) async fn list(links: &Links) -> Result<Vec<DeadLetter>, CoreError> {
    let search = Search::begin(links).await?;
    let mut letters: Vec<DeadLetter> = search.found.iter().map(|(queue, message)| describe(queue, message)).collect();
    search.end().await?;
    letters.sort_by_key(|letter| letter.dead_at);
    Ok(letters)
}

/// The number of parked messages.
pub(super) async fn count(links: &Links) -> Result<u64, CoreError> {
    let channel = links.consuming.channel().await?;
    let mut count = 0;
    for queue in QUEUES {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(short(&dead_queue(queue)), look, FieldTable::default()).await;
        count += u64::from(found.map_err(unavailable)?.message_count());
    }
    Ok(count)
}

/// Puts one message or all back into their queues, as new ones.
pub(super) async fn replay(links: &Links, id: Option<&str>) -> Result<usize, CoreError> {
    let search = Search::begin(links).await?;
    let mut replayed = 0;
    for (queue, message) in
        search.found.iter().filter(|(queue, message)| id.is_none_or(|id| identity(queue, message) == id))
    {
        let properties = persistent().with_message_id(short(&event_of(message).1));
        let (routing_key, body) = ((*queue).to_owned(), message.data.clone());
        let fresh = Outgoing { exchange: "", routing_key, mandatory: true, properties, body };
        publish_one(&links.publishing, fresh).await?;
        message.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
        replayed += 1;
    }
    search.end().await?;
    if id.is_some() && replayed == 0 { Err(CoreError::NotFound("dead letter")) } else { Ok(replayed) }
}

/// Deletes one message.
pub(super) async fn discard(links: &Links, id: &str) -> Result<(), CoreError> {
    let search = Search::begin(links).await?;
    let mut dropped = false;
    for (_, message) in search.found.iter().filter(|(queue, message)| identity(queue, message) == id) {
        message.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
        dropped = true;
    }
    search.end().await?;
    if dropped { Ok(()) } else { Err(CoreError::NotFound("dead letter")) }
}

/// All parked messages, taken from their queues before any of them is replayed: a replayed one may be parked again at
/// once.
struct Search {
    channel: Channel,
    found: Vec<(&'static str, Received)>,
}

impl Search {
    async fn begin(links: &Links) -> Result<Self, CoreError> {
        let channel = links.consuming.channel().await?;
        let mut found = vec![];
        for queue in QUEUES {
            let name = dead_queue(queue);
            let get = || channel.basic_get(short(&name), BasicGetOptions::default());
            while let Some(message) = get().await.map_err(unavailable)? {
                found.push((queue, message.delivery));
            }
        }
        Ok(Self { channel, found })
    }

    /// Gives back the messages that stay. Closing the channel would do that as well, but later.
    async fn end(self) -> Result<(), CoreError> {
        let all = BasicNackOptions { multiple: true, requeue: true };
        self.channel.basic_nack(0, all).await.map_err(unavailable)?;
        self.channel.close(200, "done".into()).await.map_err(unavailable)
    }
}

fn describe(queue: &str, message: &Received) -> DeadLetter {
    let properties = &message.properties;
    let (event_type, event_id) = event_of(message);
    DeadLetter {
        id: identity(queue, message),
        queue: queue.to_owned(),
        event_type,
        event_id,
        reason: reason(properties),
        deliveries: number(properties, DELIVERIES).unwrap_or(0),
        dead_at: Timestamp::from_millis(dead_at(properties).unwrap_or_default()),
    }
}

/// Type and id of the event; empty if they cannot be read.
fn event_of(message: &Received) -> (String, String) {
    match Envelope::parse(&message.data) {
        Ok(envelope) => (envelope.event.event_type().to_owned(), envelope.id.to_string()),
        Err(_) => {
            (String::new(), message.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default())
        }
    }
}

/// The id of the message. For one without, which somebody put here by hand, a hash of its queue and content.
fn identity(queue: &str, message: &Received) -> String {
    match message.properties.message_id() {
        Some(id) => id.to_string(),
        None => {
            let hash = digest::digest(&digest::SHA256, &[queue.as_bytes(), &message.data].concat());
            hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        }
    }
}

/// The reason from our header, or the one that the broker noted when it moved the message by itself.
fn reason(properties: &BasicProperties) -> String {
    let Some(headers) = properties.headers() else { return "unknown".to_owned() };
    let text = |name| headers.inner().get(name).and_then(|value| value.as_long_string()).map(ToString::to_string);
    let by_broker = || {
        let first = headers.inner().get("x-first-death-reason")?.as_long_string()?;
        Some(format!("given up by the broker: {first}"))
    };
    text(REASON).or_else(by_broker).unwrap_or_else(|| "unknown".to_owned())
}

fn dead_at(properties: &BasicProperties) -> Option<i64> {
    properties.headers().as_ref()?.inner().get(DEAD_AT)?.as_long_long_int()
}
