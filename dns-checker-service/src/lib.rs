//! The DNS side of a mailbox: what MX, SPF, DKIM and DMARC say about its domain, and what to do
//! about it.
//!
//! [`DnsChecker`] is the door. Each record has a module of its own with the same shape: types and a
//! strict `parse` (pure), and `check`, which asks through a [`resolver::Resolver`] and gives a verdict
//! with findings. The parts know neither each other's verdicts nor where the answers come from.

mod check_domain;
pub mod checker;
pub mod dkim;
pub mod dmarc;
pub mod domain_name;
mod metrics;
pub mod mx;
pub mod providers;
pub mod resolver;
pub mod score;
mod shared_checks;
pub mod spf;
mod tag_list;

use std::sync::Arc;

use service_runtime::resolver::DnsResolverSettings;
use service_runtime::service::{Consumers, StartError};
use service_runtime::settings::Settings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

pub use check_domain::CheckDomain;
pub use checker::{DnsChecker, DomainHints};
pub use domain_name::MailDomain;
pub use resolver::{CheckLimits, LiveResolver, MemoryResolver};
pub use score::health_score;

/// The service's only consumer, as configured.
///
/// # Errors
/// A plain text when the resolver cannot be set up.
pub fn consumers(settings: &Settings, store: &Store, _stop: &CancellationToken) -> Result<Consumers, StartError> {
    let lookups = DnsResolverSettings { servers: settings.dns.servers.clone(), timeout: settings.dns.timeout() };
    let resolver = LiveResolver::new(&lookups).map_err(StartError::new)?;
    let checker = DnsChecker::new(Arc::new(resolver));
    Ok(vec![Arc::new(CheckDomain::new(store.clone(), checker, settings.dns.concurrency))])
}
