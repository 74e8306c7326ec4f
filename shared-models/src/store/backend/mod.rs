//! What differs between PostgreSQL and SQLite: how connections are opened, pooled and written
//! through. Queries are written once, against [`Conn`].

pub(crate) mod pool;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::collections::BTreeSet;

use diesel::{Connection, PgConnection, SqliteConnection};

use super::EventRoute;

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

/// A write transaction in progress, where its events go, and whom to wake once it is committed.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a mut Conn,
    pub(crate) route: EventRoute,
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
