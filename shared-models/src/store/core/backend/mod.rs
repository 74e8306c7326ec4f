//! The two backends, PostgreSQL and SQLite: how connections are opened, pooled and written through. Queries are written
//! once, against [`Conn`].

pub(crate) mod pool;
pub(crate) mod postgres;
pub(crate) mod prepared;
pub(crate) mod sqlite;

use diesel::{Connection, PgConnection, SqliteConnection};

use crate::store::core::wakeups::Written;

/// A connection to either backend. `Conn::establish` would try PostgreSQL and then open a SQLite file *named like the
/// URL*, so it is never called; see [`Target::connect`].
#[derive(diesel::MultiConnection)]
pub(crate) enum Conn {
    /// PostgreSQL, through libpq.
    Pg(PgConnection),
    /// SQLite, compiled into the program.
    Lite(SqliteConnection),
}

/// Runs the same expression on either backend's own connection. Needed where the enum connection cannot express a
/// statement (RETURNING of rows, ON CONFLICT). The busiest statements use it, too: the enum connection would build
/// their SQL anew each time.
macro_rules! both {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::core::backend::Conn::Pg($c) => $body,
            $crate::store::core::backend::Conn::Lite($c) => $body,
        }
    };
}
pub(crate) use both;

/// The table that events go into when the data that caused them is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventRoute {
    /// Into the queues of the embedded broker, in the same database.
    Queues,
    /// Into the outbox, from where a relay brings them to a message broker.
    Outbox,
}

/// A write transaction in progress, with the route of its events and the list of what has to be announced after the
/// commit.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a mut Conn,
    pub(crate) route: EventRoute,
    pub(crate) written: &'a mut Written,
}

/// The database, chosen by the settings and never guessed from a failed attempt.
#[derive(Clone)]
pub(crate) enum Target {
    /// A URL such as `postgres://host/database`.
    Pg(String),
    /// A file, for reading only or for both.
    Lite { path: String, read_only: bool },
}

impl Target {
    pub(crate) fn connect(&self) -> diesel::ConnectionResult<Conn> {
        match self {
            Self::Pg(url) => PgConnection::establish(&impatient(url)).map(Conn::Pg),
            Self::Lite { path, read_only } => {
                let mut conn = SqliteConnection::establish(path)?;
                sqlite::prepare(&mut conn, *read_only).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(Conn::Lite(conn))
            }
        }
    }
}

/// Adds time limits for a server that does not answer. Those in the URL win.
fn impatient(url: &str) -> String {
    let mut url = url.to_owned();
    // In seconds, and in milliseconds for bytes that nobody acknowledges (libpq, section 34.1.2).
    for (name, value) in [("connect_timeout", "5"), ("tcp_user_timeout", "15000"), ("keepalives_idle", "30")] {
        if !url.contains(name) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.extend([separator.to_string().as_str(), name, "=", value]);
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::impatient;

    #[test]
    fn the_urls_own_words_win() {
        let rest = "tcp_user_timeout=15000&keepalives_idle=30";
        assert_eq!(impatient("postgres://h/d"), format!("postgres://h/d?connect_timeout=5&{rest}"));
        assert_eq!(
            impatient("postgres://h/d?connect_timeout=9&sslmode=require"),
            format!("postgres://h/d?connect_timeout=9&sslmode=require&{rest}")
        );
    }
}
