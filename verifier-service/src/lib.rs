//! Verifies mailboxes by signing in to their servers, tests sending accounts, and sends test messages. The logins are
//! those of [`mail_client`]; the consumers here load what is to be tested and store the outcome.

mod consumers;
mod metrics;

use std::sync::Arc;

use mail_client::{ProbeSettings, Prober};
use service_runtime::network::Network;
use service_runtime::service::{Consumers, StartError};
use service_runtime::settings::Settings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

pub use consumers::{BulkVerifier, Verifier};

/// The service's consumers. They share one [`Prober`], so its limits hold for all of them together.
///
/// # Errors
/// If the resolver cannot be set up, or the file of further trusted roots cannot be read or holds none.
pub fn consumers(settings: &Settings, store: &Store, stop: &CancellationToken) -> Result<Consumers, StartError> {
    metrics::show();
    let Network { egress, extra_roots } = Network::from_settings(settings)?;
    let verifier = &settings.verifier;
    let probes = ProbeSettings {
        connect_timeout: verifier.connect_timeout(),
        leg_timeout: verifier.leg_timeout(),
        concurrency: verifier.concurrency,
        per_host_concurrency: verifier.per_host_concurrency,
        allow_plaintext_login: settings.egress.allow_plaintext_login,
        helo_name: None,
    };
    let prober = Prober::new(probes, egress, extra_roots.as_deref()).map_err(StartError::new)?;
    let prober = Arc::new(prober);
    Ok(vec![
        Arc::new(Verifier::new(store.clone(), prober.clone(), verifier.clone())),
        Arc::new(BulkVerifier::new(store.clone(), prober, verifier.clone(), stop.clone())),
    ])
}
