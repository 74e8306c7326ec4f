//! Verifier processes side by side against a slow mail server: how the throughput grows with each.

use std::error::Error;
use std::time::{Duration, Instant};

use mail_lab::scripted::{Behaviour, Listener, ScriptedServer};
use mail_lab::{Database, Postgres, RabbitMq, TestCa};
use secrecy::ExposeSecret;
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{Security, ServerEndpoint};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore};

use crate::create::mailbox;
use crate::server::{Service, binary};

const PROCESSES: [usize; 3] = [1, 2, 4];
const MAILBOXES: usize = 800;
/// Logins in flight in one process.
const CONCURRENCY: usize = 20;
const REPLY_DELAY: Duration = Duration::from_millis(200);
/// Between looks at what is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (server, broker) = (Postgres::start_durable()?, RabbitMq::start()?);
    println!(
        "\n{MAILBOXES} mailboxes wait; each reply of the mail server is delayed {} ms; {CONCURRENCY} logins in flight \
         in each process\n\n| verifier processes | seconds | per second | against one |\n|---|---|---|---|",
        REPLY_DELAY.as_millis()
    );
    let mut alone = None;
    for processes in PROCESSES {
        let vhost = broker.vhost()?;
        let seconds = verify_all(&server.database()?, &vhost.url(), processes).await?;
        let rate = MAILBOXES as f64 / seconds;
        let growth = rate / *alone.get_or_insert(rate);
        println!("| {processes} | {seconds:.1} | {rate:.1} | {growth:.2} |");
    }
    Ok(())
}

/// Seconds from the start of the verifiers until the last mailbox is settled.
async fn verify_all(database: &Database, broker: &str, processes: usize) -> Result<f64, Box<dyn Error>> {
    let lab = ScriptedServer::builder().accept_all().start()?;
    lab.set(Listener::ALL, Behaviour { reply_delay: REPLY_DELAY, ..Behaviour::default() });
    let keys = KeyRing::generate()?;
    let concurrency = CONCURRENCY.to_string();
    let settings = [
        ("MAILMOOR__DATABASE__URL", database.url()),
        ("MAILMOOR__BROKER__URL", broker.to_owned()),
        ("MAILMOOR__SECRETS__MASTER_KEY", keys.expose_secret().to_owned()),
        ("MAILMOOR__EGRESS__ALLOWED_NETWORKS", "127.0.0.0/8".to_owned()),
        ("MAILMOOR__EGRESS__EXTRA_CA_FILE", TestCa::shared().path().display().to_string()),
        ("MAILMOOR__VERIFIER__CONCURRENCY", concurrency.clone()),
        ("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", concurrency),
    ];
    // Its relay brings the events to the queue.
    let _gateway = Service::start("api-gateway", &settings)?;
    fill(database, KeyRing::parse(&keys)?, &lab).await?;
    count(database, "SELECT count(*) FROM outbox", 0).await?;
    let verifier = binary("verifier-service", "verifier-service")?;
    let begun = Instant::now();
    let verifiers: Result<Vec<_>, _> = (0..processes).map(|_| Service::run(&verifier, &settings)).collect();
    let _verifiers = verifiers?;
    count(database, "SELECT count(*) FROM mailboxes WHERE status = 'active'", MAILBOXES).await?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn fill(database: &Database, keys: KeyRing, lab: &ScriptedServer) -> Result<(), Box<dyn Error>> {
    let settings = DatabaseSettings::Postgres { url: database.url(), max_connections: 4 };
    let store = LockedStore::open(settings).await?.with_outbox().unlock(keys).await?;
    let plan = Plan { subscription_active: true, max_mailboxes: None };
    let owner = store.create_owner("bench@localhost", plan).await?.id;
    let workspace = store.create_workspace(owner, "bench").await?.id;
    let endpoint = |listener| ServerEndpoint::parse("127.0.0.1", lab.port(listener), Security::Required);
    for n in 0..MAILBOXES {
        let mut new = mailbox(n)?;
        new.smtp = endpoint(Listener::SmtpImplicit)?;
        new.imap = endpoint(Listener::ImapImplicit)?;
        store.create_mailbox(workspace, owner, new).await?;
    }
    Ok(())
}

/// Waits until a query counts so many.
async fn count(database: &Database, query: &str, wanted: usize) -> Result<(), Box<dyn Error>> {
    let wanted = wanted.to_string();
    while database.execute(query)?[0][0].as_deref() != Some(&wanted) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
