//! The result of checking a mailbox: login reports with failure codes, and the DNS report of its domain.

mod category;
mod checks;
mod dns_finding_codes;
mod dns_report;
mod failure_codes;
mod fault;
pub mod known_providers;
mod remedy;

pub use category::Category;
pub use checks::{Finding, Leg, LegReport, LoginReport, Observed, Stage, TlsMode};
pub use dns_finding_codes::{DnsFindingCode, UnknownDnsFindingCode};
pub use dns_report::{
    DkimCheck, DmarcCheck, DnsFinding, DnsPart, DnsReport, DnsStatus, MxCheck, MxRecord, RecordToPublish, SpfCheck,
};
pub use failure_codes::{FailureCode, UnknownFailureCode};
pub use fault::{Class, Fault};
pub use known_providers::KnownProvider;
pub use remedy::fill;
