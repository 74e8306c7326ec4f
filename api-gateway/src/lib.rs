//! The REST gateway: the server around the dialects, the chores of a deployment, and the side of the mail platform
//! that faces Dovecot and Postfix.

mod housekeeping;
pub mod mail_platform;
mod metrics;
mod rest;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dialects::DIALECTS;
use service_runtime::bus::Broker;
use service_runtime::service::{self, Parts, StartError};
use service_runtime::settings::Settings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

use mail_platform::MailPlatform;
pub use rest::RestServer;

/// The service without its process: it listens and is ready to run.
pub struct Gateway {
    rest: RestServer,
    platform: MailPlatform,
    store: Store,
    broker: Arc<dyn Broker>,
    dns_refresh_after: Duration,
}

impl Gateway {
    /// Binds all listeners, so that the addresses are known before the first request is served.
    ///
    /// # Errors
    /// When the settings cannot be used, or an address cannot be listened on.
    pub async fn open(settings: &Settings, parts: &Parts) -> Result<Self, StartError> {
        let Parts { store, broker } = parts;
        let platform = MailPlatform::open(&settings.mail_platform, store).await?;
        let (http, limits) = (&settings.http, &settings.rate_limit);
        let rest = RestServer::bind(http, DIALECTS, limits, &platform, store.clone(), broker.clone())?;
        let dns_refresh_after = settings.dns.refresh_after();
        Ok(Self { rest, platform, store: store.clone(), broker: broker.clone(), dns_refresh_after })
    }

    /// The address of the REST listener.
    pub fn addr(&self) -> SocketAddr {
        self.rest.addr()
    }

    /// Serves until `stop` is cancelled, then finishes the requests in flight.
    ///
    /// # Errors
    /// When the REST listener breaks; `stop` is cancelled then.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let chores = tokio::spawn(housekeeping::run(self.store, self.dns_refresh_after, stop.clone()));
        let platform = tokio::spawn(self.platform.run(self.broker, stop.clone()));
        let served = self.rest.run(stop.clone()).await;
        stop.cancel();
        // A panic in either has been logged and has nothing to lose.
        let _ = (chores.await, platform.await);
        served
    }
}

/// The `api-gateway` process between its start and its stop signal.
///
/// # Errors
/// Those of [`Gateway::open`] and [`Gateway::run`].
pub async fn serve(settings: &Settings, parts: Parts, stop: &CancellationToken) -> Result<(), StartError> {
    let gateway = Gateway::open(settings, &parts).await?;
    service::announce("api-gateway", settings, gateway.addr());
    service::run(&parts.broker, vec![], gateway.run(stop.clone()), stop).await
}
