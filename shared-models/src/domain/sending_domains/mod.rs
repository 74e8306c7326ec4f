//! Domains that a workspace sends for: their modes and status, the DNS records that verify them, sender filters.

mod domain;
mod filters;
mod records;

pub use domain::{
    CheckReason, CheckRequest, DkimPublicKey, DomainCheckJob, DomainChecks, DomainMode, DomainStatus,
    FAILURES_UNTIL_UNSERVED, MAX_DOMAINS, NewDomain, SendingDomain,
};
pub use filters::{FilterFault, FilterKind, FilterMode, FilterRule, FilterSet, MalformedPattern, SenderPattern};
pub use records::{DomainRecords, ExchangerRecord, TextRecord, has_room_below, return_path, spf_term};
