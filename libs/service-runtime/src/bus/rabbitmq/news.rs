//! Events that other processes commit, for waits in this process: a queue that lives as long as its connection, bound
//! to the events that end such a wait. A lost event delays its waiter by half a second, the interval of its poll.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use shared_models::domain::CoreError;
use shared_models::events::Envelope;
use shared_models::store::Store;
use tokio_util::sync::CancellationToken;

use super::link::{Link, unavailable};
use super::topology::EXCHANGE;

/// The events that end a wait.
const ENDINGS: [&str; 7] = [
    "mailbox.activated",
    "mailbox.verification_failed",
    "import.finished",
    "test_email.settled",
    "provider.tested",
    "domain.verified",
    "domain.verification_failed",
];
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens until `stop` is cancelled.
pub(super) async fn listen(link: &Link, store: &Store, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let Some(result) = stop.run_until_cancelled(pass_on(link, store)).await else { return };
        if let Err(error) = result {
            log::debug!("no news from other processes: {error}");
        }
        stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// Listens until the connection is lost.
async fn pass_on(link: &Link, store: &Store) -> Result<(), CoreError> {
    // The queue is deleted with its connection, the subscription with its channel.
    let (_channel, mut consumer) = subscribe(link).await?;
    while let Some(message) = consumer.next().await {
        match Envelope::parse(&message.map_err(unavailable)?.data) {
            Ok(envelope) => store.report(envelope.event),
            Err(error) => log::debug!("{error}"),
        }
    }
    Err(unavailable("the subscription was ended"))
}

async fn subscribe(link: &Link) -> Result<(Channel, Consumer), CoreError> {
    let channel = link.channel().await?;
    let passing = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let unnamed = || ShortString::from("");
    let queue = channel.queue_declare(unnamed(), passing, FieldTable::default()).await.map_err(unavailable)?;
    for event_type in ENDINGS {
        let (name, exchange) = (queue.name().clone(), EXCHANGE.into());
        let bound = channel
            .queue_bind(name, exchange, event_type.into(), QueueBindOptions::default(), FieldTable::default())
            .await;
        bound.map_err(unavailable)?;
    }
    let unconfirmed = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(queue.name().clone(), unnamed(), unconfirmed, FieldTable::default()).await;
    Ok((channel, consumer.map_err(unavailable)?))
}
