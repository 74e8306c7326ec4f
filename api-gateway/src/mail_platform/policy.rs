//! Postfix's access policy delegation (SMTPD_POLICY_README): before Postfix accepts a message it asks whether the
//! recipient accepts mail from the envelope sender. A request is lines `name=value` up to an empty line; the response
//! is `action=...` and an empty line.

use std::collections::HashMap;

use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::listener::{self, IDLE};

/// Upper bound of a request in bytes. Those of Postfix have one or two thousand.
const MAX_REQUEST: u64 = 64 * 1024;

/// Leaves the decision to Postfix's further checks.
const NO_OBJECTION: &str = "DUNNO";
const REFUSED: &str = "550 5.7.1 The recipient does not take mail from this sender";
const UNKNOWN: &str = "451 4.3.0 Whether the recipient takes this mail cannot be looked up now";

/// Responds until `stop` is cancelled.
pub(super) async fn serve(listener: TcpListener, store: &Store, stop: &CancellationToken) {
    listener::serve(listener, stop, |stream| converse(stream, store.clone())).await;
}

async fn converse(mut stream: TcpStream, store: Store) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = timeout(IDLE, read_request(&mut reader)).await?? {
        writer.write_all(format!("action={}\n\n", judge(&store, &request).await).as_bytes()).await?;
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
async fn read_request(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<HashMap<String, String>>> {
    let mut reader = reader.take(MAX_REQUEST);
    let mut request = HashMap::new();
    loop {
        let mut line = vec![];
        reader.read_until(b'\n', &mut line).await?;
        let Some(line) = line.strip_suffix(b"\n") else { return Ok(None) };
        if line.is_empty() {
            return Ok(Some(request));
        }
        // Lossy: an address that is not UTF-8 is on no list.
        if let Some((name, value)) = String::from_utf8_lossy(line).split_once('=') {
            request.insert(name.to_owned(), value.to_owned());
        }
    }
}

async fn judge(store: &Store, request: &HashMap<String, String>) -> &'static str {
    let of = |name: &str| request.get(name).map_or("", String::as_str);
    match store.lets_through(of("sender"), of("recipient")).await {
        Ok(true) => NO_OBJECTION,
        Ok(false) => REFUSED,
        Err(error) => {
            log::warn!("a sender is asked to come back later: {error}");
            UNKNOWN
        }
    }
}
