//! A process with one consumer: settings, database, broker, run until told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use shared_models::store::Store;

use crate::bus::embedded::{EmbeddedBroker, Sharing};
use crate::runner::{self, Consumer};
use crate::settings::{BrokerSettings, Settings};
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

/// Makes the consumer of a service.
pub type BuildConsumer = fn(&Settings, Store) -> Result<Arc<dyn Consumer>, StartError>;

/// The whole of a consumer process. Arguments: `--config FILE`.
pub async fn main(name: &str, build: BuildConsumer) -> ExitCode {
    telemetry::init(Audience::Operators);
    match run(name, build).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{name} cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(name: &str, build: BuildConsumer) -> Result<(), StartError> {
    let settings = Settings::load(config_argument()?.as_deref()).map_err(StartError::new)?;
    let store = database::open(&settings).await.map_err(StartError::new)?;
    let broker = match settings.broker_settings().map_err(StartError::new)? {
        BrokerSettings::Embedded => EmbeddedBroker::new(store.clone(), Sharing::WithOthers),
    };
    let consumer = build(&settings, store)?;
    let stop = shutdown::on_signals().map_err(StartError::new)?;
    log::info!("{name} {} started", env!("CARGO_PKG_VERSION"));
    runner::run(&broker, consumer, stop).await;
    log::info!("{name} stopped");
    Ok(())
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
