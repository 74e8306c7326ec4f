//! The life of a process: settings, database, broker, work until a stop signal, orderly end. One way to start for
//! workers, the gateway and the embedded program.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use shared_models::store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{self, Broker};
use crate::ops::{self, Ops};
use crate::runner::{self, Consumer};
use crate::settings::Settings;
use crate::telemetry::Audience;
use crate::{database, shutdown, telemetry};

/// A service cannot start. The text is for the operator and holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// Takes over the text of another error.
    pub fn new(cause: impl ToString) -> Self {
        Self(cause.to_string())
    }
}

/// The consumers of a service, each of which is fed from its own queue.
pub type Consumers = Vec<Arc<dyn Consumer>>;

/// Makes the consumers of a service. The token is cancelled when the process is asked to stop.
pub type BuildConsumers = fn(&Settings, &Store, &CancellationToken) -> Result<Consumers, StartError>;

/// The connections that every service needs.
#[expect(missing_docs, reason = "fields are named after their types")]
pub struct Parts {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
}

impl Parts {
    /// Opens the database and the broker, and waits up to a minute for a database that does not answer yet. `None` if
    /// `stop` is cancelled meanwhile.
    ///
    /// # Errors
    /// When the settings are wrong, or the database stays away.
    pub async fn open(settings: &Settings, stop: &CancellationToken) -> Result<Option<Self>, StartError> {
        let Some(opened) = stop.run_until_cancelled(database::open_patiently(settings)).await else {
            return Ok(None);
        };
        let store = opened.map_err(StartError::new)?;
        let broker = bus::connect(settings, &store).map_err(StartError::new)?;
        Ok(Some(Self { store, broker }))
    }
}

/// The whole of a worker: a program that consumes queues and listens for probes and scrapes only.
/// Arguments: `--config FILE`.
pub fn main(name: &str, build: BuildConsumers) -> ExitCode {
    program(name, async |settings, parts, stop| {
        let consumers = build(settings, &parts.store, stop)?;
        run(&parts.broker, consumers, listen_for_probes(name, settings, &parts, stop.clone()), stop).await
    })
}

/// The whole of a program: its parts are opened, `serve` runs until the token is cancelled by a stop signal.
/// Arguments: `--config FILE`.
pub fn program(
    name: &str,
    serve: impl AsyncFnOnce(&Settings, Parts, &CancellationToken) -> Result<(), StartError>,
) -> ExitCode {
    block_on(async {
        telemetry::init(Audience::Operators);
        let ended = async {
            let settings = Settings::load(config_argument()?.as_deref()).map_err(StartError::new)?;
            let stop = shutdown::on_signals().map_err(StartError::new)?;
            let Some(parts) = Parts::open(&settings, &stop).await? else { return Ok(()) };
            serve(&settings, parts, &stop).await
        };
        match ended.await {
            Ok(()) => {
                log::info!("{name} stopped");
                ExitCode::SUCCESS
            }
            Err(error) => {
                log::error!("{name} cannot start: {error}");
                ExitCode::FAILURE
            }
        }
    })
}

/// Feeds the consumers and drives the listener, with the broker's own work beside them. Ends when `stop` is cancelled;
/// a listener that ends before that cancels it, so that no half of a service goes on alone.
///
/// # Errors
/// That of the listener.
pub async fn run(
    broker: &Arc<dyn Broker>,
    consumers: Consumers,
    listener: impl Future<Output = io::Result<()>>,
    stop: &CancellationToken,
) -> Result<(), StartError> {
    let background = Background::start(broker);
    let listening = async {
        let ended = listener.await;
        stop.cancel();
        ended
    };
    let (listened, ()) = tokio::join!(listening, consume(broker, consumers, stop));
    background.end().await;
    listened.map_err(StartError::new)
}

/// Feeds all consumers until `stop` is cancelled and what is in flight has ended or was given back.
pub async fn consume(broker: &Arc<dyn Broker>, consumers: Consumers, stop: &CancellationToken) {
    let work = TaskTracker::new();
    for consumer in consumers {
        let (broker, stop) = (broker.clone(), stop.clone());
        work.spawn(async move { runner::run(&*broker, consumer, stop).await });
    }
    work.close();
    work.wait().await;
}

/// A worker goes on when its listener fails: its work does not depend on being watched.
async fn listen_for_probes(name: &str, settings: &Settings, parts: &Parts, stop: CancellationToken) -> io::Result<()> {
    let listen = settings.http.listen;
    let ops = Ops { store: parts.store.clone(), broker: parts.broker.clone() };
    let served = match ops::serve(listen, ops) {
        Ok(server) => {
            announce(name, settings, server.addr());
            server.run(stop.clone()).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        log::error!("cannot listen on {listen}, so no probes and no metrics: {error}");
        stop.cancelled().await;
    }
    Ok(())
}

/// Logs the address and writes it into `DATA_DIR/http.addr`. A process whose file nobody needs may run on a read-only
/// disk, so a file that cannot be written is only logged.
pub fn announce(name: &str, settings: &Settings, addr: SocketAddr) {
    log::info!("{name} {} listens on {addr}", env!("CARGO_PKG_VERSION"));
    if let Err(error) = ops::write_address(&settings.data_dir, addr) {
        log::warn!("{} was not written: {error}", settings.data_dir.join("http.addr").display());
    }
}

/// Upper bound of the wait for threads that cannot be interrupted, such as a statement that the database does not
/// answer.
const RUNTIME_SHUTDOWN: Duration = Duration::from_secs(1);

/// Runs a program's `async` main on a runtime of its own.
pub fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // Dropping the runtime would wait for blocked threads without bound.
            runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
            code
        }
        Err(error) => {
            eprintln!("no threads: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Upper bound of [`Background::end`]. Events that have not left by then wait in the outbox for another process.
const LAST_EVENTS: Duration = Duration::from_secs(3);

/// The work of the broker beside that of the service, such as the relay of the outbox.
struct Background {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Background {
    fn start(broker: &Arc<dyn Broker>) -> Self {
        let (stop, broker) = (CancellationToken::new(), broker.clone());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { broker.run(stop).await }
        });
        Self { stop, task }
    }

    /// Called when nothing is committed any more, so that the last events leave, too.
    async fn end(self) {
        self.stop.cancel();
        match tokio::time::timeout(LAST_EVENTS, self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::error!("the broker's background work ended badly: {error}"),
            Err(_) => log::warn!("the broker's background work did not end in time"),
        }
    }
}

/// The value of `--config`, the only argument of a service.
fn config_argument() -> Result<Option<PathBuf>, StartError> {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(None),
        (Some(flag), Some(file), None) if flag == "--config" => Ok(Some(file.into())),
        _ => Err(StartError::new("the only argument is --config FILE")),
    }
}
