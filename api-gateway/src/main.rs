//! The `api-gateway` process.

use std::process::ExitCode;

use api_gateway::mail_platform::MailPlatform;
use api_gateway::{Gateway, housekeeping};
use dialects::DIALECTS;
use service_runtime::service::{Background, Parts, StartError, announce, block_on, config_argument};
use service_runtime::settings::Settings;
use service_runtime::telemetry::Audience;
use service_runtime::{shutdown, telemetry};

fn main() -> ExitCode {
    block_on(start())
}

async fn start() -> ExitCode {
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
    let stop = shutdown::on_signals().map_err(StartError::new)?;
    let Some(Parts { store, broker }) = Parts::open(&settings, &stop).await? else { return Ok(()) };
    let platform = MailPlatform::open(&settings.mail_platform, &store).await?;
    let (http, limits) = (&settings.http, &settings.rate_limit);
    let gateway = Gateway::bind(http, DIALECTS, limits, &platform, store.clone(), broker.clone())?;
    announce(&settings.data_dir, gateway.addr());
    log::info!("api-gateway {} listens on {}", env!("CARGO_PKG_VERSION"), gateway.addr());
    let background = Background::start(&broker);
    let chores = tokio::spawn(housekeeping::run(store, settings.dns.refresh_after(), stop.clone()));
    let platform = tokio::spawn(platform.run(broker, stop.clone()));
    let served = gateway.run(stop.clone()).await.map_err(StartError::new);
    stop.cancel();
    // They have nothing to lose.
    let _ = (chores.await, platform.await);
    background.end().await;
    log::info!("api-gateway stopped");
    served
}
