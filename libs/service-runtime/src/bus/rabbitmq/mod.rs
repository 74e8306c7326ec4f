//! RabbitMQ: a topic exchange to which integrators may bind queues of their own, quorum queues for the consumers, retry
//! queues whose messages expire into their queue, and dead letters.
//!
//! Publishing and consuming have a connection each: a broker under a resource alarm stops reading from connections that
//! publish, and acknowledgements must go on. Events are published from the outbox only.

mod dead_letters;
mod delivery;
mod link;
mod news;
mod publish;
mod relay;
mod topology;

use std::sync::Arc;

use async_trait::async_trait;
use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use secrecy::SecretString;
use shared_models::domain::CoreError;
use shared_models::store::{DeadLetter, Store};
use tokio_util::sync::CancellationToken;

use super::{Broker, Subscription};
use crate::settings::SettingsError;
use delivery::RabbitSubscription;
use link::{Link, unavailable};

/// Header: the number of the attempt, from 1; absent = the first.
const ATTEMPT: &str = "x-mailmoor-attempt";
/// Header: deliveries of the message before it was moved to this queue.
const DELIVERIES: &str = "x-mailmoor-deliveries";
/// Header: the reason for which a message was parked.
const REASON: &str = "x-mailmoor-reason";
/// Header: the queue whose consumer parked the message.
const QUEUE: &str = "x-mailmoor-queue";
/// Header: the time of parking, in milliseconds since 1970.
const DEAD_AT: &str = "x-mailmoor-dead-at";

/// The connection for publishing and the one for consuming.
#[derive(Clone)]
struct Links {
    publishing: Arc<Link>,
    consuming: Arc<Link>,
}

/// The broker of the distributed deployment.
pub struct RabbitMq {
    links: Links,
    store: Store,
}

impl RabbitMq {
    /// A broker at this URL for the outbox of this store. It connects on first use, and again after a lost connection.
    ///
    /// # Errors
    /// When the URL is not valid.
    pub fn new(url: &SecretString, store: Store) -> Result<Self, SettingsError> {
        let link = |name| Link::new(url, name).map(Arc::new);
        Ok(Self {
            links: Links { publishing: link("mailmoor publishing")?, consuming: link("mailmoor consuming")? },
            store,
        })
    }
}

#[async_trait]
impl Broker for RabbitMq {
    fn subscribe(&self, queue: &'static str, prefetch: usize) -> Box<dyn Subscription> {
        let prefetch = u16::try_from(prefetch).unwrap_or(u16::MAX);
        Box::new(RabbitSubscription { links: self.links.clone(), queue, prefetch, open: None, ending: None })
    }

    async fn run(&self, stop: CancellationToken) {
        relay::run(&self.links, &self.store, &stop).await;
    }

    async fn listen(&self, stop: CancellationToken) {
        news::listen(&self.links.consuming, &self.store, &stop).await;
    }

    async fn ping(&self) -> Result<(), CoreError> {
        let look = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let channel = self.links.publishing.publisher().await?;
        let name = topology::short(topology::EXCHANGE);
        channel.exchange_declare(name, ExchangeKind::Topic, look, FieldTable::default()).await.map_err(unavailable)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError> {
        dead_letters::list(&self.links).await
    }

    async fn count_dead_letters(&self) -> Result<u64, CoreError> {
        dead_letters::count(&self.links).await
    }

    async fn replay_dead_letters(&self, id: Option<&str>) -> Result<usize, CoreError> {
        dead_letters::replay(&self.links, id).await
    }

    async fn drop_dead_letter(&self, id: &str) -> Result<(), CoreError> {
        dead_letters::discard(&self.links, id).await
    }
}
