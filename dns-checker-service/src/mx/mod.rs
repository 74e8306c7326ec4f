//! Can mail reach the domain? MX records and where they lead (RFC 5321 section 5.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::future::join_all;
use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode, DnsStatus, KnownProvider, MxCheck, MxRecord};

use crate::report::DomainHints;
use crate::resolver::{LookupError, Resolver};

/// No sender tries more hosts than this; the rest is listed but not looked at.
const MAX_TARGETS: usize = 30;

/// The verdict on the mail exchangers of a domain.
#[derive(Clone, Debug)]
pub struct MxVerdict {
    /// Verdict and records.
    pub check: MxCheck,
    /// What was found.
    pub findings: Vec<DnsFinding>,
    /// Whether mail can be delivered to at least one host.
    pub works: bool,
    /// Whether the domain declares that it accepts no mail (RFC 7505).
    pub is_null: bool,
}

/// What one MX record leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Works { alias: bool },
    NullMx,
    IpLiteral,
    Unresolvable,
    PrivateOnly,
    LookupFailed,
}

/// Looks up and judges the mail exchangers of `domain`.
pub async fn check(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> MxVerdict {
    let records = match resolver.mail_exchangers(domain).await {
        Ok(records) => records,
        Err(LookupError::Temporary(_)) => return lookup_failed(domain),
        Err(_) => return check_implicit(domain, hints, resolver).await,
    };
    // RFC 7505 section 3: a null MX is the only record.
    if records.iter().all(is_null) {
        return conclude(records, vec![null_mx(domain, hints)], false);
    }
    let looked_at: Vec<Target> =
        join_all(records.iter().take(MAX_TARGETS).map(|record| look_at(record, resolver))).await;
    let works = looked_at.iter().any(|target| matches!(target, Target::Works { .. }));
    let mut findings: Vec<DnsFinding> = records
        .iter()
        .zip(&looked_at)
        .filter_map(|(record, target)| judge(record, *target, works, &looked_at))
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

fn is_null(record: &MxRecord) -> bool {
    record.exchange == "."
}

async fn look_at(record: &MxRecord, resolver: &dyn Resolver) -> Target {
    if is_null(record) {
        return Target::NullMx;
    }
    // RFC 5321 section 5.1: the data is a host name; an address in its place is looked up as a name.
    if record.exchange.parse::<IpAddr>().is_ok() {
        return Target::IpLiteral;
    }
    let host = resolver.host_addresses(&record.exchange).await;
    if host.addresses.iter().any(|ip| is_public(*ip)) {
        Target::Works { alias: host.alias }
    } else if host.incomplete {
        Target::LookupFailed
    } else if host.addresses.is_empty() {
        Target::Unresolvable
    } else {
        Target::PrivateOnly
    }
}

/// Whether the whole internet can reach the address (RFC 6890); documentation ranges count as public.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let this_network = a == 0;
    let carrier_grade_nat = a == 100 && (64..128).contains(&b); // RFC 6598
    let benchmarking = a == 198 && (18..20).contains(&b); // RFC 2544
    let reserved = a >= 240;
    !(this_network
        || carrier_grade_nat
        || benchmarking
        || reserved
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    !(ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local())
}

/// A target that does not work is harmless while another one does; without any that works it is
/// the verdict, unless a target that cannot be looked up now may be the one that works.
fn judge(record: &MxRecord, target: Target, works: bool, all: &[Target]) -> Option<DnsFinding> {
    let undecided = all.contains(&Target::LookupFailed);
    let broken = if works || undecided { DnsStatus::Warn } else { DnsStatus::Fail };
    let host = &record.exchange;
    let (status, code, remedy) = match target {
        Target::Works { alias: false } => return None,
        Target::Works { alias: true } => (
            DnsStatus::Warn,
            DnsFindingCode::MxTargetCname,
            format!(
                "The mail server {host} is an alias (CNAME), which some senders refuse. Point the MX record at the name that the alias leads to."
            ),
        ),
        Target::NullMx => (
            DnsStatus::Warn,
            DnsFindingCode::MxNullMixed,
            "One MX record says that the domain accepts no mail (\"0 .\") while others name mail servers. Delete the record with the single dot.".to_owned(),
        ),
        Target::IpLiteral => (
            broken,
            DnsFindingCode::MxTargetIpLiteral,
            format!(
                "The MX record holds the IP address {host}, but only a host name is allowed there. Give the mail server a name with an A record and point the MX record at that name."
            ),
        ),
        Target::Unresolvable => (
            broken,
            DnsFindingCode::MxTargetUnresolvable,
            format!(
                "The mail server {host} has no address. Correct its name in the MX record, or publish an A record for it."
            ),
        ),
        Target::PrivateOnly => (
            broken,
            DnsFindingCode::MxTargetPrivateIp,
            format!(
                "The mail server {host} has only private addresses, which nobody outside can reach. Publish its public address."
            ),
        ),
        Target::LookupFailed => (
            if works { DnsStatus::Warn } else { DnsStatus::Error },
            DnsFindingCode::MxTargetLookupFailed,
            format!(
                "The address of the mail server {host} could not be looked up just now. Check again in a few minutes; if it stays so, its name servers need attention."
            ),
        ),
    };
    Some(DnsFinding::new(code, remedy).with_status(status))
}

fn lookup_failed(domain: &str) -> MxVerdict {
    let finding = DnsFinding::new(
        DnsFindingCode::MxLookupFailed,
        format!(
            "The MX records of {domain} could not be looked up just now. Check again in a few minutes; if it stays so, the domain's name servers need attention."
        ),
    );
    conclude(Vec::new(), vec![finding], false)
}

fn null_mx(domain: &str, hints: &DomainHints) -> DnsFinding {
    let finding = DnsFinding::new(
        DnsFindingCode::MxNull,
        format!(
            "The MX record says that {domain} accepts no mail (\"0 .\"). To receive replies, replace it by the MX records of your mail provider."
        ),
    );
    with_provider_mx(finding, domain, hints)
}

/// The connected mailbox tells which MX record it needs.
fn with_provider_mx(finding: DnsFinding, domain: &str, hints: &DomainHints) -> DnsFinding {
    let provider = hints.imap_host.as_deref().and_then(KnownProvider::of_customer_host);
    match provider.and_then(|provider| provider.mx_value(domain)) {
        Some(value) => finding.with_record(domain, "MX", value),
        None => finding,
    }
}

/// RFC 5321 section 5.1: without MX records the domain's own address is the mail server.
async fn check_implicit(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> MxVerdict {
    let host = resolver.host_addresses(domain).await;
    let works = host.addresses.iter().any(|ip| is_public(*ip));
    if !works && host.incomplete {
        return lookup_failed(domain);
    }
    let mut findings = Vec::new();
    if host.addresses.is_empty() {
        let missing = DnsFinding::new(
            DnsFindingCode::MxMissing,
            format!(
                "{domain} has no MX record, so no mail can reach it. Publish the MX records that your mail provider lists."
            ),
        );
        findings.push(with_provider_mx(missing, domain, hints));
    } else {
        findings.push(
            DnsFinding::new(DnsFindingCode::MxImplicitA,
                format!(
                    "{domain} has no MX record; senders fall back to its web address, and some do not. Publish an MX record that names your mail server."
                ),
            )
            .with_record(domain, "MX", format!("10 {domain}")),
        );
    }
    if !host.addresses.is_empty() && !works {
        findings.push(DnsFinding::new(DnsFindingCode::MxTargetPrivateIp,
            format!(
                "{domain} has no MX record and only private addresses, which nobody outside can reach. Publish an MX record that names a public mail server."
            ),
        ));
    }
    conclude(Vec::new(), findings, works)
}

/// Replies go to the MX provider; when the connected mailbox lives elsewhere they are never seen.
fn other_provider(records: &[MxRecord], hints: &DomainHints) -> Option<DnsFinding> {
    let imap = KnownProvider::of_customer_host(hints.imap_host.as_deref()?)?;
    let receivers = KnownProvider::of_mx_records(records);
    let receiver = receivers.first()?;
    if receivers.iter().any(|known| known.operator == imap.operator) {
        return None;
    }
    let remedy = format!(
        "Mail for the domain is delivered to {receiver}, but the connected mailbox is at {imap}: replies will not appear in it. Connect the mailbox at {receiver}, or point the MX records at {imap}.",
        receiver = receiver.name,
        imap = imap.name,
    );
    Some(DnsFinding::new(DnsFindingCode::MxOtherProvider, remedy))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn knows_addresses_that_everybody_can_reach() {
        for ip in ["203.0.113.1", "192.0.2.1", "198.51.100.1", "8.8.8.8", "100.128.0.1", "2001:db8::1"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
