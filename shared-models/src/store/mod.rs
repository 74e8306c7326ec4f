//! The store: all Diesel and all SQL. Functions take and return domain types. Those for tenants take the workspace
//! first; those for workers say so. A function that spans rows owns its transaction. Functions are async, and the
//! database work runs on blocking threads. No connection is held during a wait for a network.
//!
//! Each folder adds methods to [`Store`], which is defined here.

mod core;
mod hosted;
mod imports;
mod mailboxes;
mod schema;
mod sending_accounts;
mod sending_domains;
mod tenancy;
mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;

use self::core::backend::pool::Pool;
use self::core::backend::{self, Conn, EventRoute, Target, Tx};
use self::core::blocking::{answered, blocking};
use self::core::claims::ClaimHolder;
use self::core::error::{TxError, unavailable};
use self::core::migrations;
use self::core::wakeups::{Wakeups, Written};
use mailboxes::merged_creation::CreationLanes;
use tenancy::api_keys::KeyLane;
use tenancy::key_uses::KeyUses;
use tokio::sync::broadcast;

pub use self::core::claims::Claim;
pub use self::core::dead_letters::DeadLetter;
pub use self::core::idempotency::{Begun, PendingAnswer, RENEW_LEASE_EVERY, RepeatableRequest, StoredAnswer, Ticket};
pub use self::core::outbox::{Backlog, OutboxEvent, Relayed};
pub use self::core::settled::Settled;
pub use self::core::{queue, vault};
pub use hosted::mailbox::HostedMailboxPage;
pub use imports::rows::{NextRow, RowJob, RowOutcome};
pub use mailboxes::deletions::{DeletedMailbox, Deletion};
pub use mailboxes::list::{MailboxFilter, MailboxOrder, MailboxPage, MailboxSort, PageRequest, SortDirection, TagMode};
pub use mailboxes::test_emails::TestEmailRequest;
pub use mailboxes::verifications::{RefusedMailbox, Settlement};
pub use sending_accounts::account::SendingAccountQuery;
pub use sending_accounts::limits::{LimitIncrease, SendingAccountAllowance};
pub use sending_domains::checks::DomainCheckAnswer;
pub use sending_domains::domain::{DkimSigner, DomainPage};
pub use tenancy::api_keys::NewApiKey;
pub use tenancy::key_rotation::RotatedKey;
pub use tenancy::overview::{KeyOverview, OwnerOverview, WorkspaceOverview};
pub use webhooks::dispatches::WebhookTest;
pub use webhooks::log::DeliveryQuery;
pub use webhooks::secrets::MadeWebhook;
pub use webhooks::webhook::WebhookQuery;

use self::core::vault::{KeyRing, Vault};
use crate::domain::{CoreError, Timestamp};
use crate::events::Event;

/// The database to open.
#[derive(Clone)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum DatabaseSettings {
    /// A file on this machine, which is created if it is absent.
    Sqlite { path: PathBuf },
    Postgres {
        /// Contains the password and is never logged: `postgres://user:password@host/database`.
        url: String,
        /// Bound on the connections of this process.
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
    /// PostgreSQL only; SQLite's writer merges everything anyway.
    creations: CreationLanes,
    keys: KeyLane,
    key_uses: KeyUses,
    /// PostgreSQL only; a SQLite file has one process.
    claims: Option<Arc<ClaimHolder>>,
    route: EventRoute,
    wakeups: Wakeups,
    vault: Vault,
    opened_at: Timestamp,
}

/// A migrated database without its master key. The key may have to be generated, which is right for a new database and
/// wrong for one that has sealed something.
pub struct LockedStore {
    settings: DatabaseSettings,
    readers: Pool,
    route: EventRoute,
}

impl LockedStore {
    /// Opens the database and applies the migrations.
    pub async fn open(settings: DatabaseSettings) -> Result<Self, CoreError> {
        blocking(move || {
            let readers = match &settings {
                DatabaseSettings::Sqlite { path } => {
                    let path = path.to_string_lossy().into_owned();
                    let mut conn =
                        Target::Lite { path: path.clone(), read_only: false }.connect().map_err(unavailable)?;
                    migrations::run(&mut conn)?;
                    Pool::open(Target::Lite { path, read_only: true }, 4)?
                }
                DatabaseSettings::Postgres { url, max_connections } => {
                    // libpq would do it with a clean-up at the end of the process, which a connection that is just
                    // being opened does not survive.
                    openssl::init();
                    let target = Target::Pg(url.clone());
                    migrations::run(&mut target.connect().map_err(unavailable)?)?;
                    Pool::open(target, *max_connections)?
                }
            };
            Ok(Self { settings, readers, route: EventRoute::Queues })
        })
        .await
    }

    /// Routes events into the outbox, for a message broker, instead of the queues of the embedded one. PostgreSQL only.
    #[must_use]
    pub fn with_outbox(self) -> Self {
        Self { route: EventRoute::Outbox, ..self }
    }

    /// True if secrets were sealed here before, so that a generated key would be the wrong one.
    pub async fn has_sealed_secrets(&self) -> Result<bool, CoreError> {
        let readers = self.readers.clone();
        blocking(move || readers.read(vault::any_key_known)).await
    }

    /// Checks the key ring against the database and opens it.
    ///
    /// # Errors
    /// `Internal` with a plain text if a key is wrong, or if one that is still needed is missing.
    pub async fn unlock(self, keys: KeyRing) -> Result<Store, CoreError> {
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
            let claims = match &self.settings {
                DatabaseSettings::Sqlite { .. } => None,
                DatabaseSettings::Postgres { url, .. } => Some(Arc::new(ClaimHolder::new(Target::Pg(url.clone())))),
            };
            let writer = match conn {
                Conn::Lite(_) => Some(
                    backend::sqlite::Writer::start(conn, wakeups.clone())
                        .map_err(|e| CoreError::Internal(format!("cannot start the database writer: {e}")))?,
                ),
                Conn::Pg(_) => None,
            };
            Ok(Store {
                inner: Arc::new(Inner {
                    readers: self.readers,
                    writer,
                    creations: CreationLanes::default(),
                    keys: KeyLane::default(),
                    key_uses: KeyUses::default(),
                    claims,
                    route: self.route,
                    wakeups,
                    vault,
                    opened_at: Timestamp::now(),
                }),
            })
        })
        .await
    }
}

impl Store {
    /// Succeeds if the database answers.
    pub async fn ping(&self) -> Result<(), CoreError> {
        self.read(|conn| {
            use diesel::connection::SimpleConnection;
            Ok(conn.batch_execute("SELECT 1")?)
        })
        .await
    }

    /// The events that this process commits from now on, and those that [`Self::report`] brings.
    pub fn news(&self) -> broadcast::Receiver<Event> {
        self.inner.wakeups.news()
    }

    /// Announces an event that another process committed.
    pub fn report(&self, event: Event) {
        self.inner.wakeups.announce(Written { events: vec![event], ..Written::default() });
    }

    fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, CoreError> {
        let readers = self.inner.readers.clone();
        answered(blocking(move || readers.read(work))).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, CoreError> {
        answered(self.write_without_limit(work)).await
    }

    /// [`Self::write`] without a limit on the wait, for work that itself waits.
    async fn write_without_limit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, CoreError> {
        if let Some(writer) = &self.inner.writer {
            return writer.write(work).await;
        }
        let inner = self.inner.clone();
        blocking(move || Ok(inner.transact(work)?)).await
    }
}

impl Inner {
    /// PostgreSQL only: a transaction of its own.
    fn transact<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError>) -> Result<T, TxError> {
        let mut pooled = self.readers.get()?;
        backend::postgres::transact(&mut pooled, self.route, &self.wakeups, work)
    }
}
