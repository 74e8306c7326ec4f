//! Merged creation: on PostgreSQL, mailboxes whose creations arrive together are written together.
//!
//! With one transaction for each create, a busy workspace would wait: its owner's counter is locked until the commit is
//! on disk, so creates would follow each other at the pace of the disk. Here the creates of one owner meet in one lane.
//! A create for which there is no room is done again alone, which also finds the right answer. So is every create of a
//! batch that met a conflict.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use serde::Serialize;

use crate::domain::{CoreError, Mailbox, OwnerId, Timestamp};
use crate::events::{Event, queues_for};
use crate::store::core::append::{NewMessageRow, message_rows, outbox_row};
use crate::store::core::backend::prepared::Piece::{self, Parameter, Sql};
use crate::store::core::backend::prepared::{Prepared, Statement};
use crate::store::core::backend::{Conn, EventRoute, Tx};
use crate::store::core::error::TxError;
use crate::store::core::merging::{Lane, Pending, fail};
use crate::store::core::outbox::{NewOutboxRow, OUTBOX};
use crate::store::mailboxes::creation::{Creation, create};
use crate::store::mailboxes::rows::{NewMailboxRow, reference};
use crate::store::{Inner, Store};

/// Batches that are written at the same time. More lanes would mean smaller batches and more flushes.
const LANES: usize = 2;

/// The lanes in which creates wait for their batch.
#[derive(Default)]
pub(crate) struct CreationLanes([Lane<Creation, Mailbox>; LANES]);

impl CreationLanes {
    fn of(&self, owner: OwnerId) -> &Lane<Creation, Mailbox> {
        // The last digit of an id is random.
        let random = owner.to_string().bytes().last().unwrap_or_default();
        &self.0[usize::from(random) % LANES]
    }
}

impl Store {
    /// Creates a mailbox together with others that arrive at the same time.
    pub(crate) async fn create_merged(&self, creation: Creation) -> Result<Mailbox, CoreError> {
        let inner = self.inner.clone();
        self.inner.creations.of(creation.owner).run(creation, move |batch| write_batch(&inner, batch)).await
    }
}

fn write_batch(inner: &Inner, batch: Vec<Pending<Creation, Mailbox>>) {
    let creations: Vec<&Creation> = batch.iter().map(|pending| &pending.job).collect();
    match inner.transact(|tx| write_together(tx, &creations)).map_err(CoreError::from) {
        Ok(Written { created, without_room }) => {
            for pending in batch {
                let id = pending.job.mailbox.id.to_string();
                if created.contains(&id) {
                    let (creation, answer) = pending.take();
                    answer(Ok(creation.mailbox));
                } else if without_room.contains(&id) {
                    write_alone(inner, pending);
                } else {
                    pending.answer(Err(CoreError::AlreadyExists));
                }
            }
        }
        Err(CoreError::Conflict(_)) => batch.into_iter().for_each(|pending| write_alone(inner, pending)),
        Err(error) => fail(batch, &error),
    }
}

fn write_alone(inner: &Inner, pending: Pending<Creation, Mailbox>) {
    let (creation, answer) = pending.take();
    let result = inner.transact(|tx| create(tx, &creation));
    answer(result.map(|()| creation.mailbox).map_err(CoreError::from));
}

/// Ids of mailboxes. An id in neither set has an address that exists under another id.
struct Written {
    created: HashSet<String>,
    /// The plan has no room for them, or their workspace is closed.
    without_room: HashSet<String>,
}

/// Writes rows, events and counters, in the order of [`crate::store::mailboxes::creation`]. Each of these is sorted, so
/// that batches of several gateways cannot wait for each other in a circle. `Conflict` if each creation needs an answer
/// of its own.
fn write_together(tx: &mut Tx<'_>, creations: &[&Creation]) -> Result<Written, TxError> {
    let written = insert(tx, creations)?;
    let mut slots: BTreeMap<String, i64> = BTreeMap::new();
    let mut opened: BTreeSet<String> = BTreeSet::new();
    for creation in creations.iter().filter(|c| written.created.contains(&c.mailbox.id.to_string())) {
        *slots.entry(creation.owner.to_string()).or_default() += 1;
        opened.insert(creation.mailbox.workspace_id.to_string());
    }
    if slots.is_empty() {
        return Ok(written);
    }
    match tx.route {
        EventRoute::Outbox => tx.written.queues.extend([OUTBOX]),
        EventRoute::Queues => tx.written.queues.extend(queues_for("mailbox.created")),
    }
    let wanted: Vec<Wanted> = slots.into_iter().map(|(id, slots)| Wanted { id, slots }).collect();
    let count = wanted.len();
    let taken = Prepared::<TakeSlots>::new(vec![json(&wanted)?, json(&opened)?]).execute(postgres(tx)?)?;
    if taken == count { Ok(written) } else { Err(CoreError::Conflict("a plan is full or a workspace closed").into()) }
}

/// The slots that one owner needs.
#[derive(Serialize)]
struct Wanted {
    id: String,
    slots: i64,
}

/// An event row and the mailbox whose creation it announces.
#[derive(Serialize)]
struct Announcement<Row: Serialize> {
    mailbox_id: String,
    #[serde(flatten)]
    row: Row,
}

/// Inserts mailboxes and their events in one statement.
fn insert(tx: &mut Tx<'_>, creations: &[&Creation]) -> Result<Written, TxError> {
    let rows: Vec<&NewMailboxRow> = creations.iter().map(|creation| &creation.row).collect();
    let rows = json(&rows)?;
    let results: Vec<(String, bool)> = match tx.route {
        EventRoute::Outbox => {
            let events: Vec<Announcement<NewOutboxRow>> =
                announcements(creations, |event, at| Ok(vec![outbox_row(event, at)?]))?;
            Prepared::<InsertWithOutbox>::new(vec![rows, json(&events)?]).load(postgres(tx)?)?
        }
        EventRoute::Queues => {
            let events: Vec<Announcement<NewMessageRow>> = announcements(creations, message_rows)?;
            Prepared::<InsertWithMessages>::new(vec![rows, json(&events)?]).load(postgres(tx)?)?
        }
    };
    let mut written = Written { created: HashSet::with_capacity(results.len()), without_room: HashSet::new() };
    for (id, created) in results {
        if created {
            written.created.insert(id)
        } else {
            written.without_room.insert(id)
        };
    }
    Ok(written)
}

fn announcements<Row: Serialize>(
    creations: &[&Creation],
    rows: impl Fn(Event, Timestamp) -> Result<Vec<Row>, CoreError>,
) -> Result<Vec<Announcement<Row>>, CoreError> {
    let mut all = Vec::with_capacity(creations.len());
    for creation in creations {
        let mailbox = &creation.mailbox;
        let of_mailbox = rows(Event::MailboxCreated(reference(mailbox)), mailbox.created_at)?;
        all.extend(of_mailbox.into_iter().map(|row| Announcement { mailbox_id: mailbox.id.to_string(), row }));
    }
    Ok(all)
}

fn json(rows: &impl Serialize) -> Result<String, CoreError> {
    serde_json::to_string(rows).map_err(|e| CoreError::Internal(format!("rows cannot be serialised: {e}")))
}

fn postgres<'a>(tx: &'a mut Tx<'_>) -> Result<&'a mut PgConnection, TxError> {
    match tx.conn {
        Conn::Pg(conn) => Ok(conn),
        Conn::Lite(_) => Err(CoreError::Internal("SQLite merges by itself".to_owned()).into()),
    }
}

/// All rows are one parameter, so that the statement is the same for every size of batch. It returns the new mailboxes,
/// and those without room. Columns that are not in the list start as NULL or with their default.
macro_rules! insert_statement {
    ($name:ident, $events:literal) => {
        struct $name;

        impl Statement for $name {
            type Row = (Text, Bool);
            const PIECES: &'static [Piece] = &[
                Sql("WITH given AS (SELECT * FROM json_populate_recordset(NULL::mailboxes, CAST("),
                Parameter,
                Sql(" AS json))),
                with_room AS (
                    SELECT given.* FROM given
                    JOIN workspaces ON workspaces.id = given.workspace_id AND workspaces.deleted_at IS NULL
                    JOIN owners ON owners.id = workspaces.owner_id AND owners.subscription_active
                        AND (owners.max_mailboxes IS NULL OR owners.mailbox_usage < owners.max_mailboxes)
                ),
                new AS (
                    INSERT INTO mailboxes ("),
                Sql(NewMailboxRow::COLUMNS),
                Sql(") SELECT "),
                Sql(NewMailboxRow::COLUMNS),
                Sql(" FROM with_room ORDER BY workspace_id, email
                    ON CONFLICT (workspace_id, email) DO NOTHING
                    RETURNING id
                ),
                events AS (SELECT * FROM json_to_recordset(CAST("),
                Parameter,
                Sql($events),
            ];
        }
    };
}

insert_statement!(
    InsertWithOutbox,
    " AS json)) AS event (mailbox_id TEXT, event_id TEXT, event_type TEXT, envelope TEXT, created_at BIGINT)),
    announced AS (
        INSERT INTO outbox (event_id, event_type, envelope, created_at)
        SELECT event_id, event_type, envelope, created_at FROM events JOIN new ON new.id = events.mailbox_id
    )
    SELECT id, true FROM new
    UNION ALL SELECT id, false FROM given WHERE id NOT IN (SELECT id FROM with_room)"
);

insert_statement!(
    InsertWithMessages,
    " AS json)) AS event (mailbox_id TEXT, queue TEXT, event_id TEXT, event_type TEXT, envelope TEXT,
        attempt INTEGER, deliveries INTEGER, available_at BIGINT, created_at BIGINT)),
    announced AS (
        INSERT INTO queue_messages
            (queue, event_id, event_type, envelope, attempt, deliveries, available_at, created_at)
        SELECT queue, event_id, event_type, envelope, attempt, deliveries, available_at, created_at
        FROM events JOIN new ON new.id = events.mailbox_id
    )
    SELECT id, true FROM new
    UNION ALL SELECT id, false FROM given WHERE id NOT IN (SELECT id FROM with_room)"
);

/// Takes slots on several plans. It changes fewer rows than there are owners if a plan has too few slots, or if a
/// workspace was closed before its new mailboxes locked it. The owners are locked in the order of their ids, which an
/// UPDATE alone does not guarantee.
struct TakeSlots;

impl Statement for TakeSlots {
    type Row = ();
    const PIECES: &'static [Piece] = &[
        Sql("UPDATE owners SET mailbox_usage = mailbox_usage + locked.slots
        FROM (
            SELECT owners.id, wanted.slots FROM owners
            JOIN json_to_recordset(CAST("),
        Parameter,
        Sql(" AS json)) AS wanted (id TEXT, slots BIGINT) ON owners.id = wanted.id
            ORDER BY owners.id FOR UPDATE OF owners
        ) AS locked
        WHERE owners.id = locked.id AND subscription_active
            AND (max_mailboxes IS NULL OR mailbox_usage + locked.slots <= max_mailboxes)
            AND NOT EXISTS (
                SELECT 1 FROM workspaces WHERE deleted_at IS NOT NULL
                AND id IN (SELECT json_array_elements_text(CAST("),
        Parameter,
        Sql(" AS json)))
            )"),
    ];
}
