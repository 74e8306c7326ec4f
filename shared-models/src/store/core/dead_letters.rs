//! Dead letters: messages of the embedded broker that a consumer gave up on, for the operator.

use diesel::prelude::*;

use crate::domain::{CoreError, Timestamp};
use crate::store::Store;
use crate::store::schema::queue_messages;

/// A parked message, of either broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct DeadLetter {
    /// The name for the command line.
    pub id: String,
    /// The queue whose consumer gave up.
    pub queue: String,
    /// Type of the event, for example `mailbox.created`.
    pub event_type: String,
    /// The `id` of its CloudEvents envelope.
    pub event_id: String,
    /// The reason for which it was parked.
    pub reason: String,
    /// The number of times that a consumer got it.
    pub deliveries: u32,
    pub dead_at: Timestamp,
}

type Row = (i64, String, String, String, Option<String>, i32, Option<i64>);

impl Store {
    /// Every parked message, the oldest first.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError> {
        use queue_messages::dsl;
        self.read(|conn| {
            let columns =
                (dsl::id, dsl::queue, dsl::event_type, dsl::event_id, dsl::dead_reason, dsl::deliveries, dsl::dead_at);
            let parked = dsl::queue_messages.filter(dsl::dead_at.is_not_null()).order(dsl::id).select(columns);
            let rows: Vec<Row> = parked.load(conn)?;
            let letter = |(id, queue, event_type, event_id, reason, deliveries, dead_at): Row| DeadLetter {
                id: id.to_string(),
                queue,
                event_type,
                event_id,
                reason: reason.unwrap_or_default(),
                deliveries: deliveries.unsigned_abs(),
                dead_at: Timestamp::from_millis(dead_at.unwrap_or_default()),
            };
            Ok(rows.into_iter().map(letter).collect())
        })
        .await
    }

    /// The number of parked messages of all queues.
    pub async fn count_dead_letters(&self) -> Result<u64, CoreError> {
        use queue_messages::dsl;
        let parked = dsl::queue_messages.filter(dsl::dead_at.is_not_null()).count();
        self.read(move |conn| Ok(parked.get_result::<i64>(conn)?.unsigned_abs())).await
    }

    /// Puts one parked message (or, without an id, all of them) back into its queue as if it were
    /// new. Returns how many; `NotFound` when the named one is not parked.
    pub async fn replay_dead_letters(&self, id: Option<i64>) -> Result<usize, CoreError> {
        use queue_messages::dsl;
        self.write(move |tx| {
            let set = (
                dsl::dead_at.eq(None::<i64>),
                dsl::dead_reason.eq(None::<String>),
                dsl::attempt.eq(1),
                dsl::deliveries.eq(0),
                dsl::available_at.eq(Timestamp::now().millis()),
            );
            let parked = dsl::queue_messages.filter(dsl::dead_at.is_not_null());
            let replayed = match id {
                Some(id) => diesel::update(parked.filter(dsl::id.eq(id))).set(set).execute(tx.conn)?,
                None => diesel::update(parked).set(set).execute(tx.conn)?,
            };
            if id.is_some() && replayed == 0 { Err(CoreError::NotFound("dead letter").into()) } else { Ok(replayed) }
        })
        .await
    }

    /// Deletes one parked message for good.
    pub async fn drop_dead_letter(&self, id: i64) -> Result<(), CoreError> {
        use queue_messages::dsl;
        self.write(move |tx| {
            let parked = dsl::queue_messages.filter(dsl::dead_at.is_not_null()).filter(dsl::id.eq(id));
            if diesel::delete(parked).execute(tx.conn)? == 0 {
                return Err(CoreError::NotFound("dead letter").into());
            }
            Ok(())
        })
        .await
    }
}
