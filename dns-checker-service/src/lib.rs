//! The DNS side of mail. [`DnsChecker`] judges MX, SPF, DKIM and DMARC of a mailbox's domain and names what to do.
//! [`DomainVerifier`] looks up the records that show that a sending domain belongs to a tenant.
//!
//! `mx`, `spf`, `dkim` and `dmarc` have the same shape: `check` asks through a [`resolver::Resolver`] and returns a verdict
//! with findings. Where there is a text to read, `parse` does it strictly and without I/O. A part knows neither the
//! verdicts of the others nor where the answers come from. `report` puts the four together; `consumers` connects both
//! checks with events and store.

mod consumers;
pub mod dkim;
pub mod dmarc;
mod hints;
pub mod mx;
mod reachable;
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
pub use hints::DomainHints;
pub use report::DnsChecker;
pub use resolver::{CheckLimits, LiveResolver, MemoryResolver};
pub use verification::{DomainVerifier, Unclear};

/// The consumers of this service, with the limits of the settings.
///
/// # Errors
/// If the resolver cannot be set up.
pub fn consumers(settings: &Settings, store: &Store, _stop: &CancellationToken) -> Result<Consumers, StartError> {
    let lookups = DnsResolverSettings::from(&settings.dns);
    let resolver = || LiveResolver::new(&lookups).map(Arc::new).map_err(StartError::new);
    let checker = DnsChecker::new(resolver()?);
    // A resolver of its own, because each verification empties its cache.
    let verifier = DomainVerifier::new(resolver()?, &settings.mail_platform.hostname);
    let concurrency = settings.dns.concurrency;
    let mailboxes = MailboxDnsWorker::new(store.clone(), checker, concurrency);
    Ok(vec![Arc::new(mailboxes), Arc::new(DomainWorker::new(store.clone(), verifier, concurrency))])
}
