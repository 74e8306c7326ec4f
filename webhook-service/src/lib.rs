//! Telling webhooks what happens: a consumer that has a dialect put into words what others noted as an event
//! and posts these words to receivers, and a clock that hands it those that are due again. What is posted is
//! written once; the headers are made for each try by the dialect of the webhook.

mod announce;
mod client;
mod deliver;
mod in_flight;
mod schedule;

use std::sync::Arc;

use service_runtime::egress::{EgressGuard, EgressPolicy};
use service_runtime::resolver::{DnsResolverSettings, build_resolver};
use service_runtime::runner::Consumer;
use service_runtime::service::{Consumers, StartError};
use service_runtime::settings::{Settings, WebhookSettings};
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
use tokio::sync::Notify;

pub use announce::Words;
use client::HookClient;
use deliver::Deliverer;

/// The consumer of the webhooks' queue. The clock that hands it what is due runs until `stop` is cancelled.
///
/// # Errors
/// When the resolver or the trusted roots cannot be set up.
pub fn consumers(
    settings: &Settings,
    store: &Store,
    stop: &CancellationToken,
    words: Words,
) -> Result<Consumers, StartError> {
    let lookups = DnsResolverSettings { servers: settings.dns.servers.clone(), timeout: settings.dns.timeout() };
    let resolver = build_resolver(&lookups).map_err(StartError::new)?;
    let policy = EgressPolicy { allowed_networks: settings.egress.allowed_networks.clone() };
    let egress = EgressGuard::new(policy, resolver, lookups.lookup_timeout());
    let roots = settings.extra_ca_pem().map_err(StartError::new)?;
    let webhooks = Webhooks::new(settings.webhooks.clone(), egress, roots.as_deref(), store.clone(), words)?;
    Ok(vec![webhooks.start(stop)])
}

/// The deliverer and its clock.
pub struct Webhooks {
    deliverer: Arc<Deliverer>,
    store: Store,
    /// Something is due earlier than the clock knows.
    hurry: Arc<Notify>,
}

impl Webhooks {
    /// Over this store, dialling what `egress` permits and trusting the system's roots and these (PEM).
    ///
    /// # Errors
    /// When the roots cannot be read.
    pub fn new(
        settings: WebhookSettings,
        egress: EgressGuard,
        extra_ca_pem: Option<&[u8]>,
        store: Store,
        words: Words,
    ) -> Result<Self, StartError> {
        let client = HookClient::new(egress, extra_ca_pem, settings.timeout(), words.clone())?;
        let hurry = Arc::new(Notify::new());
        let deliverer = Arc::new(Deliverer::new(store.clone(), client, settings, hurry.clone(), words));
        Ok(Self { deliverer, store, hurry })
    }

    /// Starts the clock, which ends with `stop`. Returns the consumer.
    pub fn start(self, stop: &CancellationToken) -> Arc<dyn Consumer> {
        let (store, hurry, stop) = (self.store, self.hurry, stop.clone());
        tokio::spawn(async move { schedule::run(&store, &hurry, &stop).await });
        self.deliverer
    }
}
