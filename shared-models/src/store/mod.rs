//! All Diesel and all SQL. Functions take and return domain types; those for tenants take the
//! workspace first, those for workers say so. A function that spans rows owns its transaction.
//! Async outside, blocking threads inside; nothing holds a connection while it waits for a network.

mod api_keys;
mod backend;
mod dead_letters;
mod dns_checks;
mod error;
mod housekeeping;
mod mailbox_list;
mod mailboxes;
mod migrations;
mod owners;
pub mod queue;
mod rows;
mod schema;
pub mod vault;
mod verifications;
mod wakeups;
mod workspaces;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backend::{Conn, Manager, Pool, Target, Tx};
use error::{TxError, unavailable};
use wakeups::Wakeups;

pub use api_keys::NewApiKey;
pub use dead_letters::DeadLetter;
pub use mailbox_list::{MailboxFilter, MailboxPage, PageRequest, TagMode};
pub use verifications::{Settled, Settlement};

use crate::domain::DomainError;
use vault::{KeyRing, Vault};

/// Which database to open.
#[derive(Clone)]
pub enum DatabaseSettings {
    /// A file on this machine, created when absent.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A server.
    Postgres {
        /// `postgres://user:password@host/database`; never logged.
        url: String,
        /// Most connections of this process.
        max_connections: u32,
    },
}

/// The database, shared by all parts of a process. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Pool,
    /// SQLite only; PostgreSQL writes through the pool.
    writer: Option<backend::sqlite::Writer>,
    wakeups: Wakeups,
    vault: Vault,
}

/// A migrated database whose master key is still to be given. The key may have to be generated,
/// which is right for a new database and wrong for one that has sealed something.
pub struct LockedStore {
    settings: DatabaseSettings,
    readers: Pool,
}

impl LockedStore {
    /// Opens the database and applies the migrations.
    pub async fn open(settings: DatabaseSettings) -> Result<Self, DomainError> {
        blocking(move || {
            let readers = match &settings {
                DatabaseSettings::Sqlite { path } => {
                    let path = path.to_string_lossy().into_owned();
                    let mut conn =
                        Target::Lite { path: path.clone(), read_only: false }.connect().map_err(unavailable)?;
                    migrations::run(&mut conn)?;
                    pool(Target::Lite { path, read_only: true }, 4)?
                }
                DatabaseSettings::Postgres { url, max_connections } => {
                    let target = Target::Pg(url.clone());
                    migrations::run(&mut target.connect().map_err(unavailable)?)?;
                    pool(target, *max_connections)?
                }
            };
            Ok(Self { settings, readers })
        })
        .await
    }

    /// True when credentials were sealed here before, so that a generated key would be the wrong one.
    pub async fn has_sealed_secrets(&self) -> Result<bool, DomainError> {
        let readers = self.readers.clone();
        blocking(move || with_conn(&readers, vault::any_key_known)).await
    }

    /// Checks the key ring against the database and opens it.
    ///
    /// # Errors
    /// `Internal` with a plain text when a key is wrong or one that is still needed is missing.
    pub async fn unlock(self, keys: KeyRing) -> Result<Store, DomainError> {
        blocking(move || {
            let wakeups = Wakeups::default();
            let mut conn = match &self.settings {
                DatabaseSettings::Sqlite { path } => {
                    Target::Lite { path: path.to_string_lossy().into_owned(), read_only: false }
                        .connect()
                        .map_err(unavailable)?
                }
                DatabaseSettings::Postgres { url, .. } => Target::Pg(url.clone()).connect().map_err(unavailable)?,
            };
            let vault = Vault::unlock(keys, &mut conn)?;
            let writer = match conn {
                Conn::Lite(_) => Some(
                    backend::sqlite::Writer::start(conn, wakeups.clone())
                        .map_err(|e| DomainError::Internal(format!("cannot start the database writer: {e}")))?,
                ),
                Conn::Pg(_) => None,
            };
            Ok(Store { inner: Arc::new(Inner { readers: self.readers, writer, wakeups, vault }) })
        })
        .await
    }
}

impl Store {
    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), DomainError> {
        self.read(|conn| {
            use diesel::connection::SimpleConnection;
            Ok(conn.batch_execute("SELECT 1")?)
        })
        .await
    }

    fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, DomainError> {
        let readers = self.inner.readers.clone();
        blocking(move || with_conn(&readers, work)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, DomainError> {
        if let Some(writer) = &self.inner.writer {
            return writer.write(work).await;
        }
        let inner = self.inner.clone();
        blocking(move || {
            let mut pooled = inner.readers.get().map_err(unavailable)?;
            Ok(backend::postgres::transact(&mut pooled, &inner.wakeups, work)?)
        })
        .await
    }
}

fn pool(target: Target, size: u32) -> Result<Pool, DomainError> {
    Pool::builder()
        .max_size(size.max(1))
        // A restarted server is noticed by the first failing statement; asking before each use
        // would cost every request a round trip.
        .test_on_check_out(false)
        .connection_timeout(Duration::from_secs(3))
        .error_handler(Box::new(diesel::r2d2::LoggingErrorHandler))
        .build(Manager(target))
        .map_err(unavailable)
}

fn with_conn<T>(pool: &Pool, work: impl FnOnce(&mut Conn) -> Result<T, TxError>) -> Result<T, DomainError> {
    let mut pooled = pool.get().map_err(unavailable)?;
    Ok(pooled.run(work)?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DomainError> + Send + 'static,
) -> Result<T, DomainError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| DomainError::Internal(format!("database work stopped: {e}")))?
}
