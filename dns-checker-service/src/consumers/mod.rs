//! The consumers: load what an event is about, run a check, store its verdict. The rules are elsewhere in this crate.

mod check_domain;
mod metrics;
mod shared_checks;
mod verify_domain;

pub use check_domain::MailboxDnsWorker;
pub use verify_domain::DomainWorker;

/// The reason for setting aside an event of another queue.
const NOT_OURS: &str = "no work of this queue";
