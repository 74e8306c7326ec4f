//! Claims: one process at a time works on a mailbox, a sending account or a lane of an import. A broker that loses a
//! connection delivers the message again, to another process, while the first one is still signing in. Without claims,
//! both would.
//!
//! On PostgreSQL a claim is a session's advisory lock: it writes nothing, and it ends with the process that holds it,
//! however that ends. SQLite has one process, whose runner hands out each subject once at a time.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use crate::domain::{CoreError, MailboxId, SendingAccountId};
use crate::events::LaneRef;
use crate::store::Store;
use crate::store::core::backend::{Conn, Target};
use crate::store::core::blocking::{answered, blocking};
use crate::store::core::error::{is_broken, unavailable};

/// The connection that holds the claims of this process.
pub(crate) struct ClaimHolder {
    target: Target,
    /// Opened with the first claim, and again after it broke.
    conn: Mutex<Option<Conn>>,
}

/// Exclusive work on something, until it is dropped.
pub struct Claim(Option<Held>);

struct Held {
    holder: Arc<ClaimHolder>,
    key: i64,
}

/// Ends the session of a process that is frozen and keeps its claims. That is safe: a process that goes on opens a new
/// session, and the result of its old work finds the mailbox settled. A live holder claims or releases something within
/// seconds, and no sign-in takes two minutes.
const END_FROZEN_HOLDER: &str = "
    SELECT coalesce(bool_or(pg_terminate_backend(activity.pid)), false) AS done
    FROM pg_locks JOIN pg_stat_activity AS activity ON activity.pid = pg_locks.pid
    WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = $1
        AND activity.state_change < now() - interval '2 minutes'";

impl Store {
    /// Claims a mailbox; `None` when another process has it.
    pub async fn claim_mailbox(&self, id: MailboxId) -> Result<Option<Claim>, CoreError> {
        self.claim(id.lock_key(), format!("mailbox.id={id}")).await
    }

    /// Claims a sending account; `None` when another process has it.
    pub async fn claim_sending_account(&self, id: SendingAccountId) -> Result<Option<Claim>, CoreError> {
        self.claim(id.lock_key(), format!("provider.id={id}")).await
    }

    /// Claims a lane of an import; `None` when another process has it.
    pub async fn claim_lane(&self, lane: LaneRef) -> Result<Option<Claim>, CoreError> {
        let key = lane.import_id.lock_key().wrapping_add(i64::from(lane.lane));
        self.claim(key, format!("import.id={} lane={}", lane.import_id, lane.lane)).await
    }

    async fn claim(&self, key: i64, subject: String) -> Result<Option<Claim>, CoreError> {
        let Some(holder) = self.inner.claims.clone() else { return Ok(Some(Claim(None))) };
        answered(blocking(move || {
            let free = holder.ask("SELECT pg_try_advisory_lock($1) AS done", key)?;
            if !free && holder.ask(END_FROZEN_HOLDER, key)? {
                log::warn!("{subject} the process that claimed it is frozen; its claims are ended");
            }
            Ok(free.then(|| Claim(Some(Held { holder, key }))))
        }))
        .await
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(Held { holder, key }) = self.0.take() else { return };
        // Outside of a runtime the process is ending, and its claims with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || {
                if let Err(error) = holder.ask("SELECT pg_advisory_unlock($1) AS done", key) {
                    log::debug!("a claim ended with its connection: {error}");
                }
            });
        }
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    done: bool,
}

impl ClaimHolder {
    /// A holder for claims on this database; it connects with the first claim.
    pub(crate) fn new(target: Target) -> Self {
        Self { target, conn: Mutex::new(None) }
    }

    fn ask(&self, question: &str, key: i64) -> Result<bool, CoreError> {
        let mut held = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut conn = match held.take() {
            Some(conn) => conn,
            None => self.target.connect().map_err(unavailable)?,
        };
        match diesel::sql_query(question).bind::<BigInt, _>(key).get_result::<Answer>(&mut conn) {
            Ok(answer) => {
                *held = Some(conn);
                Ok(answer.done)
            }
            // All claims ended with the connection. At worst a login that is under way is made again.
            Err(error) if is_broken(&error) => Err(unavailable(error)),
            Err(error) => {
                *held = Some(conn);
                Err(CoreError::Internal(format!("database: {error}")))
            }
        }
    }
}
