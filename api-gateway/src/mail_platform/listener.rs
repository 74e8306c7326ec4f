//! Listening for Postfix. There is no login, so there are limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use service_runtime::service::StartError;
use service_runtime::shutdown::CancellationToken;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Open connections; each of Postfix's processes holds one.
const MAX_CONNECTIONS: usize = 1_000;
/// Pause after a failure to accept a connection, such as for too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Upper bound of the silence on a connection. Postfix closes one that it has not used for five minutes.
pub(super) const IDLE: Duration = Duration::from_secs(600);

/// `setting` is the key in the section `mail_platform`, for the error.
///
/// # Errors
/// When the address cannot be listened on.
pub(super) async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|e| StartError::new(format!("mail_platform.{setting}: cannot listen on {address}: {e}")))
}

/// Serves every connection with `talk` until `stop` is cancelled. An unfinished conversation is dropped: Postfix
/// repeats it elsewhere or later.
pub(super) async fn serve<T>(listener: TcpListener, stop: &CancellationToken, talk: impl Fn(TcpStream) -> T)
where
    T: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Some(slot) = stop.run_until_cancelled(slots.clone().acquire_owned()).await {
        let Ok(slot) = slot else { return };
        match stop.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(Ok((stream, _))) => {
                let (talk, stop) = (talk(stream), stop.clone());
                tokio::spawn(async move {
                    if let Some(Err(error)) = stop.run_until_cancelled(talk).await {
                        log::debug!("a connection of Postfix ended: {error}");
                    }
                    drop(slot);
                });
            }
            Some(Err(error)) => {
                log::warn!("a connection of Postfix was not accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
