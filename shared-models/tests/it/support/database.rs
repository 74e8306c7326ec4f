//! The database of a test, and a way to look into it behind the store's back.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types};
use mail_lab::{Database, Postgres};
use secrecy::SecretString;
use shared_models::domain::CoreError;
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, Store};
use tempfile::TempDir;

/// Runs each of these functions on both backends; the backend is in the name of the test.
macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise($crate::support::database::TestDatabase::sqlite()).await;
            }
        )+ }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise($crate::support::database::TestDatabase::postgres()).await;
            }
        )+ }
    };
}

/// The master key of tests that need no special one: 32 times the byte 7.
pub(crate) const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A database that is deleted with the value.
pub(crate) enum TestDatabase {
    Sqlite(TempDir),
    Postgres(Database),
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        // In memory where possible, because synchronous=FULL on a shared disk would take most of the time.
        let folder = tempfile::Builder::new().prefix("store-").tempdir_in("/dev/shm");
        Self::Sqlite(folder.or_else(|_| tempfile::tempdir()).unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Postgres::shared().unwrap().database().unwrap())
    }

    pub(crate) fn settings(&self) -> DatabaseSettings {
        match self {
            Self::Sqlite(_) => DatabaseSettings::Sqlite { path: self.file() },
            Self::Postgres(server) => DatabaseSettings::Postgres { url: server.url(), max_connections: 6 },
        }
    }

    /// Opens it, migrated and unlocked with [`KEY`].
    pub(crate) async fn open(&self) -> Store {
        self.unlock(KEY).await.unwrap()
    }

    /// As [`Self::open`], for use with a message broker.
    pub(crate) async fn open_with_outbox(&self) -> Store {
        let keys = KeyRing::parse(&SecretString::from(KEY)).unwrap();
        LockedStore::open(self.settings()).await.unwrap().with_outbox().unlock(keys).await.unwrap()
    }

    pub(crate) async fn unlock(&self, keys: &str) -> Result<Store, CoreError> {
        let keys = KeyRing::parse(&SecretString::from(keys)).unwrap();
        LockedStore::open(self.settings()).await?.unlock(keys).await
    }

    /// The column `value` of each row, as text.
    pub(crate) fn texts(&self, sql: &str) -> Vec<Option<String>> {
        match self {
            Self::Sqlite(_) => {
                let rows: Vec<Row> = sql_query(sql).load(&mut self.connect()).unwrap();
                rows.into_iter().map(|row| row.value).collect()
            }
            Self::Postgres(server) => {
                server.execute(sql).unwrap().into_iter().map(|row| row.into_iter().next().flatten()).collect()
            }
        }
    }

    /// The column `value` of the only row, as text.
    pub(crate) fn text(&self, sql: &str) -> String {
        let mut rows = self.texts(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0).unwrap_or_default()
    }

    pub(crate) fn count(&self, from: &str) -> i64 {
        self.text(&format!("SELECT CAST(count(*) AS TEXT) AS value FROM {from}")).parse().unwrap()
    }

    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => self.connect().batch_execute(sql).unwrap(),
            Self::Postgres(server) => drop(server.execute(sql).unwrap()),
        }
    }

    /// Every value of every row of a table as text, bytes in hex.
    pub(crate) fn dump(&self, table: &str) -> String {
        let rows = match self {
            Self::Postgres(_) => self.texts(&format!("SELECT CAST(rows AS TEXT) AS value FROM {table} AS rows")),
            Self::Sqlite(_) => {
                let columns = self.texts(&format!(
                    "SELECT iif(type = 'BLOB', 'lower(hex(' || name || '))', 'ifnull(' || name || ', 0)') AS value
                     FROM pragma_table_info('{table}')"
                ));
                let columns: Vec<String> = columns.into_iter().flatten().collect();
                self.texts(&format!("SELECT {} AS value FROM {table}", columns.join(" || ', ' || ")))
            }
        };
        rows.into_iter().flatten().map(|row| row + "\n").collect()
    }

    fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("mailmoor.db"),
            Self::Postgres(_) => unreachable!("PostgreSQL has no file of ours"),
        }
    }

    fn connect(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(&self.file().to_string_lossy()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        conn
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    value: Option<String>,
}
