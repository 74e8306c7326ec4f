//! The DNS side of a mailbox: what MX, SPF, DKIM and DMARC say about its domain, and what to do
//! about it. And whether a tenant has published what shows that a domain is theirs.
//!
//! [`DnsChecker`] is the door to the first, [`DomainVerifier`] to the second. Each record has a module of its own with the same shape: types and a
//! strict `parse` (pure), and `check`, which asks through a [`resolver::Resolver`] and gives a verdict
//! with findings. The parts know neither each other's verdicts nor where the answers come from.

mod consumers;
pub mod dkim;
pub mod dmarc;
pub mod mx;
mod report;
pub mod resolver;
pub mod spf;
mod tag_list;
mod verification;

use std::sync::Arc;

use service_runtime::resolver::DnsResolverSettings;
use service_runtime::service::{Consumers, StartError};
use service_runtime::settings::Settings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

pub use consumers::{DomainWorker, MailboxDnsWorker};
pub use report::{DnsChecker, DomainHints};
pub use resolver::{CheckLimits, LiveResolver, MemoryResolver};
pub use verification::{DomainVerifier, Unclear};

/// The service's consumers, as configured.
///
/// # Errors
/// A plain text when the resolver cannot be set up.
pub fn consumers(settings: &Settings, store: &Store, _stop: &CancellationToken) -> Result<Consumers, StartError> {
    let lookups = DnsResolverSettings::from(&settings.dns);
    let resolver = || LiveResolver::new(&lookups).map(Arc::new).map_err(StartError::new);
    let checker = DnsChecker::new(resolver()?);
    // With a cache of its own, which is emptied often.
    let verifier = DomainVerifier::new(resolver()?, &settings.mail_platform.hostname);
    let concurrency = settings.dns.concurrency;
    let mailboxes = MailboxDnsWorker::new(store.clone(), checker, concurrency);
    Ok(vec![Arc::new(mailboxes), Arc::new(DomainWorker::new(store.clone(), verifier, concurrency))])
}
