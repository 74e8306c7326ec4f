//! Postfix's questions before it accepts a message: whether the recipient takes mail from this envelope
//! sender. Postfix's access policy delegation protocol (SMTPD_POLICY_README): a question is lines
//! `name=value` up to an empty line, the answer `action=...` and an empty line.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Largest question in bytes. Postfix's have one or two thousand.
const MAX_QUESTION: u64 = 64 * 1024;
/// Connections at the same time; each of Postfix's processes has one.
const MAX_CONNECTIONS: usize = 1_000;
/// Postfix closes a connection that it has not used for five minutes.
const IDLE: Duration = Duration::from_secs(600);
/// After a failure to accept a connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Nothing against it; what else Postfix checks counts.
const NO_OBJECTION: &str = "DUNNO";
const REFUSED: &str = "550 5.7.1 The recipient does not take mail from this sender";
const UNKNOWN: &str = "451 4.3.0 Whether the recipient takes this mail cannot be looked up now";

/// Listens for Postfix.
pub(super) struct PolicyService {
    listener: TcpListener,
    store: Store,
}

impl PolicyService {
    pub(super) async fn bind(address: SocketAddr, store: Store) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, store })
    }

    /// Answers until `stop` is cancelled. Postfix asks again elsewhere, or later, what it is not answered.
    pub(super) async fn run(self, stop: &CancellationToken) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Some(place) = stop.run_until_cancelled(places.clone().acquire_owned()).await {
            let Ok(place) = place else { return };
            match stop.run_until_cancelled(self.listener.accept()).await {
                None => return,
                Some(Ok((stream, _))) => {
                    let (store, stop) = (self.store.clone(), stop.clone());
                    tokio::spawn(async move {
                        let talk = stop.run_until_cancelled(converse(stream, &store)).await;
                        if let Some(Err(error)) = talk {
                            log::debug!("a connection of Postfix's ended: {error}");
                        }
                        drop(place);
                    });
                }
                Some(Err(error)) => {
                    log::warn!("a connection of Postfix's was not accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn converse(mut stream: TcpStream, store: &Store) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    while let Some(question) = timeout(IDLE, read_question(&mut reader)).await?? {
        writer.write_all(format!("action={}\n\n", judge(store, &question).await).as_bytes()).await?;
    }
    Ok(())
}

/// The next question; `None` at the end of the connection.
async fn read_question(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<HashMap<String, String>>> {
    let mut reader = reader.take(MAX_QUESTION);
    let mut question = HashMap::new();
    loop {
        let mut line = vec![];
        reader.read_until(b'\n', &mut line).await?;
        let Some(line) = line.strip_suffix(b"\n") else { return Ok(None) };
        if line.is_empty() {
            return Ok(Some(question));
        }
        // An address that is no UTF-8 is on no list.
        if let Some((name, value)) = String::from_utf8_lossy(line).split_once('=') {
            question.insert(name.to_owned(), value.to_owned());
        }
    }
}

async fn judge(store: &Store, question: &HashMap<String, String>) -> &'static str {
    let of = |name: &str| question.get(name).map_or("", String::as_str);
    match store.lets_through(of("sender"), of("recipient")).await {
        Ok(true) => NO_OBJECTION,
        Ok(false) => REFUSED,
        Err(error) => {
            log::warn!("Postfix is told to try again: {error}");
            UNKNOWN
        }
    }
}
