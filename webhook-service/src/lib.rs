//! Webhooks: a consumer that has a dialect put events about mailboxes into words and posts them to the webhooks that
//! subscribed to them, and a clock that queues later attempts when they are due.
//!
//! The body of a post is rendered once and stored; the headers, with the signature, are made for each attempt. Nothing
//! here knows a dialect: their words come in as [`Words`].

mod announce;
mod client;
mod deliver;
mod in_flight;
mod schedule;

use std::sync::Arc;

use service_runtime::network::Network;
use service_runtime::runner::Consumer;
use service_runtime::service::{Consumers, StartError};
use service_runtime::settings::{Settings, WebhookSettings};
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
use tokio::sync::Notify;

pub use announce::Words;
use client::WebhookClient;
use deliver::Deliverer;

/// The service's consumer, as configured. Its clock runs until `stop` is cancelled.
///
/// # Errors
/// When the resolver or the trusted roots cannot be set up.
pub fn consumers(
    settings: &Settings,
    store: &Store,
    stop: &CancellationToken,
    words: Words,
) -> Result<Consumers, StartError> {
    let network = Network::from_settings(settings)?;
    let webhooks = Webhooks::new(settings.webhooks.clone(), network, store.clone(), words)?;
    Ok(vec![webhooks.start(stop)])
}

/// The consumer and its clock, not started yet.
pub struct Webhooks {
    deliverer: Arc<Deliverer>,
    store: Store,
    rescheduled: Arc<Notify>,
}

impl Webhooks {
    /// Deliveries over this store, to receivers that the network's egress rule permits.
    ///
    /// # Errors
    /// When the trusted roots are not PEM.
    pub fn new(settings: WebhookSettings, network: Network, store: Store, words: Words) -> Result<Self, StartError> {
        let client = WebhookClient::new(network, settings.timeout(), words.clone())?;
        let rescheduled = Arc::new(Notify::new());
        let deliverer = Arc::new(Deliverer::new(store.clone(), client, settings, rescheduled.clone(), words));
        Ok(Self { deliverer, store, rescheduled })
    }

    /// Starts the clock, which ends with `stop`. Returns the consumer.
    pub fn start(self, stop: &CancellationToken) -> Arc<dyn Consumer> {
        let (store, rescheduled, stop) = (self.store, self.rescheduled, stop.clone());
        tokio::spawn(async move { schedule::run(&store, &rescheduled, &stop).await });
        self.deliverer
    }
}
