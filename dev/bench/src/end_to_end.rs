//! From POST to `active` against a local mail server: one mailbox at a time, and many at once.

use std::error::Error;
use std::time::{Duration, Instant};

use mail_lab::scripted::{Behaviour, Listener, ScriptedServer};

use crate::client::Client;
use crate::create::body;
use crate::report::{Latencies, heading};
use crate::server::Mailmoor;

const ONE_BY_ONE: usize = 100;
const AT_ONCE: usize = 1000;
/// Pause between two looks at the connection test.
const POLL: Duration = Duration::from_millis(1);

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    heading("POST to active, implicit TLS on both legs");
    for delay in [0, 50] {
        let lab = ScriptedServer::builder().accept_all().start()?;
        lab.set(Listener::ALL, Behaviour { reply_delay: Duration::from_millis(delay), ..Behaviour::default() });
        let server = Mailmoor::start(&[("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", "200")])?;
        let ports = (lab.port(Listener::SmtpImplicit), lab.port(Listener::ImapImplicit));
        let mut client = Client::connect(server.addr, &server.key).await?;

        let started = Instant::now();
        let mut latencies = Vec::new();
        for n in 0..ONE_BY_ONE {
            let begun = Instant::now();
            let id = create(&mut client, n, ports).await?;
            wait_until_active(&mut client, &id).await?;
            latencies.push(begun.elapsed());
        }
        let row = Latencies::new(latencies)
            .row(&format!("one at a time, server delays each reply {delay} ms"), started.elapsed());
        println!("{row}");

        let started = Instant::now();
        let mut waiting = Vec::new();
        for n in 0..AT_ONCE {
            waiting.push((create(&mut client, ONE_BY_ONE + n, ports).await?, Instant::now()));
        }
        let mut latencies = Vec::new();
        let mut busy = 0.0_f64;
        for (id, posted) in waiting {
            wait_until_active(&mut client, &id).await?;
            latencies.push(posted.elapsed());
            busy = busy.max(server.memory()?);
        }
        let row = Latencies::new(latencies)
            .row(&format!("{AT_ONCE} at once, server delays each reply {delay} ms"), started.elapsed());
        println!("{row}\n\nmemory under that load: {busy:.1} MiB\n");
    }
    Ok(())
}

pub(crate) async fn create(client: &mut Client, n: usize, (smtp, imap): (u16, u16)) -> Result<String, Box<dyn Error>> {
    let (status, answer) = client.send("POST", "/v1/mailboxes", &body(n, smtp, imap)).await?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    match (status, answer["data"]["_id"].as_str()) {
        (201, Some(id)) => Ok(id.to_owned()),
        _ => Err(format!("{status} {answer}").into()),
    }
}

pub(crate) async fn wait_until_active(client: &mut Client, id: &str) -> Result<(), Box<dyn Error>> {
    loop {
        let (_, answer) = client.send("GET", &format!("/v1/mailboxes/{id}/connection-test"), "").await?;
        if answer.contains("passed") {
            return Ok(());
        }
        if !answer.contains("pending") {
            return Err(answer.into());
        }
        tokio::time::sleep(POLL).await;
    }
}
