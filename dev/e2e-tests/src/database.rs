//! A look into the database, for facts that no API returns.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types};

use crate::Deployment;

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = sql_types::BigInt)]
    rows: i64,
}

impl Deployment {
    /// How many rows there are. `of` is what stands after FROM, in words that both databases know.
    #[track_caller]
    pub fn count(&self, of: &str) -> usize {
        let question = format!("SELECT count(*) AS rows FROM {of}");
        let answer = match self.sqlite_file() {
            Some(file) => sql_query(&question).get_result(&mut sqlite(&file)),
            None => sql_query(&question).get_result(&mut PgConnection::establish(&self.database_url()).unwrap()),
        };
        let Answer { rows } = answer.unwrap_or_else(|error| panic!("{question}: {error}"));
        usize::try_from(rows).unwrap()
    }
}

fn sqlite(file: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(&file.to_string_lossy()).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA query_only = ON;").unwrap();
    connection
}
