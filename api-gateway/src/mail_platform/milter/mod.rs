//! What Postfix has us do about a message that a hosted mailbox submits, as a milter: `From:` must be the mailbox's
//! own address, and the key of its domain signs.

mod author;
mod codec;
mod session;

use service_runtime::shutdown::CancellationToken;
use shared_models::domain::Timestamp;
use shared_models::store::Store;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::dkim::SIGNATURE_FIELD;
use super::listener::{self, IDLE};
use codec::{Command, Reply};
use session::{Complete, Session, Step};

const NOT_NOW: &str = "451 4.3.0 The message cannot be signed now";

/// Answers until `stop` is cancelled.
pub(super) async fn serve(listener: TcpListener, store: &Store, stop: &CancellationToken) {
    listener::serve(listener, stop, |stream| converse(stream, store.clone())).await;
}

async fn converse(mut stream: TcpStream, store: Store) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut session = Session::default();
    while let Some(packet) = timeout(IDLE, codec::read_packet(&mut reader)).await?? {
        let mut out = vec![];
        match session.handle(Command::parse(&packet)?)? {
            Step::Wait => continue,
            Step::Answer(reply) => reply.write(&mut out),
            Step::Sign(message) => sign(&store, *message).await.iter().for_each(|reply| reply.write(&mut out)),
            Step::Close => break,
        }
        timeout(IDLE, writer.write_all(&out)).await??;
    }
    Ok(())
}

/// What ends the message. The key is read anew for each one, so nothing keeps it, and nobody signs with the key of a
/// mailbox that is gone. It is one more question to the database beside those that Postfix asks about a message.
async fn sign(store: &Store, message: Complete) -> Vec<Reply> {
    let domain = message.author.domain().to_owned();
    let value = match store.dkim_signer(&message.author).await {
        Ok(signer) => message.unsigned.sign(&signer, Timestamp::now()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match value {
        Ok(value) => vec![Reply::Insert { name: SIGNATURE_FIELD, value }, Reply::Continue],
        Err(error) => {
            log::warn!("a message from {domain} was not signed, and has to be sent again: {error}");
            vec![Reply::Refuse(NOT_NOW)]
        }
    }
}
