//! Support for the webhook tests of all dialects: deliveries beside a gateway, a receiver, and its check of signatures
//! with libraries that the product does not use for them.

mod receiver;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_lab::TestCa;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use reqwest::header::HeaderMap;
use serde_json::json;
use service_runtime::bus::Broker;
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use service_runtime::egress::{EgressGuard, EgressPolicy};
use service_runtime::network::Network;
use service_runtime::resolver::{DnsResolverSettings, build_resolver};
use service_runtime::service::consume;
use service_runtime::shutdown::CancellationToken;
use webhook_service::Webhooks;

use crate::world::World;

pub(crate) use receiver::{Does, Post, Receiver};

/// Ends the deliveries when dropped.
pub(crate) struct Deliveries(CancellationToken);

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl World {
    /// Starts webhook-service in this process. Only 127.0.0.0/8 may be dialled; names are looked up at `dns`.
    pub(crate) fn start_deliveries(&self, retry_seconds: &str, dns: Option<SocketAddr>) -> Deliveries {
        self.start_patient_deliveries(1000, retry_seconds, dns)
    }

    /// As [`Self::start_deliveries`], with so much time for a receiver.
    pub(crate) fn start_patient_deliveries(
        &self,
        timeout_ms: u64,
        retry_seconds: &str,
        dns: Option<SocketAddr>,
    ) -> Deliveries {
        let settings = json!({"timeout_ms": timeout_ms, "concurrency": 10, "retry_seconds": retry_seconds});
        let lookups = DnsResolverSettings {
            // Port 9 of the documentation net: any look-up that a test did not provide for fails.
            servers: vec![dns.unwrap_or_else(|| "192.0.2.1:9".parse().unwrap())],
            timeout: Duration::from_millis(300),
        };
        let policy = EgressPolicy { allowed_networks: vec!["127.0.0.0/8".parse().unwrap()] };
        let egress = EgressGuard::new(policy, build_resolver(&lookups).unwrap(), lookups.lookup_timeout());
        let network = Network { egress, extra_roots: Some(TestCa::shared().pem().unwrap().to_vec()) };
        let settings = serde_json::from_value(settings).unwrap();
        let webhooks =
            Webhooks::new(settings, network, self.store.clone(), dialects::webhook_words(dialects::DIALECTS));
        let broker: Arc<dyn Broker> = Arc::new(EmbeddedBroker::new(self.store.clone(), Sharing::Alone));
        let stop = CancellationToken::new();
        let consumers = vec![webhooks.unwrap().start(&stop)];
        tokio::spawn({
            let stop = stop.clone();
            async move { consume(&broker, consumers, &stop).await }
        });
        Deliveries(stop)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature of a dialect's own, with the text of the secret as key.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let key = PKey::hmac(secret.as_bytes()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    format!("sha256={}", hex(&signer.sign_oneshot_to_vec(body).unwrap()))
}

impl Post {
    /// True if the crate `standardwebhooks` verifies this post with `secret`, which is Base64.
    pub(crate) fn is_standard(&self, secret: &str) -> bool {
        self.verifies(&standardwebhooks::Webhook::new(secret).unwrap())
    }

    /// The same for a secret that is not Base64 and is passed to the crate as bytes.
    pub(crate) fn is_standard_raw(&self, secret: &str) -> bool {
        self.verifies(&standardwebhooks::Webhook::from_bytes(secret.as_bytes().to_vec()).unwrap())
    }

    fn verifies(&self, standard: &standardwebhooks::Webhook) -> bool {
        let headers: HeaderMap = ["webhook-id", "webhook-timestamp", "webhook-signature"]
            .into_iter()
            .map(|name| (name.parse().unwrap(), self.header(name).parse().unwrap()))
            .collect();
        // It refuses what is older than five minutes, too.
        standard.verify(&self.body, &headers).is_ok()
    }
}
