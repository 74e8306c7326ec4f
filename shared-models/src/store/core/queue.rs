//! The embedded broker's table. Messages are written by `append`, claimed with a lease, and
//! deleted when the consumer is done. A lease that runs out, because the consumer died, makes the message claimable
//! again.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::domain::{CoreError, Timestamp};
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::schema::queue_messages;

/// A message that a consumer has claimed.
#[derive(Clone, Debug)]
pub struct ClaimedMessage {
    /// The key of the row.
    pub id: i64,
    /// Proves the claim. A message that another consumer has claimed since is left alone.
    pub lease: String,
    /// The CloudEvents envelope, as JSON text.
    pub envelope: String,
    /// The number of this attempt, from 1. Only failed attempts count, not interrupted ones.
    pub attempt: u32,
    /// The number of times that it was handed out, this time included.
    pub deliveries: u32,
}

impl Store {
    /// The signal that this process has committed a message to the queue.
    pub fn queue_signal(&self, queue: &str) -> Arc<Notify> {
        self.inner.wakeups.signal(queue)
    }

    /// Claims up to `limit` messages for `lease`.
    pub async fn claim_messages(
        &self,
        queue: &'static str,
        limit: i64,
        lease: Duration,
    ) -> Result<Vec<ClaimedMessage>, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let ids = ready(tx.conn, queue, now, limit)?;
            if ids.is_empty() {
                return Ok(vec![]);
            }
            let token = Uuid::new_v4().to_string();
            diesel::update(queue_messages::table.filter(queue_messages::id.eq_any(&ids)))
                .set((
                    queue_messages::lease.eq(&token),
                    queue_messages::available_at.eq(now.plus(lease).millis()),
                    queue_messages::deliveries.eq(queue_messages::deliveries + 1),
                ))
                .execute(tx.conn)?;
            let columns =
                (queue_messages::id, queue_messages::envelope, queue_messages::attempt, queue_messages::deliveries);
            let rows: Vec<(i64, String, i32, i32)> = queue_messages::table
                .filter(queue_messages::id.eq_any(&ids))
                .order(queue_messages::id)
                .select(columns)
                .load(tx.conn)?;
            let claimed = rows.into_iter().map(|(id, envelope, attempt, deliveries)| ClaimedMessage {
                id,
                lease: token.clone(),
                envelope,
                attempt: attempt.unsigned_abs(),
                deliveries: deliveries.unsigned_abs(),
            });
            Ok(claimed.collect())
        })
        .await
    }

    /// When the next message of the queue can be claimed; `None` when it is empty.
    pub async fn next_message_at(&self, queue: &'static str) -> Result<Option<Timestamp>, CoreError> {
        self.read(move |conn| {
            let waiting =
                queue_messages::table.filter(queue_messages::queue.eq(queue)).filter(queue_messages::dead_at.is_null());
            let at: Option<i64> = waiting.select(diesel::dsl::min(queue_messages::available_at)).first(conn)?;
            Ok(at.map(Timestamp::from_millis))
        })
        .await
    }

    /// Removes a message whose work is done.
    pub async fn ack_message(&self, message: &ClaimedMessage) -> Result<(), CoreError> {
        let (id, lease) = (message.id, message.lease.clone());
        self.write(move |tx| {
            let mine = queue_messages::table.find(id).filter(queue_messages::lease.eq(lease));
            diesel::delete(mine).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Returns a message for another attempt after `delay`. A failed attempt counts. One that was only interrupted
    /// (`failed` is false, the process is stopping) does not.
    pub async fn return_message(
        &self,
        queue: &'static str,
        message: &ClaimedMessage,
        delay: Duration,
        failed: bool,
    ) -> Result<(), CoreError> {
        let (id, lease) = (message.id, message.lease.clone());
        self.write(move |tx| {
            let mine = queue_messages::table.find(id).filter(queue_messages::lease.eq(lease));
            diesel::update(mine)
                .set((
                    queue_messages::lease.eq(None::<String>),
                    queue_messages::available_at.eq(Timestamp::now().plus(delay).millis()),
                    queue_messages::attempt.eq(queue_messages::attempt + i32::from(failed)),
                ))
                .execute(tx.conn)?;
            tx.written.queues.insert(queue);
            Ok(())
        })
        .await
    }

    /// Parks a message that no consumer can process, with the reason.
    pub async fn park_message(&self, message: &ClaimedMessage, reason: String) -> Result<(), CoreError> {
        let (id, lease) = (message.id, message.lease.clone());
        self.write(move |tx| {
            let mine = queue_messages::table.find(id).filter(queue_messages::lease.eq(lease));
            diesel::update(mine)
                .set((
                    queue_messages::lease.eq(None::<String>),
                    queue_messages::dead_at.eq(Timestamp::now().millis()),
                    queue_messages::dead_reason.eq(reason),
                ))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Extends the leases of messages that are still being worked on.
    pub async fn renew_leases(&self, messages: Vec<(i64, String)>, lease: Duration) -> Result<(), CoreError> {
        self.write(move |tx| {
            let until = Timestamp::now().plus(lease).millis();
            for (id, token) in messages {
                let mine = queue_messages::table.find(id).filter(queue_messages::lease.eq(token));
                diesel::update(mine).set(queue_messages::available_at.eq(until)).execute(tx.conn)?;
            }
            Ok(())
        })
        .await
    }

    /// Makes every claimed message claimable at once. Only right while no consumer of this database can be alive: at
    /// the start of the one process that owns a SQLite file.
    pub async fn release_all_leases(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let claimed = queue_messages::table.filter(queue_messages::lease.is_not_null());
            Ok(diesel::update(claimed)
                .set((
                    queue_messages::lease.eq(None::<String>),
                    queue_messages::available_at.eq(Timestamp::now().millis()),
                ))
                .execute(tx.conn)?)
        })
        .await
    }

    /// The number of messages that are waiting or claimed, and the number of parked ones.
    pub async fn queue_depth(&self, queue: &'static str) -> Result<(i64, i64), CoreError> {
        self.read(move |conn| {
            let of_queue = || queue_messages::table.filter(queue_messages::queue.eq(queue));
            Ok((
                of_queue().filter(queue_messages::dead_at.is_null()).count().get_result(conn)?,
                of_queue().filter(queue_messages::dead_at.is_not_null()).count().get_result(conn)?,
            ))
        })
        .await
    }
}

/// The oldest claimable messages. On PostgreSQL the rows are locked, and rows that another consumer
/// is just claiming are passed over; SQLite has one writer at a time anyway.
fn ready(conn: &mut Conn, queue: &str, now: Timestamp, limit: i64) -> QueryResult<Vec<i64>> {
    let query = queue_messages::table
        .filter(queue_messages::queue.eq(queue))
        .filter(queue_messages::dead_at.is_null())
        .filter(queue_messages::available_at.le(now.millis()))
        .order((queue_messages::available_at, queue_messages::id))
        .limit(limit)
        .select(queue_messages::id);
    match conn {
        Conn::Pg(c) => query.for_update().skip_locked().load(c),
        Conn::Lite(c) => query.load(c),
    }
}
