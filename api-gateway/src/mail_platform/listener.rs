//! What has in common what listens for Postfix: there is no login, so there are limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use service_runtime::service::StartError;
use service_runtime::shutdown::CancellationToken;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at the same time; each of Postfix's processes has one.
const MAX_CONNECTIONS: usize = 1_000;
/// After a failure to accept a connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may be silent. Postfix closes one that it has not used for five minutes.
pub(super) const IDLE: Duration = Duration::from_secs(600);

/// Listens where the setting says.
///
/// # Errors
/// When that cannot be done.
pub(super) async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|e| StartError::new(format!("mail_platform.{setting}: cannot listen on {address}: {e}")))
}

/// Talks with everybody who connects, until `stop` is cancelled. Postfix tries again elsewhere, or later, what was not
/// finished.
pub(super) async fn serve<T>(listener: TcpListener, stop: &CancellationToken, talk: impl Fn(TcpStream) -> T)
where
    T: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Some(place) = stop.run_until_cancelled(places.clone().acquire_owned()).await {
        let Ok(place) = place else { return };
        match stop.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(Ok((stream, _))) => {
                let (talk, stop) = (talk(stream), stop.clone());
                tokio::spawn(async move {
                    if let Some(Err(error)) = stop.run_until_cancelled(talk).await {
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
