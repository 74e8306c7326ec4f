//! The REST gateway: three wire dialects over one set of use cases.
//!
//! Directions: `dialects` and `http` use `onboarding`, which uses the store; never the other way.

mod dialects;
mod http;
mod onboarding;

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::NormalizePath;
use actix_web::web::{self, Data};
use actix_web::{App as ActixApp, HttpResponse, HttpServer};
use onboarding::Onboarding;
use serde_json::json;
use service_runtime::settings::HttpSettings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

/// What every handler can reach.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) onboarding: Onboarding,
}

/// A gateway that listens and is ready to run.
pub struct Gateway {
    addr: SocketAddr,
    server: Server,
}

/// Time for requests in flight after the stop signal.
const SHUTDOWN_SECONDS: u64 = 10;
/// A client that has not sent its whole request head by then is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

impl Gateway {
    /// Binds the listener, so that the address is known before the first request is served.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn bind(settings: &HttpSettings, store: Store) -> std::io::Result<Self> {
        let app = Data::new(App { onboarding: Onboarding::new(store.clone()), store });
        let document = Data::new(dialects::openapi());
        let server = HttpServer::new(move || {
            ActixApp::new()
                .app_data(app.clone())
                .app_data(document.clone())
                // Clients that join a base URL with a trailing slash send `//path`.
                .wrap(NormalizePath::trim())
                .configure(configure)
        })
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .bind(settings.listen)?;
        let addr = server.addrs().first().copied().unwrap_or(settings.listen);
        Ok(Self { addr, server: server.run() })
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
        let handle = self.server.handle();
        tokio::spawn(async move {
            stop.cancelled().await;
            handle.stop(true).await;
        });
        self.server.await
    }
}

fn configure(services: &mut web::ServiceConfig) {
    services
        .route("/healthz", web::get().to(http::probes::healthz))
        .route("/readyz", web::get().to(http::probes::readyz))
        .route("/openapi.json", web::get().to(openapi))
        .configure(dialects::configure)
        .default_service(web::to(async || {
            HttpResponse::NotFound().json(json!({"error": "There is nothing at this path"}))
        }));
}

async fn openapi(document: Data<utoipa::openapi::OpenApi>) -> HttpResponse {
    HttpResponse::Ok().json(document.get_ref())
}
