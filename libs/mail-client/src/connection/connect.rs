//! The TCP connection to one of the vetted addresses of a host.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// Head start of each address over the next one (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The reason why no address could be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectError {
    /// An address answered with RST.
    Refused,
    /// Nothing answered in time.
    Timeout,
    /// No route.
    Unreachable,
    /// The connection was closed while it was opened.
    Reset,
    /// Our own system does not permit the connection.
    Blocked,
}

/// Connects to the first address that answers. The next address is tried [`ATTEMPT_DELAY`] after the one before, or
/// at once when that one has failed.
pub(crate) async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, ConnectError> {
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut failures = Vec::new();
    if let Some(first) = waiting.next() {
        running.push(attempt(first, deadline));
    }
    loop {
        tokio::select! {
            done = running.next(), if !running.is_empty() => match done {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(failure)) => {
                    failures.push(failure);
                    if let Some(next) = waiting.next() {
                        running.push(attempt(next, deadline));
                    }
                }
                None => {}
            },
            () = sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {
                if let Some(next) = waiting.next() {
                    running.push(attempt(next, deadline));
                }
            }
            else => return Err(verdict(&failures)),
        }
    }
}

async fn attempt(address: SocketAddr, deadline: Instant) -> Result<TcpStream, (SocketAddr, ConnectError)> {
    match timeout_at(deadline, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // Nagle's algorithm would delay a dialogue of short lines.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err((address, classify(&error))),
        Err(_) => Err((address, ConnectError::Timeout)),
    }
}

fn classify(error: &io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused,
        io::ErrorKind::TimedOut => ConnectError::Timeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ConnectError::Reset,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => ConnectError::Unreachable,
        _ => ConnectError::Blocked,
    }
}

/// One reason for all failures. IPv6 counts only if no IPv4 address failed: if our own machine has no IPv6, its
/// "unreachable" would hide the server's fault.
fn verdict(failures: &[(SocketAddr, ConnectError)]) -> ConnectError {
    let v4_only = failures.iter().any(|(address, _)| address.is_ipv4());
    let relevant =
        || failures.iter().filter(move |(address, _)| address.is_ipv4() || !v4_only).map(|(_, error)| *error);
    [ConnectError::Timeout, ConnectError::Refused, ConnectError::Reset, ConnectError::Blocked]
        .into_iter()
        .find(|kind| relevant().any(|error| error == *kind))
        .unwrap_or(ConnectError::Unreachable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_living_one() {
        let living = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead_address = dead.local_addr().unwrap();
        drop(dead);
        let addresses = [dead_address, living.local_addr().unwrap()];
        let stream = connect(&addresses, far()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), living.local_addr().unwrap());
        assert_eq!(connect(&addresses[..1], far()).await.unwrap_err(), ConnectError::Refused);
    }

    #[test]
    fn ipv4_decides_where_there_is_one() {
        let v4 = |e| ("1.2.3.4:25".parse().unwrap(), e);
        let v6 = |e| ("[2001::1]:25".parse().unwrap(), e);
        use ConnectError::{Refused, Timeout, Unreachable};
        assert_eq!(verdict(&[v4(Refused), v6(Timeout)]), Refused);
        assert_eq!(verdict(&[v4(Timeout), v6(Unreachable)]), Timeout);
        assert_eq!(verdict(&[v4(Refused), v4(Timeout)]), Timeout);
        assert_eq!(verdict(&[v6(Unreachable)]), Unreachable);
        assert_eq!(verdict(&[]), Unreachable);
    }
}
