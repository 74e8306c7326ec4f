//! Requests that carry a key of their own and are therefore carried out once, however often they come.
//!
//! The first one makes a record and holds it by a lease, which it renews while it works; its twins are
//! told that it is under way, and later its answer. What makes "once" certain is [`PendingAnswer`]: the
//! answer is stored in the transaction of what it tells of, and only by the holder. A process that dies
//! before that commit has done nothing, and leaves a record that anybody may take over when its lease
//! ends (on SQLite at once, after a restart); one that dies after it has left the answer. One that was only frozen, and finds its record
//! taken over, is rolled back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use diesel::prelude::*;
use ring::digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::domain::{CoreError, Timestamp, WorkspaceId};
use crate::store::core::backend::{Tx, both};
use crate::store::core::error::{TxError, corrupt, unavailable};
use crate::store::core::vault::Sealed;
use crate::store::schema::idempotency_records as records;
use crate::store::{Inner, Store};

/// How long an answer is given again.
const KEEP: Duration = Duration::from_secs(24 * 3600);
/// How long the record of a process that died keeps others away.
const LEASE: Duration = Duration::from_secs(30);
/// How often a holder has to renew its lease; one missed renewal does no harm.
pub const RENEW_LEASE_EVERY: Duration = Duration::from_secs(10);
/// A record that vanishes or changes while it is looked at, this often in a row, is no coincidence.
const LOOKS: u32 = 5;

/// A request that names itself.
pub struct RepeatableRequest {
    /// Keys of different workspaces and endpoints have nothing to do with each other.
    pub workspace: WorkspaceId,
    /// Method and pattern of the route.
    pub endpoint: &'static str,
    /// The caller's name for the request.
    pub key: String,
    /// What has to be the same in a repetition. It may contain secrets.
    pub content: Zeroizing<Vec<u8>>,
}

/// What is to become of a request that names itself.
pub enum Begun {
    /// It is the first one, or the first after one that failed. It holds the record now.
    First(Ticket),
    /// It was carried out, with this answer.
    Answered(StoredAnswer),
    /// The first one is still being carried out.
    UnderWay,
    /// The name is that of a request with another content.
    OtherContent,
}

/// An answer as it is given again. May contain secrets.
#[derive(Clone)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// Header of this name.
    pub location: Option<String>,
    /// What the answer says about which request it belongs to.
    pub request_id: String,
    /// The whole body.
    pub body: Zeroizing<String>,
}

/// What is sealed of an answer.
#[derive(Serialize, Deserialize)]
struct ClearAnswer<S> {
    status: u16,
    location: Option<S>,
    request_id: S,
    body: S,
}

/// Holds the record of a request. Cheap to clone.
#[derive(Clone)]
pub struct Ticket {
    inner: Arc<Inner>,
    place: Place,
    holder: String,
    completed: Arc<AtomicBool>,
}

/// The answer that will be given when something is done: stored in the transaction that does it.
pub struct PendingAnswer<T> {
    kept: Option<(Ticket, Render<T>)>,
}

type Render<T> = Arc<dyn Fn(&T) -> Result<StoredAnswer, CoreError> + Send + Sync>;

#[derive(Clone)]
struct Place {
    workspace: String,
    endpoint: &'static str,
    key: String,
}

#[derive(Insertable)]
#[diesel(table_name = records)]
struct NewRecordRow {
    workspace_id: String,
    endpoint: &'static str,
    request_key: String,
    holder: String,
    lease_ends_at: i64,
    fingerprint_key_id: String,
    fingerprint: Vec<u8>,
    expires_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = records)]
struct RecordRow {
    holder: String,
    lease_ends_at: i64,
    fingerprint_key_id: String,
    fingerprint: Vec<u8>,
    answer_key_id: Option<String>,
    answer: Option<Vec<u8>>,
    expires_at: i64,
}

impl Store {
    /// Makes the record of a request, or finds out what became of the one that has it.
    pub async fn begin_once(&self, request: RepeatableRequest) -> Result<Begun, CoreError> {
        let place =
            Place { workspace: request.workspace.to_string(), endpoint: request.endpoint, key: request.key.clone() };
        let fingerprint = digest::digest(&digest::SHA256, &request.content).as_ref().to_vec();
        // Sealed: a password in a body could be guessed from its hash.
        let sealed = self.vault().seal(&place.of("fingerprint"), &fingerprint)?;
        let ticket =
            Ticket { inner: self.inner.clone(), place, holder: Uuid::new_v4().to_string(), completed: Arc::default() };
        self.write(move |tx| ticket.begin(tx, &fingerprint, sealed)).await
    }

    /// Keeps the others away for another while. Does nothing once the answer is stored.
    pub async fn renew_lease(&self, ticket: &Ticket) -> Result<(), CoreError> {
        let ticket = ticket.clone();
        self.write(move |tx| {
            let until = Timestamp::now().plus(LEASE).millis();
            diesel::update(records::table)
                .filter(records::workspace_id.eq(&ticket.place.workspace))
                .filter(records::endpoint.eq(ticket.place.endpoint))
                .filter(records::request_key.eq(&ticket.place.key))
                .filter(records::holder.eq(&ticket.holder))
                .set(records::lease_ends_at.eq(until))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Stores the answer to what was done already, unless that was done together with it.
    ///
    /// # Errors
    /// `Unavailable` when the record was taken over.
    pub async fn answer_once(&self, ticket: &Ticket, answer: StoredAnswer) -> Result<(), CoreError> {
        if ticket.completed.load(Relaxed) {
            return Ok(());
        }
        let ticket = ticket.clone();
        self.write(move |tx| ticket.complete(tx, &answer)).await
    }

    /// Gives up a request that failed: the next one with its name is a first one. An answer that was
    /// stored after all stays.
    pub async fn give_up_once(&self, ticket: &Ticket) -> Result<(), CoreError> {
        let ticket = ticket.clone();
        self.write(move |tx| {
            diesel::delete(records::table)
                .filter(records::workspace_id.eq(&ticket.place.workspace))
                .filter(records::endpoint.eq(ticket.place.endpoint))
                .filter(records::request_key.eq(&ticket.place.key))
                .filter(records::holder.eq(&ticket.holder))
                .filter(records::answer.is_null())
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Forgets answers that are not given again any more. Returns how many.
    pub async fn purge_idempotency_records(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let expired = records::expires_at.le(Timestamp::now().millis());
            Ok(diesel::delete(records::table.filter(expired)).execute(tx.conn)?)
        })
        .await
    }
}

impl<T> PendingAnswer<T> {
    /// The answer to a request that did not name itself.
    pub fn not_kept() -> Self {
        Self { kept: None }
    }

    /// `render` makes the answer out of what was done.
    pub fn kept(
        ticket: Ticket,
        render: impl Fn(&T) -> Result<StoredAnswer, CoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { kept: Some((ticket, Arc::new(render))) }
    }

    /// Stores the answer. To be called in the transaction after which nothing can fail any more, with
    /// exactly what the caller of the store will be given.
    ///
    /// # Errors
    /// `Unavailable` when the record was taken over: then nothing of the transaction must stay.
    pub(crate) fn complete(self, tx: &mut Tx<'_>, done: &T) -> Result<(), TxError> {
        match self.kept {
            Some((ticket, render)) => ticket.complete(tx, &render(done)?),
            None => Ok(()),
        }
    }
}

impl Ticket {
    fn begin(self, tx: &mut Tx<'_>, fingerprint: &[u8], sealed: Sealed) -> Result<Begun, TxError> {
        let now = Timestamp::now();
        let row = NewRecordRow {
            workspace_id: self.place.workspace.clone(),
            endpoint: self.place.endpoint,
            request_key: self.place.key.clone(),
            holder: self.holder.clone(),
            lease_ends_at: now.plus(LEASE).millis(),
            fingerprint_key_id: sealed.key_id,
            fingerprint: sealed.bytes,
            expires_at: now.plus(KEEP).millis(),
        };
        for _ in 0..LOOKS {
            let made = both!(&mut *tx.conn, |c| {
                diesel::insert_into(records::table).values(&row).on_conflict_do_nothing().execute(c)
            })?;
            if made == 1 {
                return Ok(Begun::First(self));
            }
            let found: Option<RecordRow> = records::table
                .find((&self.place.workspace, self.place.endpoint, &self.place.key))
                .select(RecordRow::as_select())
                .first(tx.conn)
                .optional()?;
            // Given up in this moment.
            let Some(found) = found else { continue };
            let is_over = found.expires_at <= now.millis();
            if !is_over && !self.is_abandoned(&found, now) {
                return self.judge(found, fingerprint);
            }
            if self.take_over(tx, &found, &row)? {
                return Ok(Begun::First(self));
            }
        }
        Err(unavailable("an idempotency record does not keep still").into())
    }

    /// Whether nobody is at work on it any more. SQLite has one process: what was begun before this one was
    /// there need not wait for the end of a lease.
    fn is_abandoned(&self, found: &RecordRow, now: Timestamp) -> bool {
        let alone = self.inner.writer.is_some();
        let is_of_before = alone && found.lease_ends_at < self.inner.opened_at.plus(LEASE).millis();
        found.answer.is_none() && (is_of_before || found.lease_ends_at <= now.millis())
    }

    /// What to say about a record that somebody holds, or that has an answer.
    fn judge(&self, found: RecordRow, fingerprint: &[u8]) -> Result<Begun, TxError> {
        let vault = &self.inner.vault;
        let theirs = Sealed { key_id: found.fingerprint_key_id, bytes: found.fingerprint };
        if *vault.open(&self.place.of("fingerprint"), theirs)? != fingerprint {
            return Ok(Begun::OtherContent);
        }
        let (Some(key_id), Some(bytes)) = (found.answer_key_id, found.answer) else { return Ok(Begun::UnderWay) };
        let json = vault.open(&self.place.of("answer"), Sealed { key_id, bytes })?;
        let clear: ClearAnswer<String> = serde_json::from_slice(&json).map_err(|_| corrupt("answer"))?;
        let ClearAnswer { status, location, request_id, body } = clear;
        Ok(Begun::Answered(StoredAnswer { status, location, request_id, body: Zeroizing::new(body) }))
    }

    /// Makes the record its own, unless somebody else was faster or its holder is alive after all.
    fn take_over(&self, tx: &mut Tx<'_>, found: &RecordRow, row: &NewRecordRow) -> Result<bool, TxError> {
        let taken = diesel::update(records::table)
            .filter(records::workspace_id.eq(&self.place.workspace))
            .filter(records::endpoint.eq(self.place.endpoint))
            .filter(records::request_key.eq(&self.place.key))
            .filter(records::holder.eq(&found.holder))
            .filter(records::lease_ends_at.eq(found.lease_ends_at))
            .filter(records::answer.is_null().eq(found.answer.is_none()))
            .set((
                records::holder.eq(&row.holder),
                records::lease_ends_at.eq(row.lease_ends_at),
                records::fingerprint_key_id.eq(&row.fingerprint_key_id),
                records::fingerprint.eq(&row.fingerprint),
                records::answer_key_id.eq(None::<String>),
                records::answer.eq(None::<Vec<u8>>),
                records::expires_at.eq(row.expires_at),
            ))
            .execute(tx.conn)?;
        Ok(taken == 1)
    }

    fn complete(&self, tx: &mut Tx<'_>, answer: &StoredAnswer) -> Result<(), TxError> {
        let clear = ClearAnswer {
            status: answer.status,
            location: answer.location.as_deref(),
            request_id: answer.request_id.as_str(),
            body: answer.body.as_str(),
        };
        let json = serde_json::to_vec(&clear)
            .map(Zeroizing::new)
            .map_err(|e| CoreError::Internal(format!("an answer cannot be serialised: {e}")))?;
        let sealed = self.inner.vault.seal(&self.place.of("answer"), &json)?;
        let stored = diesel::update(records::table)
            .filter(records::workspace_id.eq(&self.place.workspace))
            .filter(records::endpoint.eq(self.place.endpoint))
            .filter(records::request_key.eq(&self.place.key))
            .filter(records::holder.eq(&self.holder))
            .filter(records::answer.is_null())
            .set((records::answer_key_id.eq(sealed.key_id), records::answer.eq(sealed.bytes)))
            .execute(tx.conn)?;
        if stored == 0 {
            return Err(unavailable("the idempotency record was taken over").into());
        }
        self.completed.store(true, Relaxed);
        Ok(())
    }
}

impl Place {
    /// Where a secret of this record belongs. The key, which may contain anything, stands last.
    fn of(&self, part: &str) -> String {
        format!("idempotency:{part}:{}:{}:{}", self.workspace, self.endpoint, self.key)
    }
}
