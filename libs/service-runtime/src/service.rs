//! A process with consumers: settings, database, broker, run until told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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

/// Why a service cannot start. A plain text for the operator, without secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// Takes over the text of another error.
    pub fn new(cause: impl ToString) -> Self {
        Self(cause.to_string())
    }
}

/// What a service does with its queues.
pub type Consumers = Vec<Arc<dyn Consumer>>;

/// Makes the consumers of a service, which learn through the token that the process is told to stop.
pub type BuildConsumers = fn(&Settings, &Store, &CancellationToken) -> Result<Consumers, StartError>;

/// Feeds all of them until `stop` is cancelled and what is in flight has ended or was given back.
pub async fn consume(broker: &Arc<dyn Broker>, consumers: Consumers, stop: &CancellationToken) {
    let work = TaskTracker::new();
    for consumer in consumers {
        let (broker, stop) = (broker.clone(), stop.clone());
        work.spawn(async move { runner::run(&*broker, consumer, stop).await });
    }
    work.close();
    work.wait().await;
}

/// How long the end of a process waits for work that cannot be interrupted, such as a statement that the
/// database does not answer.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs a program's `async` main on a runtime of its own.
pub fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // Dropping it would wait for ever.
            runtime.shutdown_timeout(LAST_WAIT);
            code
        }
        Err(error) => {
            eprintln!("no threads: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole of a consumer process. Arguments: `--config FILE`.
pub fn main(name: &str, build: BuildConsumers) -> ExitCode {
    block_on(start(name, build))
}

async fn start(name: &str, build: BuildConsumers) -> ExitCode {
    telemetry::init(Audience::Operators);
    match run(name, build).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{name} cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(name: &str, build: BuildConsumers) -> Result<(), StartError> {
    let settings = Settings::load(config_argument()?.as_deref()).map_err(StartError::new)?;
    let stop = shutdown::on_signals().map_err(StartError::new)?;
    let Some(Parts { store, broker }) = Parts::open(&settings, &stop).await? else { return Ok(()) };
    let consumers = build(&settings, &store, &stop)?;
    let background = Background::start(&broker);
    match ops::serve(settings.http.listen, Ops { store, broker: broker.clone() }) {
        Ok(server) => {
            log::info!("{name} {} listens on {}", env!("CARGO_PKG_VERSION"), server.addr());
            announce(&settings.data_dir, server.addr());
            tokio::spawn(server.run(stop.clone()));
        }
        // Its work does not depend on being watched.
        Err(error) => log::error!("cannot listen on {}, so no probes and no metrics: {error}", settings.http.listen),
    }
    consume(&broker, consumers, &stop).await;
    background.end().await;
    log::info!("{name} stopped");
    Ok(())
}

/// Writes the address into `http.addr`. Whoever does not need the file may run on a read-only disk.
pub fn announce(data_dir: &Path, addr: SocketAddr) {
    if let Err(error) = ops::write_address(data_dir, addr) {
        log::warn!("{} was not written: {error}", data_dir.join("http.addr").display());
    }
}

/// What every service stands on.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The broker.
    pub broker: Arc<dyn Broker>,
}

impl Parts {
    /// Opens the database, waiting for it a while, and the broker. `None` when told to stop meanwhile.
    ///
    /// # Errors
    /// When the settings are wrong, or the database does not come.
    pub async fn open(settings: &Settings, stop: &CancellationToken) -> Result<Option<Self>, StartError> {
        let Some(opened) = stop.run_until_cancelled(database::open_patiently(settings)).await else {
            return Ok(None);
        };
        let store = opened.map_err(StartError::new)?;
        let broker = bus::connect(settings, &store).map_err(StartError::new)?;
        Ok(Some(Self { store, broker }))
    }
}

/// See [`Background::end`].
const LONGEST_END: Duration = Duration::from_secs(3);

/// What the broker does beside the service's own work.
pub struct Background {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Background {
    /// Starts it.
    pub fn start(broker: &Arc<dyn Broker>) -> Self {
        let (stop, broker) = (CancellationToken::new(), broker.clone());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { broker.run(stop).await }
        });
        Self { stop, task }
    }

    /// Ends it. Call it when nothing is committed any more, so that the last events leave too.
    pub async fn end(self) {
        self.stop.cancel();
        match tokio::time::timeout(LONGEST_END, self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::error!("the broker's background work ended badly: {error}"),
            Err(_) => log::warn!("the broker's background work did not end in time"),
        }
    }
}

/// The value of `--config`, the only argument of a service.
pub fn config_argument() -> Result<Option<PathBuf>, StartError> {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(None),
        (Some(flag), Some(file), None) if flag == "--config" => Ok(Some(file.into())),
        _ => Err(StartError::new("the only argument is --config FILE")),
    }
}
