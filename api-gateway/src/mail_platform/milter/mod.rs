//! The milter for mail that hosted mailboxes submit: `From:` must be the mailbox's own address, and the message is
//! signed with the key of its domain. The body is hashed as it arrives and never held in memory.

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

/// Responds until `stop` is cancelled.
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

/// The replies that end a message. The key is read for each message, so it is not kept in memory, and a deleted mailbox
/// cannot sign. This is one query beside those that Postfix makes for each message.
async fn sign(store: &Store, message: Complete) -> Vec<Reply> {
    let domain = message.author.domain().to_owned();
    let value = match store.dkim_signer(&message.author).await {
        Ok(signer) => message.unsigned.sign(&signer, Timestamp::now()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match value {
        Ok(value) => vec![Reply::Insert { name: SIGNATURE_FIELD, value }, Reply::Continue],
        Err(error) => {
            log::warn!("a message from {domain} was not signed and is refused for now: {error}");
            vec![Reply::Refuse(NOT_NOW)]
        }
    }
}
