//! The outbox: events that are committed and still have to reach the message broker. Any process may relay any event.
//! On PostgreSQL a batch is held by row locks, so that two relays never send the same event. A relay that dies releases
//! its batch with its connection.

use std::time::Duration;

use diesel::prelude::*;
use serde::Serialize;

use crate::domain::{CoreError, Timestamp};
use crate::store::Store;
use crate::store::core::backend::{Conn, EventRoute, Tx};
use crate::store::core::error::TxError;
use crate::store::schema::{outbox, queue_messages};

/// Name of the signal that wakes the relay.
pub(crate) const OUTBOX: &str = "outbox";

/// An event on its way to the broker.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub struct OutboxEvent {
    /// The key of the row, in the order of the commits or nearly so.
    pub id: i64,
    /// The `id` of its CloudEvents envelope.
    pub event_id: String,
    /// Its type, which is the routing key.
    pub event_type: String,
    /// The CloudEvents envelope, as JSON text.
    pub envelope: String,
}

#[derive(Insertable, Serialize)]
#[diesel(table_name = outbox)]
pub(crate) struct NewOutboxRow {
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    pub(crate) envelope: String,
    pub(crate) created_at: i64,
}

/// The result of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Events that were waiting and not held by another relay; at most the limit.
    pub taken: usize,
    /// Of these, the ones that the broker has now.
    pub confirmed: usize,
}

/// Events that are committed and that no consumer has received yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Backlog {
    pub pending: i64,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
}

impl Store {
    /// Takes up to `limit` events, hands them to `publish`, and forgets those whose ids it returns.
    /// The others stay for the next call. `publish` runs inside a transaction and must not take long.
    pub async fn relay_outbox<P>(
        &self,
        limit: i64,
        publish: impl FnOnce(Vec<OutboxEvent>) -> P + Send + 'static,
    ) -> Result<Relayed, CoreError>
    where
        P: Future<Output = Vec<i64>>,
    {
        self.write_without_limit(move |tx| {
            // If a crash of the server undoes a removal, the event is delivered twice, which consumers expect.
            diesel::sql_query("SET LOCAL synchronous_commit = off").execute(tx.conn)?;
            let events = take(tx, limit)?;
            let taken = events.len();
            if taken == 0 {
                return Ok(Relayed { taken, confirmed: 0 });
            }
            // This is a thread for blocking work, so it may wait for the broker.
            let confirmed = tokio::runtime::Handle::current().block_on(publish(events));
            diesel::delete(outbox::table.filter(outbox::id.eq_any(&confirmed))).execute(tx.conn)?;
            Ok(Relayed { taken, confirmed: confirmed.len() })
        })
        .await
    }

    /// Returns once this process has committed an event to the outbox, at the latest after `longest`.
    pub async fn outbox_filled(&self, longest: Duration) {
        let signal = self.queue_signal(OUTBOX);
        // A timeout is no failure here.
        let _ = tokio::time::timeout(longest, signal.notified()).await;
    }

    /// The events that wait: in the outbox or, with the embedded broker, in the queues.
    pub async fn outbox_backlog(&self) -> Result<Backlog, CoreError> {
        let route = self.inner.route;
        self.read(move |conn| {
            let (pending, oldest): (i64, Option<i64>) = match route {
                EventRoute::Outbox => outbox::table
                    .select((diesel::dsl::count_star(), diesel::dsl::min(outbox::created_at)))
                    .first(conn)?,
                EventRoute::Queues => queue_messages::table
                    .filter(queue_messages::dead_at.is_null())
                    .filter(queue_messages::lease.is_null())
                    .filter(queue_messages::available_at.le(Timestamp::now().millis()))
                    .select((diesel::dsl::count_star(), diesel::dsl::min(queue_messages::created_at)))
                    .first(conn)?,
            };
            Ok(Backlog { pending, oldest: oldest.map(Timestamp::from_millis) })
        })
        .await
    }
}

fn take(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<OutboxEvent>, TxError> {
    let oldest = outbox::table.order(outbox::id).limit(limit).select(OutboxEvent::as_select());
    match tx.conn {
        Conn::Pg(c) => Ok(oldest.for_update().skip_locked().load(c)?),
        Conn::Lite(_) => Err(CoreError::Internal("SQLite has no outbox".to_owned()).into()),
    }
}
