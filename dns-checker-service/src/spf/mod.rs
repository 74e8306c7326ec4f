//! The SPF record (RFC 7208). It is one, it is valid together with everything that it includes, and it covers the server
//! that the connected mailbox sends through.

mod evaluate;
mod macros;
mod parse;
mod platform;
mod remedies;
#[cfg(test)]
mod tests;
mod tree;

use std::net::IpAddr;

use shared_models::domain::diagnosis::{DnsFinding, DnsStatus, KnownProvider, SpfCheck};

use crate::hints::DomainHints;
use crate::reachable::is_reachable;
use crate::resolver::{LookupError, Resolver};
use evaluate::MAX_LOOKUPS;
use tree::{Tree, passes_everyone, walk};

pub use evaluate::{SpfResult, check_host};
pub use macros::DomainSpec;
pub use parse::{Directive, HostSpec, Mechanism, Qualifier, Record, SyntaxError, is_spf, parse};
pub use platform::authorises;

/// Octets of the longest record that fits a UDP answer without extensions (section 3.4).
const MAX_OCTETS: usize = 512;
/// Addresses of the SMTP host that are evaluated; a host with more is a farm behind one name.
const MAX_SENDER_ADDRESSES: usize = 8;

/// The verdict on the SPF record of a domain.
#[derive(Clone, Debug)]
pub struct SpfVerdict {
    /// Status and record.
    pub check: SpfCheck,
    /// Everything found in the record and its includes.
    pub findings: Vec<DnsFinding>,
    /// True if the record is only `-all`: no server may send for the domain.
    pub forbids_all: bool,
}

/// Looks up and judges the SPF record of `domain`.
pub async fn check(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> SpfVerdict {
    let texts = match resolver.texts(domain).await {
        Err(LookupError::Temporary(_)) => {
            return verdict(None, vec![remedies::lookup_failed(domain)]);
        }
        texts => texts.unwrap_or_default(),
    };
    let records: Vec<&[u8]> = texts.iter().map(Vec::as_slice).filter(|text| is_spf(text)).collect();
    match records.as_slice() {
        [] => verdict(None, vec![missing(domain, hints, resolver).await]),
        [text] => check_record(domain, text, hints, resolver).await,
        several => verdict(Some(several[0]), vec![remedies::multiple(domain, several)]),
    }
}

fn verdict(text: Option<&[u8]>, findings: Vec<DnsFinding>) -> SpfVerdict {
    SpfVerdict {
        check: SpfCheck {
            status: DnsStatus::worst(&findings),
            record: text.map(|text| String::from_utf8_lossy(text).into_owned()),
            lookups: 0,
            void: 0,
        },
        findings,
        forbids_all: false,
    }
}

/// Section 3.1: no receiver reads a record in the withdrawn type SPF.
async fn missing(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> DnsFinding {
    let (old_type, exchangers) = tokio::join!(resolver.spf_type_texts(domain), resolver.mail_exchangers(domain));
    let old_type = old_type.unwrap_or_default();
    if let Some(text) = old_type.iter().find(|text| is_spf(text)) {
        return remedies::record_type(domain, text);
    }
    let exchangers = exchangers.unwrap_or_default();
    let sender = hints.smtp_host.as_deref().and_then(KnownProvider::of_customer_host);
    let provider = sender.or_else(|| KnownProvider::of_mx_records(&exchangers).first().copied());
    remedies::missing(domain, hints, provider)
}

async fn check_record(domain: &str, text: &[u8], hints: &DomainHints, resolver: &dyn Resolver) -> SpfVerdict {
    let record = match parse(text) {
        Ok(record) => record,
        Err(error) => return verdict(Some(text), vec![remedies::syntax(domain, domain, &error)]),
    };
    let forbids_all = forbids_all(&record);
    let (tree, sender) = tokio::join!(walk(domain, record, resolver), authorised(domain, hints, resolver));
    let mut findings = judge_tree(domain, &tree);
    findings.extend(judge_own_records(&tree, text.len()));
    findings.extend(judge_sender(domain, text, hints, &tree, sender, forbids_all));
    let void = u32::try_from(tree.void.len()).unwrap_or(u32::MAX);
    let mut verdict = verdict(Some(text), findings);
    verdict.check.lookups = tree.lookups;
    verdict.check.void = void;
    verdict.forbids_all = forbids_all;
    verdict
}

fn forbids_all(record: &Record) -> bool {
    matches!(record.directives.as_slice(), [Directive { qualifier: Qualifier::Fail, mechanism: Mechanism::All }])
}

/// Limits and broken branches anywhere in the tree.
fn judge_tree(domain: &str, tree: &Tree) -> Vec<DnsFinding> {
    let mut findings: Vec<DnsFinding> = tree.defects.iter().map(|defect| remedies::defect(domain, defect)).collect();
    if tree.lookups > MAX_LOOKUPS {
        findings.push(remedies::too_many_lookups(tree.lookups));
    }
    if !tree.void.is_empty() {
        findings.push(remedies::void(&tree.void));
    }
    // An include that passes every address is as open as "+all" itself.
    if let Some(include) = &tree.open_include {
        findings.push(remedies::open_include(include));
    }
    findings
}

/// The record itself and those that it redirects to; the `all` of the last one counts (section 6.1).
fn judge_own_records(tree: &Tree, octets: usize) -> Vec<DnsFinding> {
    let mut findings = Vec::new();
    if octets > MAX_OCTETS {
        findings.push(remedies::too_long(octets));
    }
    for record in &tree.own_records {
        if passes_everyone(record) {
            findings.push(remedies::allows_everyone());
        }
        if record.reachable().len() < record.directives.len() {
            findings.push(remedies::terms_after_all());
        }
        if record.redirect.is_some() && record.all().is_some() {
            findings.push(remedies::redirect_ignored());
        }
        if record.reachable().iter().any(|directive| matches!(directive.mechanism, Mechanism::Ptr(_))) {
            findings.push(remedies::ptr());
        }
        if record.all() == Some(Qualifier::Neutral) {
            findings.push(remedies::neutral_all());
        }
        if record.all().is_none() && record.redirect.is_none() {
            findings.push(remedies::no_all());
        }
    }
    findings
}

/// The record compared with the server that the connected mailbox sends through.
fn judge_sender(
    domain: &str,
    text: &[u8],
    hints: &DomainHints,
    tree: &Tree,
    authorised: Option<bool>,
    forbids_all: bool,
) -> Vec<DnsFinding> {
    let Some(host) = hints.smtp_host.as_deref() else {
        return Vec::new();
    };
    let provider = KnownProvider::of_customer_host(host);
    let mut findings = Vec::new();
    if forbids_all {
        findings.push(remedies::no_senders(DnsStatus::Fail, domain, host, provider));
    }
    match provider {
        Some(provider) if needs_include(provider, tree) => {
            findings.push(remedies::missing_provider(domain, text, provider));
        }
        None if authorised == Some(false) && !forbids_all => {
            findings.push(remedies::sender_not_authorised(domain, text, host));
        }
        _ => {}
    }
    findings
}

/// True if the provider's include is nowhere in the tree. Of a tree that was not seen to its ends this is not known.
fn needs_include(provider: &KnownProvider, tree: &Tree) -> bool {
    let included = tree.targets.iter().any(|target| provider.spf_includes.contains(&target.as_str()));
    !provider.spf_includes.is_empty() && !included && !tree.partly_unseen
}

/// True if an address of the SMTP host may send; `None` where this is not known. Receivers do not see a private address.
/// Known providers send from other addresses than those that they accept mail at.
async fn authorised(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> Option<bool> {
    let host = hints.smtp_host.as_deref()?;
    if KnownProvider::of_customer_host(host).is_some() {
        return None;
    }
    let host = host.trim_end_matches('.');
    let mut unknown = false;
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(ip) => vec![ip],
        Err(_) => {
            let found = resolver.host_addresses(host).await;
            unknown |= found.incomplete;
            found.addresses
        }
    };
    let public = addresses.into_iter().filter(|ip| is_reachable(*ip)).take(MAX_SENDER_ADDRESSES);
    let sender = format!("postmaster@{domain}");
    let mut evaluated = false;
    for ip in public {
        evaluated = true;
        match check_host(resolver, ip, domain, &sender, host).await {
            SpfResult::Pass => return Some(true),
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => {}
            SpfResult::None | SpfResult::TempError | SpfResult::PermError => unknown = true,
        }
    }
    (evaluated && !unknown).then_some(false)
}

/// For a domain that receives mail, as its MX verdict shows, and allows no server to send. Without a connected mailbox
/// this is a warning only.
#[must_use]
pub fn no_senders_although_receiving(domain: &str) -> DnsFinding {
    remedies::no_senders(DnsStatus::Warn, domain, "", None)
}
