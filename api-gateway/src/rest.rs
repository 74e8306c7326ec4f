//! The HTTP server around the dialects.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::ContentType;
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App as ActixApp, HttpResponse, HttpServer};
use dialects::{App, Dialect};
use service_runtime::bus::Broker;
use service_runtime::ops::{self, Ops};
use service_runtime::service::StartError;
use service_runtime::settings::{HttpSettings, RateLimitSettings};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::CoreError;
use shared_models::store::Store;
use use_cases::UseCases;

use crate::mail_platform::MailPlatform;
use crate::metrics;

/// It listens and is ready to run.
pub struct RestServer {
    addr: SocketAddr,
    server: Server,
    broker: Arc<dyn Broker>,
    /// Cancelled together with the listener: requests that wait for another service are answered at once.
    ending: CancellationToken,
}

/// Upper bound of the time for requests in flight after the stop signal.
const SHUTDOWN_SECONDS: u64 = 10;
/// Upper bound of the time that a client takes to send its request head; then it is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle time after which a connection is closed. Longer than that of proxies and clients (mostly a minute), so that
/// none of them sends a request into a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

impl RestServer {
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
        let (app, document) = (Data::new(app), Data::new(Document { dialects, text: OnceLock::new() }));
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

    /// The address of the listener, with the port that was picked.
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
        // Not awaited: it ends when `stop` is cancelled.
        tokio::spawn({
            let stop = stop.clone();
            async move {
                stop.cancelled().await;
                self.ending.cancel();
            }
        });
        let served = ops::run_until(self.server, stop).await;
        // Listening for events has nothing to finish.
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

/// The OpenAPI document as it is served. It is built when it is asked for the first time and only its text is kept:
/// as a tree it takes 13 MB, three quarters of what a process at rest has on its heap.
struct Document {
    dialects: &'static [&'static Dialect],
    text: OnceLock<Result<Bytes, String>>,
}

impl Document {
    fn text(&self) -> Result<Bytes, CoreError> {
        let text = self.text.get_or_init(|| match serde_json::to_vec(&dialects::openapi(self.dialects)) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(error.to_string()),
        });
        text.clone().map_err(|error| CoreError::Internal(format!("the document cannot be serialised: {error}")))
    }
}

async fn openapi(document: Data<Document>) -> HttpResponse {
    // Building takes long enough to delay the other connections of this thread.
    match web::block(move || document.text()).await {
        Ok(Ok(text)) => HttpResponse::Ok().content_type(ContentType::json()).body(text),
        Ok(Err(error)) => {
            log::error!("{error}");
            HttpResponse::InternalServerError().finish()
        }
        // The process ends.
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}
