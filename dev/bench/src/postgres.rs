//! Creates on PostgreSQL: pgbench with the same statements, our store in process, and the gateway over
//! HTTP, one after the other on one server that flushes every commit to disk.

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dialects::DIALECTS;
use mail_lab::{Database, Postgres, RabbitMq, postgres_program};
use secrecy::{ExposeSecret, SecretString};
use shared_models::domain::core::MalformedId;
use shared_models::domain::{OwnerId, WorkspaceId};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, NewApiKey, Store};

use crate::client::Client;
use crate::create::{body, drive, mailbox};
use crate::report::{Latencies, heading};
use crate::server::{Service, data_dir};

const CLIENTS: usize = 32;
const SECONDS: u64 = 8;
/// How many workspaces, each with an owner of its own, share the load.
const SPREADS: [usize; 2] = [1, 64];

/// A tenant by its number, and a mailbox that nobody has.
const VARIABLES: &str = r"\set tenant random(1, :tenants)
\set high random(0, 281474976710655)
\set low random(0, 281474976710655)
";

/// The usage row first: it is locked until the commit is on disk.
const NAIVE: &str = "BEGIN;
UPDATE owners SET mailbox_usage = mailbox_usage + 1 WHERE id = {tenant}
  AND subscription_active AND (max_mailboxes IS NULL OR mailbox_usage < max_mailboxes);
INSERT INTO mailboxes ({columns}) VALUES ({mailbox});
INSERT INTO outbox (event_id, event_type, envelope, created_at) VALUES ({event});
COMMIT;
";

/// The usage row last, and everything in one round trip.
const ONE_STATEMENT: &str = "WITH mailbox AS (INSERT INTO mailboxes ({columns}) VALUES ({mailbox}) RETURNING id),
  event AS (INSERT INTO outbox (event_id, event_type, envelope, created_at) SELECT {event} FROM mailbox)
UPDATE owners SET mailbox_usage = mailbox_usage + 1 FROM mailbox WHERE owners.id = {tenant}
  AND subscription_active AND (max_mailboxes IS NULL OR mailbox_usage < max_mailboxes);
";

/// Values for the words in braces, as long as real ones.
const WORDS: [(&str, &str); 5] = [
    ("{tenant}", "lpad(to_hex(:tenant::bigint), 24, '0')"),
    (
        "{columns}",
        "id, workspace_id, email, display_name, provider, status, on_refusal, daily_send_limit, sending_enabled,
         signature, tags, smtp_host, smtp_port, smtp_secure, imap_host, imap_port, imap_secure, imap_guessed,
         credentials_key_id, credentials, created_at, updated_at, verification_asked_at",
    ),
    (
        "{mailbox}",
        "{id}, lpad(to_hex(:tenant::bigint), 24, '0'), 'user' || {id} || '@bench.example', 'user', 'custom',
         'unverified', 'delete', 15, false, NULL, '', 'mail.bench.example', 587, true, 'mail.bench.example', 993, true,
         false, (SELECT id FROM master_keys LIMIT 1), decode(repeat('5a', 180), 'hex'), 1763697600000, 1763697600000,
         1763697600000",
    ),
    ("{event}", "{id}, 'mailbox.created', repeat('x', 390), 1763697600000"),
    ("{id}", "lpad(to_hex(:high::bigint), 12, '0') || lpad(to_hex(:low::bigint), 12, '0')"),
];

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let server = Postgres::start_durable()?;
    let broker = RabbitMq::start()?;
    for spread in SPREADS {
        heading(&format!("Creates on PostgreSQL, {CLIENTS} clients, workspaces: {spread}"));
        for (what, script) in [("pgbench, counter first", NAIVE), ("pgbench, one statement", ONE_STATEMENT)] {
            let home = Home::new(&server, spread).await?;
            let (latencies, elapsed) = home.pgbench(script)?;
            println!("{}", latencies.row(what, elapsed));
        }
        let home = Home::new(&server, spread).await?;
        let (store, tenants) = (home.store.clone(), home.tenants.clone());
        let create = move |n: usize| {
            let (store, (workspace, owner)) = (store.clone(), tenants[n % tenants.len()]);
            async move { store.create_mailbox(workspace, owner, mailbox(n)?).await.map(drop).map_err(|e| e.to_string()) }
        };
        let (latencies, elapsed) = drive(CLIENTS, create).await?;
        println!("{}", latencies.row("the store, in process", elapsed));

        let home = Home::new(&server, spread).await?;
        let vhost = broker.vhost()?;
        let (latencies, elapsed) = home.over_http(&vhost.url()).await?;
        println!("{}", latencies.row("POST /v1/mailboxes", elapsed));
    }
    Ok(())
}

/// A fresh database with tenants in it, numbered from 1.
struct Home {
    database: Database,
    keys: SecretString,
    store: Store,
    tenants: Arc<Vec<(WorkspaceId, OwnerId)>>,
}

impl Home {
    async fn new(server: &Postgres, tenants: usize) -> Result<Self, Box<dyn Error>> {
        let database = server.database()?;
        let keys = KeyRing::generate()?;
        let settings = DatabaseSettings::Postgres { url: database.url(), max_connections: 10 };
        let store = LockedStore::open(settings).await?.with_outbox().unlock(KeyRing::parse(&keys)?).await?;
        database.execute(&format!(
            "INSERT INTO owners SELECT lpad(to_hex(n), 24, '0'), 'bench' || n || '@localhost', '', true, 10000000, 0, 0
                 FROM generate_series(1, {tenants}) AS n;
             INSERT INTO workspaces SELECT lpad(to_hex(n), 24, '0'), lpad(to_hex(n), 24, '0'), 'bench', 0, NULL
                 FROM generate_series(1, {tenants}) AS n"
        ))?;
        let ids = (1..=tenants).map(|n| format!("{n:024x}"));
        let tenants: Result<Vec<_>, MalformedId> = ids.map(|id| Ok((id.parse()?, id.parse()?))).collect();
        Ok(Self { database, keys, store, tenants: Arc::new(tenants?) })
    }

    /// pgbench, with its log of every transaction.
    fn pgbench(&self, statements: &str) -> Result<(Latencies, Duration), Box<dyn Error>> {
        let folder = data_dir()?;
        let script = folder.path().join("create.sql");
        let statements = WORDS.iter().fold(statements.to_owned(), |text, (word, meaning)| text.replace(word, meaning));
        std::fs::write(&script, [VARIABLES, &statements].concat())?;
        let output = Command::new(postgres_program("pgbench")?)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log", "--client", &CLIENTS.to_string()])
            .args(["--time", &SECONDS.to_string(), "--define", &format!("tenants={}", self.tenants.len())])
            .arg("--file")
            .arg(&script)
            .arg(self.database.url())
            .current_dir(folder.path())
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        // Client, number, microseconds, ...
        let mut latencies = vec![];
        for log in std::fs::read_dir(folder.path())? {
            for line in std::fs::read_to_string(log?.path())?.lines().filter(|line| !line.starts_with('\\')) {
                if let Some(Ok(micros)) = line.split(' ').nth(2).map(str::parse) {
                    latencies.push(Duration::from_micros(micros));
                }
            }
        }
        Ok((Latencies::new(latencies), Duration::from_secs(SECONDS)))
    }

    /// The gateway of the distributed deployment with its relay; nobody verifies meanwhile.
    async fn over_http(&self, broker: &str) -> Result<(Latencies, Duration), Box<dyn Error>> {
        let settings = [
            ("MAILMOOR__DATABASE__URL", self.database.url()),
            ("MAILMOOR__BROKER__URL", broker.to_owned()),
            ("MAILMOOR__SECRETS__MASTER_KEY", self.keys.expose_secret().to_owned()),
            ("MAILMOOR__RATE_LIMIT__SENDKIT_PER_MINUTE", "0".to_owned()),
        ];
        let gateway = Service::start("api-gateway", &settings)?;
        let addr = gateway.addr().ok_or("no address")?;
        let workspace_key = dialects::key_kinds(DIALECTS).next().ok_or("no kind of keys")?;
        let mut clients = vec![];
        for (workspace, owner) in self.tenants.iter() {
            let new = NewApiKey { kind: *workspace_key, owner: *owner, workspace: Some(*workspace), scopes: vec![] };
            clients.push(self.store.create_api_key(new).await?.1);
        }
        let deadline = Instant::now() + Duration::from_secs(SECONDS);
        let started = Instant::now();
        let mut tasks = vec![];
        for n in 0..CLIENTS {
            // As many connections as clients; each goes round its share of the workspaces.
            let keys: Vec<_> = clients.iter().skip(n % clients.len()).step_by(CLIENTS).collect();
            let mut connections = vec![];
            for key in keys {
                connections.push(Client::connect(addr, key.expose()).await?);
            }
            tasks.push(tokio::spawn(async move {
                let (mut latencies, mut round) = (vec![], 0);
                while Instant::now() < deadline {
                    let count = connections.len();
                    let begun = Instant::now();
                    let body = body(n * 10_000_000 + round, 587, 993);
                    let (status, answer) = connections[round % count].send("POST", "/v1/mailboxes", &body).await?;
                    if status != 201 {
                        return Err(std::io::Error::other(answer));
                    }
                    latencies.push(begun.elapsed());
                    round += 1;
                }
                Ok(latencies)
            }));
        }
        let mut all = vec![];
        for task in tasks {
            all.extend(task.await??);
        }
        Ok((Latencies::new(all), started.elapsed()))
    }
}
