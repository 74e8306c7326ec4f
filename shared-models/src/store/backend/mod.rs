//! What differs between PostgreSQL and SQLite: how connections are opened, pooled and written
//! through. Queries are written once, against [`Conn`].

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};

use super::error::{TxError, is_broken};

/// A connection to either backend. SQLite stands last: `Conn::establish` would try PostgreSQL and
/// then open SQLite *with the same string*, so it is never called; see [`Target::connect`].
#[derive(diesel::MultiConnection)]
pub(crate) enum Conn {
    /// PostgreSQL 13 or newer.
    Pg(PgConnection),
    /// SQLite, built in.
    Lite(SqliteConnection),
}

/// For what the enum connection cannot express (RETURNING of rows, ON CONFLICT), and for the busiest
/// statements, whose SQL the enum connection would write anew each time: the same text, type-checked
/// once per backend.
macro_rules! both {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::backend::Conn::Pg($c) => $body,
            $crate::store::backend::Conn::Lite($c) => $body,
        }
    };
}
pub(crate) use both;

/// A write transaction in progress, and the queues to wake once it is committed.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a mut Conn,
    pub(crate) wake: &'a mut BTreeSet<&'static str>,
}

/// Which database, chosen by the settings and never guessed from a failed attempt.
#[derive(Clone)]
pub(crate) enum Target {
    /// `postgres://...`
    Pg(String),
    /// File and whether connections may only read.
    Lite { path: String, read_only: bool },
}

impl Target {
    pub(crate) fn connect(&self) -> diesel::ConnectionResult<Conn> {
        match self {
            Self::Pg(url) => PgConnection::establish(url).map(Conn::Pg),
            Self::Lite { path, read_only } => {
                let mut conn = SqliteConnection::establish(path)?;
                sqlite::prepare(&mut conn, *read_only).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(Conn::Lite(conn))
            }
        }
    }
}

/// A pooled connection that remembers whether it must be thrown away.
pub(crate) struct Pooled {
    pub(crate) conn: Conn,
    broken: bool,
}

impl Pooled {
    /// Runs work and notes when the connection did not survive it.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce(&mut Conn) -> Result<T, TxError>) -> Result<T, TxError> {
        // Assume the worst, so that a panic in `work` does not return a half-used connection.
        self.broken = true;
        let result = work(&mut self.conn);
        self.broken = matches!(&result, Err(TxError::Db(error)) if is_broken(error));
        result
    }
}

/// r2d2's own Diesel manager would go through `Conn::establish`.
pub(crate) struct Manager(pub(crate) Target);

impl diesel::r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let conn = self.0.connect().map_err(diesel::r2d2::Error::ConnectionError)?;
        Ok(Pooled { conn, broken: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Self::Error> {
        pooled.conn.batch_execute("SELECT 1").map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.broken
    }
}

/// A pool of connections to one target.
pub(crate) type Pool = diesel::r2d2::Pool<Manager>;
