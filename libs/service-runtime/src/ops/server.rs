//! The HTTP server of a process that has no other, and the file with its address.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};

use super::{Ops, configure, nothing_here};
use crate::database;
use crate::shutdown::CancellationToken;

const ADDRESS_FILE: &str = "http.addr";
/// Upper bound of the time that a client takes to send its request head; then it is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Upper bound of the time for requests in flight after the stop signal; longer than any of them takes.
const SHUTDOWN_SECONDS: u64 = 3;

/// It listens and is ready to run.
pub struct OpsServer {
    addr: SocketAddr,
    server: Server,
}

/// Binds the listener, so that the address is known before the first request is served.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve(listen: SocketAddr, ops: Ops) -> io::Result<OpsServer> {
    let ops = Data::new(ops);
    let server = HttpServer::new(move || {
        let ops = ops.clone();
        App::new().configure(|services| configure(services, ops)).default_service(web::to(nothing_here))
    })
    .workers(1)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .bind(listen)?;
    let addr = server.addrs().first().copied().unwrap_or(listen);
    Ok(OpsServer { addr, server: server.run() })
}

impl OpsServer {
    /// The address of the listener, with the port that was picked.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` is cancelled, then finishes the requests in flight.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        run_until(self.server, stop).await
    }
}

/// Runs a server until `stop` is cancelled, then lets it finish the requests in flight.
///
/// # Errors
/// When the listener breaks.
pub async fn run_until(server: Server, stop: CancellationToken) -> io::Result<()> {
    let handle = server.handle();
    tokio::spawn(async move {
        stop.cancelled().await;
        handle.stop(true).await;
    });
    server.await
}

/// Writes `DATA_DIR/http.addr`, from which scripts read the address of a process. A missing folder is made. Readers see
/// the old address or the new one, never a part.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn write_address(data_dir: &Path, addr: SocketAddr) -> io::Result<()> {
    database::private_folder(data_dir).map_err(io::Error::other)?;
    // The draft is named after the process, as several may share a folder.
    let draft = data_dir.join(format!("{ADDRESS_FILE}.{}", std::process::id()));
    let written =
        std::fs::write(&draft, addr.to_string()).and_then(|()| std::fs::rename(&draft, data_dir.join(ADDRESS_FILE)));
    if written.is_err() {
        // Best effort after a full disk; the error to return is the one above.
        let _ = std::fs::remove_file(&draft);
    }
    written
}
