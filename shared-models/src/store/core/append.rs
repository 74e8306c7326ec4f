//! The only way to announce an event: it is written in the transaction of the data that caused it.

use diesel::prelude::*;
use serde::Serialize;

use crate::domain::{CoreError, Timestamp};
use crate::events::{Envelope, Event, queues_for};
use crate::store::core::backend::{EventRoute, Tx, both};
use crate::store::core::error::TxError;
use crate::store::core::outbox::{NewOutboxRow, OUTBOX};
use crate::store::schema::{outbox, queue_messages};

#[derive(Insertable, Serialize)]
#[diesel(table_name = queue_messages)]
pub(crate) struct NewMessageRow {
    queue: &'static str,
    event_id: String,
    event_type: &'static str,
    envelope: String,
    attempt: i32,
    deliveries: i32,
    available_at: i64,
    created_at: i64,
}

impl Tx<'_> {
    /// Announces an event. Consumers that wait for it wake when the transaction is committed.
    pub(crate) fn append(&mut self, event: Event, now: Timestamp) -> Result<(), TxError> {
        self.written.events.push(event);
        match self.route {
            EventRoute::Queues => {
                for row in message_rows(event, now)? {
                    both!(&mut *self.conn, |c| diesel::insert_into(queue_messages::table).values(&row).execute(c))?;
                    self.written.queues.insert(row.queue);
                }
            }
            EventRoute::Outbox => {
                let row = outbox_row(event, now)?;
                diesel::insert_into(outbox::table).values(&row).execute(self.conn)?;
                self.written.queues.insert(OUTBOX);
            }
        }
        Ok(())
    }
}

/// One row for each queue that wants the event.
pub(crate) fn message_rows(event: Event, now: Timestamp) -> Result<Vec<NewMessageRow>, CoreError> {
    let event_type = event.event_type();
    let queues = queues_for(event_type);
    if queues.is_empty() {
        return Ok(vec![]);
    }
    let (event_id, envelope) = envelope(event, now)?;
    let row = |queue: &&'static str| NewMessageRow {
        queue,
        event_id: event_id.clone(),
        event_type,
        envelope: envelope.clone(),
        attempt: 1,
        deliveries: 0,
        available_at: now.millis(),
        created_at: now.millis(),
    };
    Ok(queues.iter().map(row).collect())
}

/// The row for a message broker, which knows by its bindings who wants the event.
pub(crate) fn outbox_row(event: Event, now: Timestamp) -> Result<NewOutboxRow, CoreError> {
    let (event_id, envelope) = envelope(event, now)?;
    Ok(NewOutboxRow { event_id, event_type: event.event_type(), envelope, created_at: now.millis() })
}

fn envelope(event: Event, now: Timestamp) -> Result<(String, String), CoreError> {
    let envelope = Envelope::new(event, now);
    let json = serde_json::to_string(&envelope)
        .map_err(|e| CoreError::Internal(format!("an event cannot be serialised: {e}")))?;
    Ok((envelope.id.to_string(), json))
}
