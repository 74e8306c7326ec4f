//! Idempotency keys: a request is executed at most once, however often the client repeats it.
//!
//! A record has four states:
//!
//! - **fresh**: no record, or an expired one. The first request makes it and becomes its holder.
//! - **held**: the holder works and renews its lease. Repetitions learn that the request is under way.
//! - **answered**: the answer is stored, and every repetition within a day gets it.
//! - **abandoned**: the lease ended without an answer. The next repetition takes the record over.
//!
//! [`PendingAnswer`] makes "at most once" certain: the answer is stored by the holder alone, in the transaction of the
//! work that it reports. A process that dies before that commit has done nothing; one that dies after it has left the
//! answer. A process that was only frozen, and finds its record taken over, is rolled back. On SQLite, which has one
//! process, a restart abandons every record at once.

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

/// An answer is repeated for a day.
const KEEP: Duration = Duration::from_secs(24 * 3600);
/// A process that died keeps others away this long at most.
const LEASE: Duration = Duration::from_secs(30);
/// The interval in which a holder renews its lease. One missed renewal does no harm.
pub const RENEW_LEASE_EVERY: Duration = Duration::from_secs(10);
/// A record that changed this often in a row while it was read is no coincidence.
const LOOKS: u32 = 5;

/// A request with an idempotency key.
pub struct RepeatableRequest {
    /// Keys of different workspaces or endpoints are different keys.
    pub workspace: WorkspaceId,
    /// Method and pattern of the route.
    pub endpoint: &'static str,
    /// The client's idempotency key.
    pub key: String,
    /// The part that has to be the same in a repetition. It may contain secrets.
    pub content: Zeroizing<Vec<u8>>,
}

/// The state in which a request finds its record.
pub enum Begun {
    /// It is the first request, or the first after one that failed. It holds the record now.
    First(Ticket),
    /// The request was executed, with this answer.
    Answered(StoredAnswer),
    /// The first request is still being executed.
    UnderWay,
    /// The key belongs to a request with other content.
    OtherContent,
}

/// An answer to be repeated, as the HTTP layer wrote it. The store seals it and returns it, and interprets none of it.
/// May contain secrets.
#[derive(Clone)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct StoredAnswer {
    pub status: u16,
    /// The header of this name, if there is one.
    pub location: Option<String>,
    /// The id of the request that was executed, which the answer contains.
    pub request_id: String,
    pub body: Zeroizing<String>,
}

/// An answer as it is sealed.
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
    record: RecordKey,
    holder: String,
    completed: Arc<AtomicBool>,
}

/// An answer that is stored in the transaction that does the work.
pub struct PendingAnswer<T> {
    kept: Option<(Ticket, Render<T>)>,
}

type Render<T> = Arc<dyn Fn(&T) -> Result<StoredAnswer, CoreError> + Send + Sync>;

#[derive(Clone)]
struct RecordKey {
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
    /// Makes the record of a request, or reads the one that exists.
    pub async fn begin_once(&self, request: RepeatableRequest) -> Result<Begun, CoreError> {
        let record = RecordKey {
            workspace: request.workspace.to_string(),
            endpoint: request.endpoint,
            key: request.key.clone(),
        };
        let fingerprint = digest::digest(&digest::SHA256, &request.content).as_ref().to_vec();
        // Sealed, because a password in a body could be guessed from its hash.
        let sealed = self.vault().seal(&record.of("fingerprint"), &fingerprint)?;
        let ticket =
            Ticket { inner: self.inner.clone(), record, holder: Uuid::new_v4().to_string(), completed: Arc::default() };
        self.write(move |tx| ticket.begin(tx, &fingerprint, sealed)).await
    }

    /// Renews the lease of a holder. Does nothing once the answer is stored.
    pub async fn renew_lease(&self, ticket: &Ticket) -> Result<(), CoreError> {
        let ticket = ticket.clone();
        self.write(move |tx| {
            let until = Timestamp::now().plus(LEASE).millis();
            diesel::update(records::table)
                .filter(records::workspace_id.eq(&ticket.record.workspace))
                .filter(records::endpoint.eq(ticket.record.endpoint))
                .filter(records::request_key.eq(&ticket.record.key))
                .filter(records::holder.eq(&ticket.holder))
                .set(records::lease_ends_at.eq(until))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Stores the answer to work that was done before, unless it was stored together with the work.
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

    /// Gives up a request that failed, so that the next one with its key is a first one. An answer that was stored
    /// after all stays.
    pub async fn give_up_once(&self, ticket: &Ticket) -> Result<(), CoreError> {
        let ticket = ticket.clone();
        self.write(move |tx| {
            diesel::delete(records::table)
                .filter(records::workspace_id.eq(&ticket.record.workspace))
                .filter(records::endpoint.eq(ticket.record.endpoint))
                .filter(records::request_key.eq(&ticket.record.key))
                .filter(records::holder.eq(&ticket.holder))
                .filter(records::answer.is_null())
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Forgets answers that are no longer repeated. Returns how many.
    pub async fn purge_idempotency_records(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let expired = records::expires_at.le(Timestamp::now().millis());
            Ok(diesel::delete(records::table.filter(expired)).execute(tx.conn)?)
        })
        .await
    }
}

impl<T> PendingAnswer<T> {
    /// For a request without an idempotency key: nothing is stored.
    pub fn not_kept() -> Self {
        Self { kept: None }
    }

    /// `render` makes the answer from the result of the work.
    pub fn kept(
        ticket: Ticket,
        render: impl Fn(&T) -> Result<StoredAnswer, CoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { kept: Some((ticket, Arc::new(render))) }
    }

    /// Stores the answer. To be called as the last step of the transaction, with exactly the result that the caller of
    /// the store gets.
    ///
    /// # Errors
    /// `Unavailable` if the record was taken over. Then the transaction must be rolled back.
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
            workspace_id: self.record.workspace.clone(),
            endpoint: self.record.endpoint,
            request_key: self.record.key.clone(),
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
                .find((&self.record.workspace, self.record.endpoint, &self.record.key))
                .select(RecordRow::as_select())
                .first(tx.conn)
                .optional()?;
            // The holder gave it up since the insert.
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

    /// True if nobody works on the request any more. SQLite has one process, so what was begun before that process
    /// started need not wait for the end of a lease.
    fn is_abandoned(&self, found: &RecordRow, now: Timestamp) -> bool {
        let alone = self.inner.writer.is_some();
        let is_of_before = alone && found.lease_ends_at < self.inner.opened_at.plus(LEASE).millis();
        found.answer.is_none() && (is_of_before || found.lease_ends_at <= now.millis())
    }

    /// The answer for a record that somebody holds, or that has an answer.
    fn judge(&self, found: RecordRow, fingerprint: &[u8]) -> Result<Begun, TxError> {
        let vault = &self.inner.vault;
        let theirs = Sealed { key_id: found.fingerprint_key_id, bytes: found.fingerprint };
        if *vault.open(&self.record.of("fingerprint"), theirs)? != fingerprint {
            return Ok(Begun::OtherContent);
        }
        let (Some(key_id), Some(bytes)) = (found.answer_key_id, found.answer) else { return Ok(Begun::UnderWay) };
        let json = vault.open(&self.record.of("answer"), Sealed { key_id, bytes })?;
        let clear: ClearAnswer<String> = serde_json::from_slice(&json).map_err(|_| corrupt("answer"))?;
        let ClearAnswer { status, location, request_id, body } = clear;
        Ok(Begun::Answered(StoredAnswer { status, location, request_id, body: Zeroizing::new(body) }))
    }

    /// Makes the record this request's own, unless another one was faster or its holder is alive after all.
    fn take_over(&self, tx: &mut Tx<'_>, found: &RecordRow, row: &NewRecordRow) -> Result<bool, TxError> {
        let taken = diesel::update(records::table)
            .filter(records::workspace_id.eq(&self.record.workspace))
            .filter(records::endpoint.eq(self.record.endpoint))
            .filter(records::request_key.eq(&self.record.key))
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
        let sealed = self.inner.vault.seal(&self.record.of("answer"), &json)?;
        let stored = diesel::update(records::table)
            .filter(records::workspace_id.eq(&self.record.workspace))
            .filter(records::endpoint.eq(self.record.endpoint))
            .filter(records::request_key.eq(&self.record.key))
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

impl RecordKey {
    /// The location for which a secret of this record is sealed. The key may contain anything, so it stands last.
    fn of(&self, part: &str) -> String {
        format!("idempotency:{part}:{}:{}:{}", self.workspace, self.endpoint, self.key)
    }
}
