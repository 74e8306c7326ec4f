//! Imports of 500 rows: how long against what the verifications alone would take, how much memory, and
//! what three of them do to somebody who adds a single mailbox.

use std::error::Error;
use std::time::{Duration, Instant};

use mail_lab::scripted::{Behaviour, Listener, ScriptedServer};
use mail_lab::{Dovecot, DovecotOptions};

use crate::client::Client;
use crate::end_to_end::{create, wait_until_active};
use crate::report::Latencies;
use crate::server::Mailmoor;

const ROWS: usize = 500;
/// Rows of an import in work at once.
const LANES: usize = 20;
const REPLY_DELAY: Duration = Duration::from_millis(50);
const SINGLES: usize = 100;
const IMPORTS: usize = 3;
const PASSWORD: &str = "correct horse";

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    println!(
        "\nImports of {ROWS} rows\n\n| mail server | one wave of {LANES} s | {ROWS} rows s | against {} waves | memory before, after MiB |\n|---|---|---|---|---|",
        ROWS.div_ceil(LANES)
    );
    let delayed = delayed_server()?;
    whole("replies delayed 50 ms", delayed.port(Listener::SmtpImplicit), delayed.port(Listener::ImapImplicit)).await?;
    let users: Vec<String> = (0..ROWS + 10 * LANES).map(address).collect();
    let dovecot =
        Dovecot::start(DovecotOptions::users(&users.iter().map(|user| (user.as_str(), PASSWORD)).collect::<Vec<_>>()))?;
    whole("Dovecot", dovecot.addr(Listener::SmtpImplicit).port(), dovecot.addr(Listener::ImapImplicit).port()).await?;
    fairness().await
}

fn delayed_server() -> Result<ScriptedServer, Box<dyn Error>> {
    let server = ScriptedServer::builder().accept_all().start()?;
    server.set(Listener::ALL, Behaviour { reply_delay: REPLY_DELAY, ..Behaviour::default() });
    Ok(server)
}

fn address(n: usize) -> String {
    format!("row{n}@bench.example")
}

fn file(rows: std::ops::Range<usize>, smtp: u16, imap: u16) -> String {
    let mut file = "email,password,smtphost,smtpport,smtpsecure,imaphost,imapport\n".to_owned();
    for n in rows {
        file += &format!("{},{PASSWORD},mail.example.test,{smtp},true,mail.example.test,{imap}\n", address(n));
    }
    file
}

/// Uploads and waits for the answer, in which all rows must be imported.
async fn import(client: &mut Client, file: &str) -> Result<Duration, Box<dyn Error>> {
    let rows = file.lines().count() - 1;
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"rows.csv\"\r\n\r\n{file}\r\n--b--\r\n"
    );
    let begun = Instant::now();
    let sent = client.send_as("multipart/form-data; boundary=b", "POST", "/v1/mailboxes/import/smtp", &body);
    let (status, answer) = sent.await?;
    if status != 200 || !answer.contains(&format!("\"imported\":{rows},")) {
        return Err(format!("{status} {answer}").into());
    }
    Ok(begun.elapsed())
}

async fn whole(name: &str, smtp: u16, imap: u16) -> Result<(), Box<dyn Error>> {
    let server = Mailmoor::start(&[("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", "20")])?;
    let mut client = Client::connect(server.addr, &server.key).await?;
    // One verification, beside as many others as in the middle of an import.
    let mut waves = Vec::new();
    for wave in 0..10 {
        let begin = ROWS + wave * LANES;
        waves.push(import(&mut client, &file(begin..begin + LANES, smtp, imap)).await?);
    }
    let wave = Latencies::new(waves).at(0.5) / 1000.0;
    let before = server.memory()?;
    let took = import(&mut client, &file(0..ROWS, smtp, imap)).await?.as_secs_f64();
    let (after, ideal) = (server.memory()?, wave * ROWS.div_ceil(LANES) as f64);
    println!("| {name} | {wave:.3} | {took:.2} | {:.2} | {before:.0}, {after:.0} |", took / ideal);
    Ok(())
}

/// A hundred single mailboxes at once, on an idle system and beside three imports, all at one server.
async fn fairness() -> Result<(), Box<dyn Error>> {
    println!("\n{SINGLES} single mailboxes, from POST to active\n\n| beside | p50 ms | p95 ms |\n|---|---|---|");
    let mut idle = None;
    for imports in [0, IMPORTS] {
        let lab = delayed_server()?;
        let (smtp, imap) = (lab.port(Listener::SmtpImplicit), lab.port(Listener::ImapImplicit));
        let server = Mailmoor::start(&[("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", "20")])?;
        let mut running = Vec::new();
        for n in 0..imports {
            let mut client = Client::connect(server.addr, &server.key).await?;
            let file = file(n * ROWS..(n + 1) * ROWS, smtp, imap);
            running.push(tokio::spawn(async move {
                import(&mut client, &file).await.map(drop).map_err(|error| error.to_string())
            }));
        }
        // So that they are under way.
        tokio::time::sleep(Duration::from_secs(u64::from(imports > 0))).await;
        let latencies = singles(&server, (smtp, imap)).await?;
        let all_the_while = running.iter().all(|import| !import.is_finished());
        println!("| {imports} imports | {:.0} | {:.0} |", latencies.at(0.5), latencies.at(0.95));
        let idle = *idle.get_or_insert(latencies.at(0.95));
        if imports > 0 {
            println!("\np95 beside imports against idle: {:.2}", latencies.at(0.95) / idle);
            println!("the imports went on all the while: {all_the_while}");
        }
        for import in running {
            import.await??;
        }
    }
    Ok(())
}

async fn singles(server: &Mailmoor, ports: (u16, u16)) -> Result<Latencies, Box<dyn Error>> {
    let mut tasks = Vec::new();
    for n in 0..SINGLES {
        let mut client = Client::connect(server.addr, &server.key).await?;
        tasks.push(tokio::spawn(async move {
            let begun = Instant::now();
            let done = async {
                let id = create(&mut client, n, ports).await?;
                wait_until_active(&mut client, &id).await
            };
            done.await.map(|()| begun.elapsed()).map_err(|error: Box<dyn Error>| error.to_string())
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.push(task.await??);
    }
    Ok(Latencies::new(latencies))
}
