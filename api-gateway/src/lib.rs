//! The REST gateway: the server around the dialects, the chores of a deployment, and the side of the mail platform
//! that faces Dovecot and Postfix.

pub mod housekeeping;
pub mod mail_platform;
mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App as ActixApp, HttpResponse, HttpServer};
use dialects::{App, Dialect};
use mail_platform::MailPlatform;
use service_runtime::bus::Broker;
use service_runtime::ops::{self, Ops};
use service_runtime::service::StartError;
use service_runtime::settings::{HttpSettings, RateLimitSettings};
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
use use_cases::UseCases;

/// A gateway that listens and is ready to run.
pub struct Gateway {
    addr: SocketAddr,
    server: Server,
    broker: Arc<dyn Broker>,
    /// Ends what waits for others.
    ending: CancellationToken,
}

/// Time for requests in flight after the stop signal.
const SHUTDOWN_SECONDS: u64 = 10;
/// A client that has not sent its whole request head by then is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection stays open. Longer than proxies and clients keep theirs (mostly a minute), so
/// that none of them sends a request into a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

impl Gateway {
    /// Binds the listener, so that the address is known before the first request is served.
    ///
    /// # Errors
    /// When the dialects do not get along, when `limits` has a name that none of them knows, and when the address
    /// cannot be listened on.
    pub fn bind(
        settings: &HttpSettings,
        dialects: &'static [&'static Dialect],
        limits: &RateLimitSettings,
        platform: &MailPlatform,
        store: Store,
        broker: Arc<dyn Broker>,
    ) -> Result<Self, StartError> {
        let ending = CancellationToken::new();
        let patience = Duration::from_millis(settings.verification_wait_ms);
        let use_cases =
            UseCases::new(store.clone(), patience, ending.clone()).with_storage_meter(platform.storage_meter());
        let app = App::new(dialects, use_cases, limits, platform.settings.clone()).map_err(StartError::new)?;
        let (app, document) = (Data::new(app), Data::new(dialects::openapi(dialects)));
        let ops = Data::new(Ops { store, broker: broker.clone() });
        let server = HttpServer::new(move || {
            let ops = ops.clone();
            ActixApp::new()
                .app_data(app.clone())
                .app_data(document.clone())
                .configure(|services| ops::configure(services, ops))
                .configure(|services| configure(services, dialects))
                // Clients that join a base URL with a trailing slash send `//path`.
                .wrap(NormalizePath::trim())
                .wrap(from_fn(move |request, next| {
                    metrics::measured(request, next, |path| dialects::name_of(dialects, path))
                }))
        })
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .bind(settings.listen)
        .map_err(|e| StartError::new(format!("cannot listen on {}: {e}", settings.listen)))?;
        let addr = server.addrs().first().copied().unwrap_or(settings.listen);
        Ok(Self { addr, server: server.run(), broker, ending })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` is cancelled, then finishes the requests in flight.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(self, stop: CancellationToken) -> std::io::Result<()> {
        let news = tokio::spawn({
            let stop = stop.clone();
            async move { self.broker.listen(stop).await }
        });
        // Goes with the listener.
        tokio::spawn({
            let stop = stop.clone();
            async move {
                stop.cancelled().await;
                self.ending.cancel();
            }
        });
        let served = ops::run_until(self.server, stop).await;
        // It has nothing to finish.
        news.abort();
        served
    }
}

fn configure(services: &mut web::ServiceConfig, dialects: &[&Dialect]) {
    services.route("/openapi.json", web::get().to(openapi)).default_service(web::to(ops::nothing_here));
    for dialect in dialects {
        services.configure(dialect.mount);
    }
}

async fn openapi(document: Data<utoipa::openapi::OpenApi>) -> HttpResponse {
    HttpResponse::Ok().json(document.get_ref())
}
