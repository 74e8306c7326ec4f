//! The `api-gateway` process.

use std::process::ExitCode;

use api_gateway::Gateway;
use service_runtime::service::{StartError, config_argument};
use service_runtime::settings::Settings;
use service_runtime::telemetry::Audience;
use service_runtime::{database, shutdown, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::init(Audience::Operators);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("api-gateway cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), StartError> {
    let settings = Settings::load(config_argument()?.as_deref()).map_err(StartError::new)?;
    let store = database::open(&settings).await.map_err(StartError::new)?;
    let stop = shutdown::on_signals().map_err(StartError::new)?;
    let gateway = Gateway::bind(&settings.http, store).map_err(StartError::new)?;
    log::info!("api-gateway {} listens on {}", env!("CARGO_PKG_VERSION"), gateway.addr());
    gateway.run(stop).await.map_err(StartError::new)
}
