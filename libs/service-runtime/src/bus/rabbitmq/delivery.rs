//! Receiving: a subscription that is renewed after a loss of the connection, and settling its messages.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Received;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use shared_models::domain::{CoreError, EventId, Timestamp};
use tokio_util::sync::CancellationToken;

use super::link::unavailable;
use super::publish::{Outgoing, numbers, persistent, publish_one};
use super::topology::{dead_queue, retry_queue, short};
use super::{ATTEMPT, DEAD_AT, DELIVERIES, Links, QUEUE, REASON};
use crate::bus::{Delivery, Subscription};

/// Headers of quorum queues that count returns of a message from a consumer. Newer brokers count deaths of the consumer
/// in the first, and messages that were given back in the second as well.
const RETURNED: [&str; 2] = ["x-delivery-count", "x-acquired-count"];
/// Pause before a message is given back that could not be moved, so that it is not redelivered in a busy loop.
const STUCK_PAUSE: Duration = Duration::from_secs(1);
/// Upper bound of the reason kept with a dead letter, in characters.
const REASON_LENGTH: usize = 500;

/// A stream of messages, opened on first use and again after it broke.
pub(super) struct RabbitSubscription {
    pub(super) links: Links,
    pub(super) queue: &'static str,
    pub(super) prefetch: u16,
    pub(super) open: Option<(Channel, Consumer)>,
    /// The channel after the stop signal, through which messages in work are still acknowledged.
    pub(super) ending: Option<Channel>,
}

#[async_trait]
impl Subscription for RabbitSubscription {
    async fn receive(&mut self, limit: usize, stop: &CancellationToken) -> Result<Vec<Box<dyn Delivery>>, CoreError> {
        let Some(opened) = stop.run_until_cancelled(self.consumer()).await else { return Ok(vec![]) };
        let consumer = opened?;
        let Some(first) = stop.run_until_cancelled(consumer.next()).await else {
            self.give_back_the_rest().await;
            return Ok(vec![]);
        };
        let mut deliveries: Vec<Box<dyn Delivery>> = vec![];
        let mut next = Some(first);
        while let Some(received) = next {
            match received {
                Some(Ok(message)) => deliveries.push(self.deliver(message)),
                // The channel is gone; the broker delivers its messages again.
                Some(Err(error)) => return Err(self.broken(&error)),
                None => return Err(self.broken(&"the subscription was ended")),
            }
            next = match self.open.as_mut() {
                Some((_, consumer)) if deliveries.len() < limit => consumer.next().now_or_never(),
                _ => None,
            };
        }
        Ok(deliveries)
    }
}

impl RabbitSubscription {
    async fn consumer(&mut self) -> Result<&mut Consumer, CoreError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => match self.subscribe().await {
                Ok(open) => open,
                Err(error) => {
                    // The queue may have been deleted.
                    self.links.consuming.distrust().await;
                    return Err(error);
                }
            },
        };
        Ok(&mut self.open.insert(open).1)
    }

    async fn subscribe(&self) -> Result<(Channel, Consumer), CoreError> {
        let channel = self.links.consuming.channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(unavailable)?;
        let (queue, tag) = (short(self.queue), ShortString::from(""));
        let consumer = channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await;
        let consumer = consumer.map_err(unavailable)?;
        log::info!("queue={} subscribed", self.queue);
        Ok((channel, consumer))
    }

    fn broken(&mut self, cause: &dyn std::fmt::Display) -> CoreError {
        self.open = None;
        unavailable(cause)
    }

    /// After the stop signal: prefetched messages go to other consumers at once.
    async fn give_back_the_rest(&mut self) {
        let Some((channel, mut consumer)) = self.open.take() else { return };
        let channel = self.ending.insert(channel);
        if channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.is_err() {
            return;
        }
        while let Some(Ok(message)) = consumer.next().await {
            // A message that cannot be given back now is when the connection ends.
            let _ = message.nack(BasicNackOptions { requeue: true, multiple: false }).await;
        }
    }

    fn deliver(&self, message: Received) -> Box<dyn Delivery> {
        let header = |name| number(&message.properties, name);
        let returned = RETURNED.into_iter().filter_map(header).max().unwrap_or(0);
        Box::new(RabbitDelivery {
            links: self.links.clone(),
            queue: self.queue,
            attempt: header(ATTEMPT).unwrap_or(1).max(1),
            deliveries: header(DELIVERIES).unwrap_or(0).saturating_add(returned).saturating_add(1),
            message,
        })
    }
}

/// A header that is a small number, whatever width its sender gave it.
pub(super) fn number(properties: &BasicProperties, name: &str) -> Option<u32> {
    let value = properties.headers().as_ref()?.inner().get(name)?;
    let wide = value.as_long_long_int().or(value.as_long_int().map(i64::from)).or(value.as_long_uint().map(i64::from));
    u32::try_from(wide?).ok()
}

struct RabbitDelivery {
    links: Links,
    queue: &'static str,
    message: Received,
    attempt: u32,
    deliveries: u32,
}

#[async_trait]
impl Delivery for RabbitDelivery {
    fn body(&self) -> &[u8] {
        &self.message.data
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn deliveries(&self) -> u32 {
        self.deliveries
    }

    async fn ack(&self) -> Result<(), CoreError> {
        let acknowledged = self.message.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
        if acknowledged { Ok(()) } else { Err(unavailable("the connection that delivered it is gone")) }
    }

    async fn retry(&self, delay: Duration, failed: bool) -> Result<(), CoreError> {
        if delay.is_zero() && !failed {
            return self.give_back().await;
        }
        let mut properties = self.properties();
        let headers = [(ATTEMPT, self.attempt.saturating_add(u32::from(failed))), (DELIVERIES, self.deliveries)];
        properties = properties
            .with_headers(numbers(headers))
            // At least 1 ms: the meaning of zero depends on the version of the broker.
            .with_expiration(short(&delay.as_millis().max(1).to_string()));
        self.move_to(retry_queue(self.queue, delay), properties).await
    }

    async fn dead_letter(&self, reason: String) -> Result<(), CoreError> {
        let mut headers = numbers([(ATTEMPT, self.attempt), (DELIVERIES, self.deliveries)]);
        let reason: String = reason.chars().take(REASON_LENGTH).collect();
        headers.insert(REASON.into(), lapin::types::AMQPValue::LongString(reason.into()));
        headers.insert(QUEUE.into(), lapin::types::AMQPValue::LongString(self.queue.into()));
        headers.insert(DEAD_AT.into(), lapin::types::AMQPValue::LongLongInt(Timestamp::now().millis()));
        // A new id: the same event may be parked in several queues.
        let properties = self.properties().with_headers(headers).with_message_id(short(&EventId::new().to_string()));
        self.move_to(dead_queue(self.queue), properties).await
    }
}

impl RabbitDelivery {
    /// The properties of the message without headers about its way so far.
    fn properties(&self) -> BasicProperties {
        let original = &self.message.properties;
        let mut properties = persistent();
        if let Some(id) = original.message_id() {
            properties = properties.with_message_id(id.clone());
        }
        if let Some(kind) = original.kind() {
            properties = properties.with_type(kind.clone());
        }
        properties
    }

    /// The copy is confirmed before the original is acknowledged: a crash in between leaves two, never none.
    async fn move_to(&self, queue: String, properties: BasicProperties) -> Result<(), CoreError> {
        let copy =
            Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body: self.message.data.clone() };
        if let Err(error) = publish_one(&self.links.publishing, copy).await {
            tokio::time::sleep(STUCK_PAUSE).await;
            self.give_back().await?;
            return Err(error);
        }
        self.ack().await
    }

    async fn give_back(&self) -> Result<(), CoreError> {
        let returned = self.message.nack(BasicNackOptions { requeue: true, multiple: false }).await;
        returned.map(|_| ()).map_err(unavailable)
    }
}
