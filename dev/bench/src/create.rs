//! The create transaction: in process against the store, and as `POST /v1/mailboxes`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore};

use crate::client::Client;
use crate::report::{Latencies, heading};
use crate::server::{Mailmoor, data_dir};

const CLIENTS: [usize; 4] = [1, 8, 32, 128];
const SECONDS: u64 = 4;

/// Creates in the store, without HTTP and without a verifier.
pub(crate) async fn in_process() -> Result<(), Box<dyn Error>> {
    heading("Create transaction, SQLite with synchronous=FULL, in process");
    for clients in CLIENTS {
        let folder = data_dir()?;
        let settings = DatabaseSettings::Sqlite { path: folder.path().join("bench.db") };
        let store = LockedStore::open(settings).await?.unlock(KeyRing::parse(&KeyRing::generate()?)?).await?;
        let owner = store
            .create_owner("bench@localhost", Plan { subscription_active: true, max_mailboxes: Some(10_000_000) })
            .await?;
        let workspace = store.create_workspace(owner.id, "bench").await?;
        let create = move |n: usize| {
            let store = store.clone();
            async move {
                store.create_mailbox(workspace.id, owner.id, mailbox(n)?).await.map(drop).map_err(|e| e.to_string())
            }
        };
        let (latencies, elapsed) = drive(clients, create).await?;
        println!("{}", latencies.row(&format!("{clients} clients"), elapsed));
    }
    Ok(())
}

/// Creates over HTTP against a whole `mailmoor`: once with the background work held back, to see the
/// request alone, and once with a verifier that is busy with what was created.
pub(crate) async fn over_http() -> Result<(), Box<dyn Error>> {
    let held_back = [("MAILMOOR__VERIFIER__CONCURRENCY", "1"), ("MAILMOOR__DNS__CONCURRENCY", "1")];
    posts("POST /v1/mailboxes, background work held back", &held_back).await?;
    posts("POST /v1/mailboxes, verification and DNS checks running behind it", &[]).await
}

async fn posts(title: &str, settings: &[(&str, &str)]) -> Result<(), Box<dyn Error>> {
    heading(title);
    for clients in CLIENTS {
        let lab = mail_lab::scripted::ScriptedServer::builder().accept_all().start()?;
        let server = Mailmoor::start(settings)?;
        let counter = Arc::new(AtomicUsize::new(0));
        let deadline = Instant::now() + Duration::from_secs(SECONDS);
        let started = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..clients {
            let mut client = Client::connect(server.addr, &server.key).await?;
            let (counter, lab_port) = (counter.clone(), lab.port(mail_lab::scripted::Listener::SmtpImplicit));
            let imap_port = lab.port(mail_lab::scripted::Listener::ImapImplicit);
            tasks.push(tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < deadline {
                    let body = body(counter.fetch_add(1, Ordering::Relaxed), lab_port, imap_port);
                    let sent = Instant::now();
                    let (status, answer) = client.send("POST", "/v1/mailboxes", &body).await?;
                    if status != 201 {
                        return Err(std::io::Error::other(answer));
                    }
                    latencies.push(sent.elapsed());
                }
                Ok(latencies)
            }));
        }
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        println!("{}", Latencies::new(all).row(&format!("{clients} clients"), started.elapsed()));
    }
    Ok(())
}

/// The body of a create whose logins the lab accepts.
pub(crate) fn body(n: usize, smtp_port: u16, imap_port: u16) -> String {
    format!(
        r#"{{"email":"user{n}@bench.example","smtp":{{"host":"mail.example.test","port":{smtp_port},"password":"correct horse"}},"imap":{{"host":"mail.example.test","port":{imap_port}}}}}"#
    )
}

/// A mailbox for the store, unlike all others by `n`.
pub(crate) fn mailbox(n: usize) -> Result<NewMailbox, String> {
    let email = EmailAddress::parse(&format!("user{n}@bench.example")).map_err(|e| e.to_string())?;
    let endpoint =
        |port| ServerEndpoint::parse("mail.bench.example", port, Security::Required).map_err(|e| e.to_string());
    let login = || LoginSecret { username: format!("user{n}@bench.example"), password: Password::new("correct horse") };
    Ok(NewMailbox {
        email_as_given: None,
        display_name: format!("user{n}"),
        email,
        provider: ProviderLabel::Custom,
        daily_send_limit: 15,
        signature: None,
        tags: vec![],
        smtp: endpoint(587)?,
        imap: endpoint(993)?,
        imap_guessed: false,
        credentials: Credentials { smtp: login(), imap: login() },
        on_refusal: RefusalPolicy::Delete,
    })
}

/// Repeats `act` from `clients` tasks for some seconds.
pub(crate) async fn drive<F, W>(clients: usize, act: F) -> Result<(Latencies, Duration), Box<dyn Error>>
where
    F: Fn(usize) -> W + Clone + Send + 'static,
    W: Future<Output = Result<(), String>> + Send,
{
    let counter = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let deadline = started + Duration::from_secs(SECONDS);
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (act, counter) = (act.clone(), counter.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < deadline {
                    let begun = Instant::now();
                    act(counter.fetch_add(1, Ordering::Relaxed)).await?;
                    latencies.push(begun.elapsed());
                }
                Ok::<_, String>(latencies)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok((Latencies::new(all), started.elapsed()))
}
