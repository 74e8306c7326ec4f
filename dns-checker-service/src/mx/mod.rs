//! MX records and the hosts that they name: can mail reach the domain (RFC 5321 section 5.1)?

mod remedies;
mod targets;

use futures_util::future::join_all;
use shared_models::domain::diagnosis::{DnsFinding, DnsStatus, KnownProvider, MxCheck, MxRecord};

use crate::hints::DomainHints;
use crate::reachable::is_reachable;
use crate::resolver::{LookupError, Resolver};
use targets::{Target, is_null, look_up};

/// Targets that are looked up. No sender attempts more hosts; the others are only listed.
const MAX_TARGETS: usize = 30;

/// The verdict on the mail exchangers of a domain.
#[derive(Clone, Debug)]
pub struct MxVerdict {
    /// Status and records.
    pub check: MxCheck,
    /// Everything found, in the order of the records.
    pub findings: Vec<DnsFinding>,
    /// True if mail can be delivered to at least one host.
    pub works: bool,
    /// True if the domain declares that it accepts no mail (RFC 7505).
    pub is_null: bool,
}

/// Looks up and judges the mail exchangers of `domain`.
pub async fn check(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> MxVerdict {
    let records = match resolver.mail_exchangers(domain).await {
        Ok(records) => records,
        Err(LookupError::Temporary(_)) => return conclude(Vec::new(), vec![remedies::lookup_failed(domain)], false),
        Err(_) => return check_implicit(domain, hints, resolver).await,
    };
    // RFC 7505 section 3: a null MX is the only record.
    if records.iter().all(is_null) {
        return conclude(records, vec![remedies::null(domain, hints)], false);
    }
    let targets = join_all(records.iter().take(MAX_TARGETS).map(|record| look_up(record, resolver))).await;
    let works = targets.iter().any(|target| matches!(target, Target::Works { .. }));
    let may_work = works || targets.contains(&Target::LookupFailed);
    let mut findings: Vec<DnsFinding> = records
        .iter()
        .zip(&targets)
        .filter_map(|(record, target)| judge(&record.exchange, *target, works, may_work))
        .collect();
    findings.extend(other_provider(&records, hints));
    conclude(records, findings, works)
}

fn conclude(records: Vec<MxRecord>, findings: Vec<DnsFinding>, works: bool) -> MxVerdict {
    let status = DnsStatus::worst(&findings);
    MxVerdict {
        is_null: !records.is_empty() && records.iter().all(is_null),
        check: MxCheck { status, records },
        findings,
        works,
    }
}

/// A broken target is harmless while another one works. Where none works it is a failure, unless a target that could not
/// be looked up may be the one that works.
fn judge(host: &str, target: Target, works: bool, may_work: bool) -> Option<DnsFinding> {
    let (finding, harmless) = match target {
        Target::Works { alias: false } => return None,
        Target::Works { alias: true } => return Some(remedies::alias(host)),
        Target::NullMx => return Some(remedies::null_among_others()),
        Target::IpLiteral => (remedies::ip_literal(host), may_work),
        Target::Unresolvable => (remedies::unresolvable(host), may_work),
        Target::PrivateOnly => (remedies::private_only(host), may_work),
        Target::LookupFailed => (remedies::target_lookup_failed(host), works),
    };
    Some(if harmless { finding.with_status(DnsStatus::Warn) } else { finding })
}

/// RFC 5321 section 5.1: without MX records the domain's own address is the mail server.
async fn check_implicit(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> MxVerdict {
    let host = resolver.host_addresses(domain).await;
    let works = host.addresses.iter().any(|ip| is_reachable(*ip));
    let findings = match (works, host.addresses.is_empty()) {
        (false, _) if host.incomplete => vec![remedies::lookup_failed(domain)],
        (_, true) => vec![remedies::missing(domain, hints)],
        (true, false) => vec![remedies::implicit(domain)],
        (false, false) => vec![remedies::implicit(domain), remedies::implicit_private_only(domain)],
    };
    conclude(Vec::new(), findings, works)
}

/// Replies go to the provider of the MX records. If the connected mailbox is at another one, they never appear in it.
fn other_provider(records: &[MxRecord], hints: &DomainHints) -> Option<DnsFinding> {
    let imap = KnownProvider::of_customer_host(hints.imap_host.as_deref()?)?;
    let receivers = KnownProvider::of_mx_records(records);
    let receiver = receivers.first()?;
    let is_same = receivers.iter().any(|known| known.operator == imap.operator);
    (!is_same).then(|| remedies::other_provider(receiver, imap))
}
