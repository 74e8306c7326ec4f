//! The outbox relay publishes committed events to the exchange. Every commit of its own process wakes it, and it polls
//! for events that dead processes left behind.

use std::sync::Arc;
use std::time::Duration;

use shared_models::domain::CoreError;
use shared_models::events::queues_for;
use shared_models::store::{OutboxEvent, Relayed, Store};
use tokio_util::sync::CancellationToken;

use super::Links;
use super::link::Link;
use super::publish::{Outgoing, persistent, publish};
use super::topology::{EXCHANGE, short};

/// Events published in one batch.
const BATCH: i64 = 500;
/// Interval of the poll for events that another process committed and did not relay.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Pause that gathers commits into one batch. Under load a batch for each commit would slow later commits down.
const GATHER: Duration = Duration::from_millis(5);
/// First and longest pause after a failure; doubled each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// Upper bound of the last round when the process stops. Another process relays the rest.
const FAREWELL: Duration = Duration::from_secs(2);

/// Relays until `stop` is cancelled, then makes a last round.
pub(super) async fn run(links: &Links, store: &Store, stop: &CancellationToken) {
    // Declared at once, so that integrators find the exchange; a failure is repeated with the first event.
    if let Err(error) = links.publishing.publisher().await {
        log::warn!("{error}");
    }
    let mut pause = PAUSES.0;
    while !stop.is_cancelled() {
        match drain(&links.publishing, store).await {
            Ok(sent) => {
                pause = PAUSES.0;
                if sent {
                    tokio::time::sleep(GATHER).await;
                }
                stop.run_until_cancelled(store.outbox_filled(SWEEP_EVERY)).await;
            }
            Err(error) => {
                log::warn!("events wait in the outbox: {error}");
                stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
    if !matches!(tokio::time::timeout(FAREWELL, drain(&links.publishing, store)).await, Ok(Ok(_))) {
        log::warn!("the outbox may not be empty; another process will see to it");
    }
}

/// Publishes until nothing waits or a batch fails. True if anything was published.
async fn drain(link: &Arc<Link>, store: &Store) -> Result<bool, CoreError> {
    let mut sent = false;
    loop {
        let publisher = link.clone();
        let Relayed { taken, confirmed } =
            store.relay_outbox(BATCH, move |events| async move { publish_events(&publisher, events).await }).await?;
        if confirmed < taken {
            return Err(super::unavailable(format!("{} of {taken} events were not confirmed", taken - confirmed)));
        }
        sent |= taken > 0;
        if taken < BATCH as usize {
            return Ok(sent);
        }
    }
}

/// Publishes a batch. Returns the ids of the confirmed events.
async fn publish_events(link: &Link, events: Vec<OutboxEvent>) -> Vec<i64> {
    let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
    let results = publish(link, events.into_iter().map(outgoing).collect()).await;
    if let Some(error) = results.iter().find_map(|result| result.as_ref().err()) {
        log::debug!("not confirmed: {error}");
    }
    ids.into_iter().zip(results).filter_map(|(id, result)| result.ok().map(|()| id)).collect()
}

fn outgoing(event: OutboxEvent) -> Outgoing {
    Outgoing {
        exchange: EXCHANGE,
        // An event that only integrators consume may be in no queue.
        mandatory: !queues_for(&event.event_type).is_empty(),
        properties: persistent().with_message_id(short(&event.event_id)).with_type(short(&event.event_type)),
        routing_key: event.event_type,
        body: event.envelope.into_bytes(),
    }
}
