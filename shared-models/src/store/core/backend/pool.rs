//! A pool of open connections. It adds two things to r2d2. While the database is down, callers get an error at once
//! instead of waiting. When it is back, no caller gets a connection from before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::{HandleError, ManageConnection, PooledConnection};

use super::{Conn, Target};
use crate::domain::CoreError;
use crate::store::core::error::{TxError, is_broken, unavailable};

/// Longest wait for a connection when all are in use.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// A waiting caller looks this often if the database has gone away.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// r2d2 connects again to a database that is down after at most half of this.
const RECONNECT: Duration = Duration::from_secs(1);

/// A pool of connections to one target. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: diesel::r2d2::Pool<Manager>,
    health: Arc<Health>,
}

#[derive(Default)]
struct Health {
    /// The last attempt to connect failed.
    down: AtomicBool,
    /// Counts the connections that broke. One that has not been looked at since the last breakage may
    /// be broken too.
    breakages: AtomicU64,
}

impl Pool {
    /// Opens one connection at once, more when they are needed.
    pub(crate) fn open(target: Target, size: u32) -> Result<Self, CoreError> {
        let health = Arc::new(Health::default());
        let inner = diesel::r2d2::Pool::builder()
            .max_size(size.max(1))
            .min_idle(Some(1))
            // A query before each use would cost every request a round trip; `get` makes one when there is reason to.
            .test_on_check_out(false)
            .connection_timeout(RECONNECT)
            .error_handler(Box::new(OneLine))
            .build(Manager { target, health: health.clone() })
            .map_err(unavailable)?;
        Ok(Self { inner, health })
    }

    /// Runs work on one connection, outside of a transaction.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T, TxError>) -> Result<T, CoreError> {
        Ok(self.get()?.run(work)?)
    }

    /// A connection that works, as far as is known.
    pub(crate) fn get(&self) -> Result<PooledConnection<Manager>, CoreError> {
        let begin = Instant::now();
        loop {
            match self.inner.get_timeout(LOOK_EVERY) {
                Ok(mut pooled) => {
                    if pooled.looks_alive() {
                        return Ok(pooled);
                    }
                }
                Err(error) => {
                    let gone = self.health.down.load(Relaxed) && self.inner.state().connections == 0;
                    if gone || begin.elapsed() > LONGEST_WAIT {
                        return Err(unavailable(error));
                    }
                }
            }
        }
    }
}

/// Logs failed connects. libpq's messages have several lines.
#[derive(Debug)]
struct OneLine;

impl HandleError<diesel::r2d2::Error> for OneLine {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        let text = error.to_string();
        log::warn!("database: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

/// A pooled connection that remembers whether it must be thrown away.
pub(crate) struct Pooled {
    conn: Conn,
    broken: bool,
    health: Arc<Health>,
    /// [`Health::breakages`] when this one was last known to work.
    seen: u64,
}

impl Pooled {
    /// Runs work and notes when the connection did not survive it.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce(&mut Conn) -> Result<T, TxError>) -> Result<T, TxError> {
        // Assume the worst, so that a panic in `work` does not return a half-used connection.
        self.broken = true;
        let result = work(&mut self.conn);
        self.broken = matches!(&result, Err(TxError::Db(error)) if is_broken(error));
        if self.broken {
            self.health.breakages.fetch_add(1, Relaxed);
        }
        result
    }

    fn looks_alive(&mut self) -> bool {
        let breakages = self.health.breakages.load(Relaxed);
        if self.seen != breakages {
            self.broken = self.conn.batch_execute("SELECT 1").is_err();
            self.seen = breakages;
        }
        !self.broken
    }
}

/// r2d2's own Diesel manager would go through `Conn::establish`.
pub(crate) struct Manager {
    target: Target,
    health: Arc<Health>,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let seen = self.health.breakages.load(Relaxed);
        let connected = self.target.connect();
        self.health.down.store(connected.is_err(), Relaxed);
        let conn = connected.map_err(diesel::r2d2::Error::ConnectionError)?;
        Ok(Pooled { conn, broken: false, health: self.health.clone(), seen })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Self::Error> {
        pooled.conn.batch_execute("SELECT 1").map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.broken
    }
}
