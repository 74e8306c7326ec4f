//! The brokers under test. Events reach them through the store, as in production.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use mail_lab::{Database, Postgres, RabbitMq, VirtualHost};
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use service_runtime::bus::rabbitmq::RabbitMq as Rabbit;
use service_runtime::bus::{Broker, Delivery, Subscription};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{
    Credentials, EmailAddress, LoginSecret, MailboxId, OwnerId, Password, Security, ServerEndpoint, WorkspaceId,
};
use shared_models::events::{Envelope, VERIFIER_QUEUE};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, Store};
use tempfile::TempDir;

use crate::amqp::Amqp;

/// Makes a test of each function for each broker, whose name is part of the test's name.
macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        embedded_contract!($($promise),+);
        run_with!(rabbitmq: $($promise),+);
    };
}

/// As above, for the brokers inside the database only.
macro_rules! embedded_contract {
    ($($promise:ident),+ $(,)?) => {
        run_with!(embedded_on_sqlite: $($promise),+);
        run_with!(embedded_on_postgres: $($promise),+);
    };
}

macro_rules! run_with {
    ($broker:ident: $($promise:ident),+) => {
        mod $broker { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise($crate::bench::Bench::$broker().await).await;
            }
        )+ }
    };
}

pub(crate) const QUEUE: &str = VERIFIER_QUEUE;

/// Upper bound of the wait for a message. Half of the sleep of a broker that was not woken, so that its poll does not
/// pass for a wake-up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Lease in tests that wait for its end.
pub(crate) const SHORT_LEASE: Duration = Duration::from_millis(250);

pub(crate) struct Bench {
    pub(crate) store: Store,
    owner: OwnerId,
    workspace: WorkspaceId,
    home: Home,
}

enum Home {
    Sqlite(TempDir),
    Postgres(Database),
    RabbitMq(Database, VirtualHost),
}

impl Home {
    fn settings(&self) -> DatabaseSettings {
        match self {
            Self::Sqlite(folder) => DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") },
            Self::Postgres(database) | Self::RabbitMq(database, _) => {
                DatabaseSettings::Postgres { url: database.url(), max_connections: 4 }
            }
        }
    }

    async fn open(&self) -> Store {
        let keys = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into();
        let mut locked = LockedStore::open(self.settings()).await.unwrap();
        if matches!(self, Self::RabbitMq(..)) {
            locked = locked.with_outbox();
        }
        locked.unlock(KeyRing::parse(&keys).unwrap()).await.unwrap()
    }
}

impl Bench {
    pub(crate) async fn embedded_on_sqlite() -> Self {
        let folder = tempfile::Builder::new().prefix("broker-").tempdir_in("/dev/shm");
        Self::over(Home::Sqlite(folder.or_else(|_| tempfile::tempdir()).unwrap())).await
    }

    pub(crate) async fn embedded_on_postgres() -> Self {
        Self::over(Home::Postgres(Postgres::shared().unwrap().database().unwrap())).await
    }

    pub(crate) async fn rabbitmq() -> Self {
        let vhost = RabbitMq::shared().unwrap().vhost().unwrap();
        Self::on(vhost, Postgres::shared().unwrap().database().unwrap()).await
    }

    /// Runs the relay until the test ends.
    pub(crate) async fn on(vhost: VirtualHost, database: Database) -> Self {
        let bench = Self::over(Home::RabbitMq(database, vhost)).await;
        let relay = bench.broker();
        relay.ping().await.unwrap();
        tokio::spawn(async move { relay.run(CancellationToken::new()).await });
        bench
    }

    async fn over(home: Home) -> Self {
        let store = home.open().await;
        let plan = Plan { subscription_active: true, max_mailboxes: None };
        let owner = store.create_owner("owner@tenant.example", plan).await.unwrap().id;
        let workspace = store.create_workspace(owner, "default").await.unwrap().id;
        Self { store, owner, workspace, home }
    }

    /// The broker, which receives the events committed through [`Self::store`].
    pub(crate) fn broker(&self) -> Arc<dyn Broker> {
        match &self.home {
            Home::RabbitMq(_, vhost) => Arc::new(Rabbit::new(&vhost.url().into(), self.store.clone()).unwrap()),
            _ => Arc::new(EmbeddedBroker::new(self.store.clone(), Sharing::Alone)),
        }
    }

    /// A broker that soon delivers the messages of a dead consumer again.
    pub(crate) fn short_leased(&self) -> Arc<dyn Broker> {
        match &self.home {
            Home::RabbitMq(..) => self.broker(),
            _ => Arc::new(EmbeddedBroker::new(self.store.clone(), Sharing::Alone).with_lease(SHORT_LEASE)),
        }
    }

    /// The same database, opened as by another process.
    pub(crate) async fn another_process(&self) -> Store {
        self.home.open().await
    }

    pub(crate) async fn publish(&self) -> MailboxId {
        self.publish_through(&self.store).await
    }

    pub(crate) async fn publish_through(&self, store: &Store) -> MailboxId {
        store.create_mailbox(self.workspace, self.owner, mailbox()).await.unwrap().id
    }

    pub(crate) fn vhost(&self) -> &VirtualHost {
        let Home::RabbitMq(_, vhost) = &self.home else { panic!("no RabbitMQ here") };
        vhost
    }

    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub(crate) async fn delete(&self, mailbox: MailboxId) {
        self.store.delete_mailbox(self.workspace, mailbox).await.unwrap();
    }

    /// Adds a message that is no event, without a wake-up.
    pub(crate) async fn smuggle_in(&self, body: &str) {
        let sql = format!(
            "INSERT INTO queue_messages
             (queue, event_id, event_type, envelope, attempt, deliveries, available_at, created_at)
             VALUES ('{QUEUE}', 'x', 'x', '{body}', 1, 0, 1000, 1000)"
        );
        match &self.home {
            Home::Sqlite(_) => self.connect().batch_execute(&sql).unwrap(),
            Home::Postgres(database) => drop(database.execute(&sql).unwrap()),
            Home::RabbitMq(_, vhost) => Amqp::connect(vhost).await.publish("", QUEUE, body.as_bytes()).await,
        }
    }

    /// The reasons for which messages were parked.
    pub(crate) async fn dead_letters(&self) -> Vec<String> {
        self.broker().dead_letters().await.unwrap().into_iter().map(|letter| letter.reason).collect()
    }

    /// True if another consumer could take a message now.
    pub(crate) async fn has_unclaimed(&self) -> bool {
        match &self.home {
            Home::RabbitMq(_, vhost) => Amqp::connect(vhost).await.ready(QUEUE).await > 0,
            _ => self.store.next_message_at(QUEUE).await.unwrap().is_some_and(|at| at.remaining().is_zero()),
        }
    }

    fn connect(&self) -> SqliteConnection {
        let Home::Sqlite(folder) = &self.home else { panic!("not a file") };
        let mut conn = SqliteConnection::establish(&folder.path().join("mailmoor.db").to_string_lossy()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
        conn
    }

    /// PostgreSQL only: the time of the last query, by the clock of the database.
    pub(crate) fn last_question(&self) -> String {
        let Home::Postgres(database) = &self.home else { panic!("SQLite keeps no such record") };
        let sql = format!(
            "SELECT CAST(max(query_start) AS TEXT) FROM pg_stat_activity
             WHERE datname = '{}' AND pid <> pg_backend_pid() AND query <> ''",
            database.name()
        );
        database.execute(&sql).unwrap()[0][0].clone().unwrap()
    }

    /// The numbers of waiting and of parked messages. With the embedded broker a message in work counts as waiting.
    pub(crate) async fn depth(&self) -> (i64, i64) {
        match &self.home {
            Home::RabbitMq(_, vhost) => {
                let waiting = self.store.outbox_backlog().await.unwrap().pending;
                let amqp = Amqp::connect(vhost).await;
                let retries = ["0s", "1s", "2s"].map(|length| format!("{QUEUE}.retry.{length}"));
                let mut ready = amqp.ready(QUEUE).await;
                for queue in retries {
                    ready += amqp.ready(&queue).await;
                }
                (waiting + ready, amqp.ready(&format!("{QUEUE}.dead")).await)
            }
            _ => self.store.queue_depth(QUEUE).await.unwrap(),
        }
    }
}

fn mailbox() -> NewMailbox {
    let unique = MailboxId::new();
    let server = |host, port| ServerEndpoint::parse(host, port, Security::Required).unwrap();
    let login = || LoginSecret { username: "dana".to_owned(), password: Password::new("sesame") };
    NewMailbox {
        email_as_given: None,
        email: EmailAddress::parse(&format!("{unique}@mail.example")).unwrap(),
        display_name: "Dana".to_owned(),
        provider: ProviderLabel::Custom,
        daily_send_limit: 15,
        signature: None,
        tags: vec![],
        smtp: server("smtp.mail.example", 587),
        imap: server("imap.mail.example", 993),
        imap_guessed: false,
        credentials: Credentials { smtp: login(), imap: login() },
        on_refusal: RefusalPolicy::Delete,
    }
}

/// # Panics
/// When the future takes too long.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what).await.expect("it did not come")
}

/// Polls a condition that nothing announces.
pub(crate) async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    soon(async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) fn subscribe(broker: &dyn Broker) -> Box<dyn Subscription> {
    broker.subscribe(QUEUE, 100)
}

/// The next messages, at least one and at most `limit`.
pub(crate) async fn receive(subscription: &mut Box<dyn Subscription>, limit: usize) -> Vec<Box<dyn Delivery>> {
    let received = soon(subscription.receive(limit, &CancellationToken::new())).await.unwrap();
    assert!((1..=limit).contains(&received.len()));
    received
}

pub(crate) async fn receive_one(subscription: &mut Box<dyn Subscription>) -> Box<dyn Delivery> {
    receive(subscription, 1).await.remove(0)
}

/// The mailbox of a message.
pub(crate) fn about(delivery: &dyn Delivery) -> MailboxId {
    Envelope::parse(delivery.body()).unwrap().event.mailbox().unwrap().mailbox_id
}
