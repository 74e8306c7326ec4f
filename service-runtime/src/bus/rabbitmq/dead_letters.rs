//! Dead letters on RabbitMQ. The queues are looked through by taking every message and, with those
//! that stay, letting go of it again when the channel is closed.

use lapin::message::Delivery as Received;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel};
use ring::digest;
use shared_models::domain::{DomainError, Timestamp};
use shared_models::events::{Envelope, QUEUES};
use shared_models::store::DeadLetter;

use super::delivery::number;
use super::link::unavailable;
use super::publish::{Outgoing, persistent, publish_one};
use super::topology::{dead_queue, short};
use super::{DEAD_AT, DELIVERIES, Links, REASON};

/// All parked messages, oldest first.
pub(super) async fn list(links: &Links) -> Result<Vec<DeadLetter>, DomainError> {
    let mut letters = vec![];
    let mut search = Search::begin(links).await?;
    while let Some((queue, message)) = search.next().await? {
        letters.push(describe(queue, &message));
    }
    search.end().await?;
    letters.sort_by_key(|letter| letter.dead_at);
    Ok(letters)
}

/// How many messages are parked.
pub(super) async fn count(links: &Links) -> Result<u64, DomainError> {
    let channel = links.consuming.channel().await?;
    let mut count = 0;
    for queue in QUEUES {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(short(&dead_queue(queue)), look, FieldTable::default()).await;
        count += u64::from(found.map_err(unavailable)?.message_count());
    }
    Ok(count)
}

/// Puts one or all back into their queues, as new.
pub(super) async fn replay(links: &Links, id: Option<&str>) -> Result<usize, DomainError> {
    let mut replayed = 0;
    let mut search = Search::begin(links).await?;
    while let Some((queue, message)) = search.next().await? {
        if id.is_some_and(|id| identity(&message) != id) {
            continue;
        }
        let properties = persistent().with_message_id(short(&event_of(&message).1));
        let body = message.data.clone();
        let fresh = Outgoing { exchange: "", routing_key: queue.to_owned(), mandatory: true, properties, body };
        publish_one(&links.publishing, fresh).await?;
        message.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
        replayed += 1;
    }
    search.end().await?;
    if id.is_some() && replayed == 0 { Err(DomainError::NotFound("dead letter")) } else { Ok(replayed) }
}

/// Throws one away.
pub(super) async fn discard(links: &Links, id: &str) -> Result<(), DomainError> {
    let mut found = false;
    let mut search = Search::begin(links).await?;
    while let Some((_, message)) = search.next().await? {
        if identity(&message) == id {
            message.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
            found = true;
        }
    }
    search.end().await?;
    if found { Ok(()) } else { Err(DomainError::NotFound("dead letter")) }
}

/// Shows each parked message once. Those that stay are in our hands until the end, so none comes twice.
struct Search {
    channel: Channel,
    queues: std::slice::Iter<'static, &'static str>,
    queue: Option<&'static str>,
}

impl Search {
    async fn begin(links: &Links) -> Result<Self, DomainError> {
        let mut queues = QUEUES.iter();
        let queue = queues.next().copied();
        Ok(Self { channel: links.consuming.channel().await?, queues, queue })
    }

    /// The next message, and the queue whose consumer parked it.
    async fn next(&mut self) -> Result<Option<(&'static str, Received)>, DomainError> {
        while let Some(queue) = self.queue {
            let name = dead_queue(queue);
            let got = self.channel.basic_get(short(&name), BasicGetOptions::default()).await.map_err(unavailable)?;
            match got {
                Some(message) => return Ok(Some((queue, message.delivery))),
                None => self.queue = self.queues.next().copied(),
            }
        }
        Ok(None)
    }

    /// Lets go of the messages that stay.
    async fn end(self) -> Result<(), DomainError> {
        self.channel.close(200, "done".into()).await.map_err(unavailable)
    }
}

fn describe(queue: &str, message: &Received) -> DeadLetter {
    let properties = &message.properties;
    let (event_type, event_id) = event_of(message);
    DeadLetter {
        id: identity(message),
        queue: queue.to_owned(),
        event_type,
        event_id,
        reason: reason(properties),
        deliveries: number(properties, DELIVERIES).unwrap_or(0),
        dead_at: Timestamp::from_millis(dead_at(properties).unwrap_or_default()),
    }
}

/// Type and id as far as they can be read; empty otherwise.
fn event_of(message: &Received) -> (String, String) {
    match Envelope::parse(&message.data) {
        Ok(envelope) => (envelope.event.event_type().to_owned(), envelope.id.to_string()),
        Err(_) => (String::new(), message.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()),
    }
}

/// The message's own id; for one that somebody put here without any, the beginning of its SHA-256.
fn identity(message: &Received) -> String {
    match message.properties.message_id() {
        Some(id) => id.to_string(),
        None => {
            let hash = digest::digest(&digest::SHA256, &message.data);
            hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        }
    }
}

/// Ours, or what the broker noted when it gave up by itself.
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
