//! The declarations: one topic exchange, and for each consumer a queue with its retry queues and dead letters. Every
//! process declares all of them, so that services may start in any order and no published event meets a missing queue.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use shared_models::events::{DNS_CHECKER_QUEUE, Event, QUEUES, queues_for};

/// The exchange of all events; the routing key is the event type.
pub(super) const EXCHANGE: &str = "mailmoor.events";

/// Deliveries after which the broker itself moves a message to the dead letters. The runner parks earlier and gives a
/// reason; this is for consumers that die before they can.
const DELIVERY_LIMIT: i64 = 50;

/// Delivery limit of dead letters. Listing them is a delivery, and newer brokers drop a message after 20 by default.
const NO_DELIVERY_LIMIT: i64 = 2_000_000_000;

/// Lengths of the retry queues in seconds. Each takes delays from its own length up to the double, so that a message
/// waits behind others of a similar delay only. The longest requested delay is a quarter of an hour.
const RETRY_SECONDS: [u64; 11] = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// The queue of the dead letters of a queue.
pub(super) fn dead_queue(queue: &str) -> String {
    format!("{queue}.dead")
}

/// The retry queue for a delay, from which a message returns to its queue.
pub(super) fn retry_queue(queue: &str, delay: Duration) -> String {
    let seconds = RETRY_SECONDS.into_iter().rev().find(|length| *length <= delay.as_secs()).unwrap_or(0);
    retry_name(queue, seconds)
}

fn retry_name(queue: &str, seconds: u64) -> String {
    format!("{queue}.retry.{seconds}s")
}

/// Bindings of an earlier version whose events now go to another queue. Kept, each such event would be a dead letter.
const MOVED: [(&str, &str); 1] = [(DNS_CHECKER_QUEUE, "domain.verification_requested")];

/// Declares everything. Repeating it changes nothing. A queue of the same name with other arguments is an error.
pub(super) async fn declare(channel: &Channel) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    for queue in QUEUES {
        let mut for_good = quorum();
        for_good.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(NO_DELIVERY_LIMIT));
        declare_queue(channel, &dead_queue(queue), for_good).await?;
        let mut arguments = handing_over_to(&dead_queue(queue));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
        declare_queue(channel, queue, arguments).await?;
        for seconds in RETRY_SECONDS {
            let mut arguments = handing_over_to(queue);
            // Each message carries its delay; this bounds those that somebody put here without one.
            let longest = Duration::from_secs(2 * seconds.max(1)).as_millis();
            arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(longest as i64));
            declare_queue(channel, &retry_name(queue, seconds), arguments).await?;
        }
        for event_type in Event::TYPES.iter().filter(|event_type| queues_for(event_type).contains(&queue)) {
            let (queue, exchange, key) = (queue.into(), EXCHANGE.into(), (*event_type).into());
            let options = QueueBindOptions::default();
            channel.queue_bind(queue, exchange, key, options, FieldTable::default()).await?;
        }
    }
    for (queue, event_type) in MOVED {
        channel.queue_unbind(queue.into(), EXCHANGE.into(), event_type.into(), FieldTable::default()).await?;
    }
    Ok(())
}

async fn declare_queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await.map(|_| ())
}

/// A quorum queue: replicated in a cluster, and on disk before a message is confirmed.
fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

/// A quorum queue whose expired or rejected messages go to `target`, and leave only once they are there.
fn handing_over_to(target: &str) -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(target));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    // Required by the at-least-once strategy.
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A name, id or number as AMQP carries it in its short fields.
pub(super) fn short(name: &str) -> ShortString {
    ShortString::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_waits_among_its_like() {
        for (millis, queue) in
            [(0, "0s"), (999, "0s"), (1000, "1s"), (5_999, "4s"), (900_000, "512s"), (9_999_999, "512s")]
        {
            assert_eq!(retry_queue("q", Duration::from_millis(millis)), format!("q.retry.{queue}"));
        }
    }
}
