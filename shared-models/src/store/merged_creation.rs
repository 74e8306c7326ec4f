//! Creates on PostgreSQL that arrive together are written together.
//!
//! One transaction for each create would leave a busy workspace waiting: its owner's counter is locked
//! until the commit is on disk, so creates would follow each other at the pace of the disk. Here those
//! of one owner meet in one lane. While a lane writes a batch, the next one gathers; nobody waits on
//! purpose. A batch in which something is out of the ordinary is undone and done again one by one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use serde::Serialize;
use tokio::sync::oneshot;

use super::append::{NewMessageRow, message_rows, outbox_row};
use super::backend::Tx;
use super::creation::{Creation, create};
use super::error::{TxError, unavailable};
use super::mailboxes::reference;
use super::outbox::{NewOutboxRow, OUTBOX};
use super::owners::{has_room, no_room, owners_by_id};
use super::rows::NewMailboxRow;
use super::schema::workspaces;
use super::{EventRoute, Inner, Store};
use crate::domain::tenancy::Owner;
use crate::domain::{DomainError, Mailbox, OwnerId};
use crate::events::{Event, queues_for};

/// Batches written at the same time. More would make the batches smaller and the flushes more.
const LANES: usize = 3;
/// Most creates in one batch; keeps the wait of the first one short.
const MAX_BATCH: usize = 256;

/// Where creates wait for their batch.
#[derive(Default)]
pub(super) struct Lanes([Arc<Lane>; LANES]);

#[derive(Default)]
struct Lane(Mutex<Gathering>);

#[derive(Default)]
struct Gathering {
    waiting: Vec<Pending>,
    /// Somebody writes, and will look again when done.
    writing: bool,
}

struct Pending {
    creation: Creation,
    reply: oneshot::Sender<Result<Mailbox, DomainError>>,
}

impl Pending {
    /// The caller may have gone away; what was done stands all the same.
    fn answer(self, result: Result<(), DomainError>) {
        let _ = self.reply.send(result.map(|()| self.creation.mailbox));
    }
}

impl Lanes {
    fn of(&self, owner: OwnerId) -> Arc<Lane> {
        // The last byte of an id is random.
        let random = owner.to_string().bytes().last().unwrap_or_default();
        self.0[usize::from(random) % LANES].clone()
    }
}

impl Lane {
    /// Adds one; true when the caller has to see to the writing.
    fn add(&self, pending: Pending) -> bool {
        let mut gathering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathering.waiting.push(pending);
        !std::mem::replace(&mut gathering.writing, true)
    }

    /// The next batch; when it is empty, the writing is over.
    fn next(&self) -> Vec<Pending> {
        let mut gathering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = gathering.waiting.len().min(MAX_BATCH);
        gathering.writing = count > 0;
        gathering.waiting.drain(..count).collect()
    }
}

impl Store {
    /// Creates a mailbox together with others that arrive at the same time.
    pub(super) async fn create_merged(&self, creation: Creation) -> Result<Mailbox, DomainError> {
        let lane = self.inner.lanes.of(creation.owner);
        let (reply, answer) = oneshot::channel();
        if lane.add(Pending { creation, reply }) {
            let inner = self.inner.clone();
            tokio::task::spawn_blocking(move || write_all(&inner, &lane));
        }
        answer.await.map_err(|_| unavailable("the create was not carried out"))?
    }
}

fn write_all(inner: &Inner, lane: &Lane) {
    loop {
        let batch = lane.next();
        if batch.is_empty() {
            return;
        }
        // A panic drops the batch, whose callers are told so, and not the lane.
        if catch_unwind(AssertUnwindSafe(|| write_batch(inner, batch))).is_err() {
            log::error!("a batch of creates panicked");
        }
    }
}

fn write_batch(inner: &Inner, batch: Vec<Pending>) {
    let Some(batch) = refuse_hopeless(inner, batch) else { return };
    if batch.is_empty() {
        return;
    }
    let creations: Vec<&Creation> = batch.iter().map(|pending| &pending.creation).collect();
    match inner.transact(|tx| write_together(tx, &creations)).map_err(DomainError::from) {
        Ok(created) => {
            for pending in batch {
                let created = created.contains(&pending.creation.mailbox.id.to_string());
                pending.answer(if created { Ok(()) } else { Err(DomainError::AlreadyExists) });
            }
        }
        Err(DomainError::Conflict(_)) => {
            for pending in batch {
                let result = inner.transact(|tx| create(tx, &pending.creation));
                pending.answer(result.map_err(DomainError::from));
            }
        }
        Err(error) => fail(batch, &error),
    }
}

/// Answers those whose owner has no room at all, so that they do not spoil the batches of others.
/// `None` when the database does not answer and nothing is left to do.
fn refuse_hopeless(inner: &Inner, batch: Vec<Pending>) -> Option<Vec<Pending>> {
    let mut ids: Vec<String> = batch.iter().map(|pending| pending.creation.owner.to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    let owners = super::with_conn(&inner.readers, |conn| owners_by_id(conn, &ids));
    let owners: HashMap<OwnerId, Owner> = match owners {
        Ok(owners) => owners.into_iter().map(|owner| (owner.id, owner)).collect(),
        Err(error) => {
            fail(batch, &error);
            return None;
        }
    };
    let mut hopeful = Vec::with_capacity(batch.len());
    for pending in batch {
        match owners.get(&pending.creation.owner) {
            Some(owner) if has_room(owner) => hopeful.push(pending),
            Some(owner) => pending.answer(Err(no_room(owner, 1))),
            None => pending.answer(Err(DomainError::NotFound("owner"))),
        }
    }
    Some(hopeful)
}

fn fail(batch: Vec<Pending>, error: &DomainError) {
    for pending in batch {
        pending.answer(Err(match error {
            DomainError::Unavailable { retry_after, cause } => {
                DomainError::Unavailable { retry_after: *retry_after, cause: cause.clone() }
            }
            other => DomainError::Internal(other.to_string()),
        }));
    }
}

/// Rows, events, counters: the order of [`super::creation`], and sorted within each, so that batches
/// of several gateways cannot wait for each other in a circle. Returns the ids of the mailboxes that
/// are new; the others exist already. `Conflict` when each create needs an answer of its own.
fn write_together(tx: &mut Tx<'_>, creations: &[&Creation]) -> Result<HashSet<String>, TxError> {
    let ids = insert(tx, creations)?;
    let created: Vec<&&Creation> = creations.iter().filter(|c| ids.contains(&c.mailbox.id.to_string())).collect();
    if created.is_empty() {
        return Ok(ids);
    }
    match tx.route {
        EventRoute::Outbox => tx.wake.extend([OUTBOX]),
        EventRoute::Queues => tx.wake.extend(queues_for("mailbox.created")),
    }
    let mut opened: Vec<String> = created.iter().map(|c| c.mailbox.workspace_id.to_string()).collect();
    opened.sort_unstable();
    opened.dedup();
    let open = workspaces::table.filter(workspaces::id.eq_any(&opened)).filter(workspaces::deleted_at.is_null());
    if open.count().get_result::<i64>(tx.conn)? != opened.len() as i64 {
        return Err(DomainError::Conflict("a workspace is closed").into());
    }
    let mut places: BTreeMap<String, i64> = BTreeMap::new();
    for creation in created {
        *places.entry(creation.owner.to_string()).or_default() += 1;
    }
    take(tx, places)?;
    Ok(ids)
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Places that an owner needs.
#[derive(Serialize)]
struct Wanted {
    id: String,
    places: i64,
}

/// An event row and the mailbox whose creation it announces.
#[derive(Serialize)]
struct Announcement<Row: Serialize> {
    mailbox_id: String,
    #[serde(flatten)]
    row: Row,
}

/// Mailboxes and their events in one statement; returns which mailboxes are new.
fn insert(tx: &mut Tx<'_>, creations: &[&Creation]) -> Result<HashSet<String>, TxError> {
    let rows: Vec<&NewMailboxRow> = creations.iter().map(|creation| &creation.row).collect();
    let (events, statement) = match tx.route {
        EventRoute::Outbox => {
            let rows = announcements(creations, |event, at| Ok(vec![outbox_row(event, at)?]))?;
            (json::<Announcement<NewOutboxRow>>(&rows)?, INSERT_WITH_OUTBOX)
        }
        EventRoute::Queues => {
            let rows = announcements(creations, message_rows)?;
            (json::<Announcement<NewMessageRow>>(&rows)?, INSERT_WITH_MESSAGES)
        }
    };
    let created: Vec<Id> = sql_query(statement).bind::<Text, _>(json(&rows)?).bind::<Text, _>(events).load(tx.conn)?;
    Ok(created.into_iter().map(|row| row.id).collect())
}

fn announcements<Row: Serialize>(
    creations: &[&Creation],
    rows: impl Fn(Event, crate::domain::Timestamp) -> Result<Vec<Row>, DomainError>,
) -> Result<Vec<Announcement<Row>>, DomainError> {
    let mut all = Vec::with_capacity(creations.len());
    for creation in creations {
        let mailbox = &creation.mailbox;
        let of_mailbox = rows(Event::MailboxCreated(reference(mailbox)), mailbox.created_at)?;
        all.extend(of_mailbox.into_iter().map(|row| Announcement { mailbox_id: mailbox.id.to_string(), row }));
    }
    Ok(all)
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, DomainError> {
    serde_json::to_string(rows).map_err(|e| DomainError::Internal(format!("rows cannot be serialised: {e}")))
}

/// One parameter for all rows: the statement is the same for every size of batch, and cheap to plan.
/// Columns that a new mailbox leaves empty have no default but NULL, or are set by the migration.
macro_rules! insert_with {
    ($events:literal) => {
        concat!(
            "WITH new AS (
                INSERT INTO mailboxes (id, workspace_id, email, display_name, provider, status, on_refusal,
                    daily_send_limit, sending_enabled, signature, tags, smtp_host, smtp_port, smtp_secure, imap_host,
                    imap_port, imap_secure, imap_guessed, credentials_key_id, credentials, created_at, updated_at,
                    verification_asked_at)
                SELECT id, workspace_id, email, display_name, provider, status, on_refusal,
                    daily_send_limit, sending_enabled, signature, tags, smtp_host, smtp_port, smtp_secure, imap_host,
                    imap_port, imap_secure, imap_guessed, credentials_key_id, credentials, created_at, updated_at,
                    verification_asked_at
                FROM json_populate_recordset(NULL::mailboxes, $1::json)
                ORDER BY workspace_id, email
                ON CONFLICT (workspace_id, email) DO NOTHING
                RETURNING id
            ), announced AS (",
            $events,
            ") SELECT id FROM new"
        )
    };
}

const INSERT_WITH_OUTBOX: &str = insert_with!(
    "INSERT INTO outbox (event_id, event_type, envelope, created_at)
     SELECT event_id, event_type, envelope, created_at
     FROM json_to_recordset($2::json)
        AS event (mailbox_id TEXT, event_id TEXT, event_type TEXT, envelope TEXT, created_at BIGINT)
     JOIN new ON new.id = event.mailbox_id"
);

const INSERT_WITH_MESSAGES: &str = insert_with!(
    "INSERT INTO queue_messages
        (queue, event_id, event_type, envelope, attempt, deliveries, available_at, created_at)
     SELECT queue, event_id, event_type, envelope, attempt, deliveries, available_at, created_at
     FROM json_to_recordset($2::json) AS event (mailbox_id TEXT, queue TEXT, event_id TEXT, event_type TEXT,
        envelope TEXT, attempt INTEGER, deliveries INTEGER, available_at BIGINT, created_at BIGINT)
     JOIN new ON new.id = event.mailbox_id"
);

/// Takes places on several plans; `Conflict` when one of them has not enough.
fn take(tx: &mut Tx<'_>, places: BTreeMap<String, i64>) -> Result<(), TxError> {
    let wanted: Vec<Wanted> = places.into_iter().map(|(id, places)| Wanted { id, places }).collect();
    let wanted_json = json(&wanted)?;
    if wanted.len() > 1 {
        // An UPDATE locks in an order of its own.
        sql_query(
            "SELECT id FROM owners WHERE id IN (SELECT id FROM json_to_recordset($1::json) AS wanted (id TEXT))
             ORDER BY id FOR UPDATE",
        )
        .bind::<Text, _>(&wanted_json)
        .execute(tx.conn)?;
    }
    let taken = sql_query(
        "UPDATE owners SET mailbox_usage = mailbox_usage + wanted.places
         FROM json_to_recordset($1::json) AS wanted (id TEXT, places BIGINT)
         WHERE owners.id = wanted.id AND subscription_active
            AND (max_mailboxes IS NULL OR mailbox_usage + wanted.places <= max_mailboxes)",
    )
    .bind::<Text, _>(&wanted_json)
    .execute(tx.conn)?;
    if taken == wanted.len() { Ok(()) } else { Err(DomainError::Conflict("a plan has not enough room").into()) }
}
