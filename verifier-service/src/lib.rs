//! SMTP and IMAP login checks: [`Prober`] makes them, [`VerifyMailbox`] feeds it with mailboxes and
//! records what came out.

mod connect;
mod failure;
mod greeting;
mod imap;
mod known_ports;
mod line_reader;
mod metrics;
pub mod probe;
mod provider;
mod redact;
mod reply;
mod rules;
mod session;
mod slots;
mod smtp;
mod stream;
mod tls;
mod verify_mailbox;

use std::sync::Arc;

use service_runtime::egress::{EgressGuard, EgressPolicy};
use service_runtime::resolver::{DnsResolverSettings, build_resolver};
use service_runtime::runner::Consumer;
use service_runtime::service::StartError;
use service_runtime::settings::Settings;
use shared_models::store::Store;

pub use probe::{ProbeSettings, Prober, ProberError};
pub use verify_mailbox::VerifyMailbox;

/// The service's consumer, as configured.
///
/// # Errors
/// A plain text when the resolver or the trusted roots cannot be set up.
pub fn consumer(settings: &Settings, store: Store) -> Result<Arc<dyn Consumer>, StartError> {
    metrics::show();
    let lookups = DnsResolverSettings { servers: settings.dns.servers.clone(), timeout: settings.dns.timeout() };
    let resolver = build_resolver(&lookups).map_err(StartError::new)?;
    let policy = EgressPolicy { allowed_networks: settings.egress.allowed_networks.clone() };
    let egress = EgressGuard::new(policy, resolver, lookups.lookup_timeout());
    let verifier = &settings.verifier;
    let probes = ProbeSettings {
        connect_timeout: verifier.connect_timeout(),
        leg_timeout: verifier.leg_timeout(),
        concurrency: verifier.concurrency,
        per_host_concurrency: verifier.per_host_concurrency,
        allow_plaintext_login: settings.egress.allow_plaintext_login,
        helo_name: None,
    };
    let extra_ca = settings.extra_ca_pem().map_err(StartError::new)?;
    let prober = Prober::new(probes, egress, extra_ca.as_deref()).map_err(StartError::new)?;
    Ok(Arc::new(VerifyMailbox::new(store, prober, verifier.clone())))
}
