//! The DMARC record: the treatment of forged mail that the domain asks receivers for (RFC 9989, and RFC 7489 where
//! receivers still follow it).

mod discover;
mod record;
mod remedies;

use futures_util::future::join_all;
use shared_models::domain::core::is_within;
use shared_models::domain::diagnosis::{DmarcCheck, DnsFinding, DnsStatus};

use crate::resolver::{LookupError, Resolver};
use discover::{Discovery, Found, Located, discover, look_up, organisation, own_or_inherited};
use record::has_version;

pub use record::{Policy, PolicyTag, Psd, Record, ReportUri, Text, parse};

/// Upper bound of the report destinations whose consent is looked up.
const MAX_DESTINATIONS: usize = 10;

/// The verdict on the DMARC policy of a domain.
#[derive(Clone, Debug)]
pub struct DmarcVerdict {
    /// Status, record and policy.
    pub check: DmarcCheck,
    /// Everything found in the record, or the reason why none applies.
    pub findings: Vec<DnsFinding>,
}

/// Finds and judges the DMARC record that applies to `domain`.
pub async fn check(domain: &str, resolver: &dyn Resolver) -> DmarcVerdict {
    let found = discover(domain, resolver).await;
    let mut findings = Vec::new();
    findings.extend(judge_own_place(domain, &found));
    // A proven defect wins over a look-up that failed.
    if found.undecided {
        if findings.is_empty() {
            findings.push(remedies::lookup_failed(domain));
        }
        return verdict(None, None, findings);
    }
    match found.in_force {
        Some(located) => {
            if located.location != domain {
                findings.extend(record_at_apex(domain, resolver).await);
            }
            let inherited = located.location != domain;
            findings.extend(judge_record(domain, &located, inherited));
            findings.extend(judge_destinations(&located, resolver).await);
            let policy = located.record.policy_in_force(inherited);
            verdict(Some(located), policy, findings)
        }
        None => {
            if findings.is_empty() {
                findings.push(nothing_found(domain, found.discarded_above, resolver).await);
            }
            verdict(None, None, findings)
        }
    }
}

/// The policy that receivers apply to mail from `domain`; `None` without a record that has an effect.
///
/// # Errors
/// If a look-up that decides it failed just now.
pub async fn policy_in_force(domain: &str, resolver: &dyn Resolver) -> Result<Option<Policy>, LookupError> {
    match own_or_inherited(domain, resolver).await {
        Some(found) => Ok(found.and_then(|(record, inherited)| record.policy_in_force(inherited))),
        None => Err(LookupError::Temporary(format!("no answer about the DMARC record for {domain}"))),
    }
}

fn verdict(located: Option<Located>, policy: Option<Policy>, findings: Vec<DnsFinding>) -> DmarcVerdict {
    let (location, record) = located.map(|found| (found.location, found.text)).unzip();
    DmarcVerdict {
        check: DmarcCheck {
            status: DnsStatus::worst(&findings),
            policy: policy.map(|policy| policy.to_string()),
            location,
            record,
        },
        findings,
    }
}

/// Records at the domain's own `_dmarc` that receivers discard (section 4.10).
fn judge_own_place(domain: &str, found: &Discovery) -> Option<DnsFinding> {
    match &found.own {
        Found::Several => Some(remedies::multiple(domain)),
        Found::BadVersion(text) => Some(remedies::bad_version(domain, text)),
        Found::One(..) | Found::Nothing | Found::LookupFailed => None,
    }
}

async fn nothing_found(domain: &str, discarded_above: Option<Found>, resolver: &dyn Resolver) -> DnsFinding {
    if let Some(finding) = record_at_apex(domain, resolver).await {
        return finding;
    }
    match discarded_above {
        Some(Found::Several) => return remedies::multiple(domain),
        Some(Found::BadVersion(text)) => return remedies::bad_version(domain, &text),
        _ => {}
    }
    // Many registrars append the domain to whatever is entered as the name.
    match look_up(&format!("{domain}.{domain}"), resolver).await {
        Found::One(_, text) => remedies::doubled_name(domain, &text),
        _ => remedies::missing(domain),
    }
}

/// A record at the domain itself instead of below `_dmarc`, where no receiver reads it (section 4.5).
async fn record_at_apex(domain: &str, resolver: &dyn Resolver) -> Option<DnsFinding> {
    let texts = resolver.texts(domain).await.unwrap_or_default();
    let text = texts.iter().map(|text| String::from_utf8_lossy(text)).find(|text| has_version(text))?;
    Some(remedies::wrong_place(domain, &text))
}

fn judge_record(domain: &str, located: &Located, inherited: bool) -> Vec<DnsFinding> {
    let record = &located.record;
    let location = located.location.as_str();
    if let Some(tag) = &record.duplicate_tag {
        return vec![remedies::duplicate_tag(location, tag)];
    }
    let mut findings = Vec::new();
    if let Some(value) = record.invalid_policy() {
        findings.push(remedies::bad_policy(location, value));
    } else if record.policy_in_force(inherited) == Some(Policy::None) {
        findings.push(remedies::policy_none(domain, located, inherited));
    }
    // For a subdomain sp is the policy in force, which is judged above.
    if let (PolicyTag::Is(own), PolicyTag::Is(below), false) = (&record.policy, &record.subdomain_policy, inherited)
        && below < own
    {
        findings.push(remedies::subdomain_weaker(location, *own, *below));
    }
    if record.percent.is_some_and(|percent| percent < 100) {
        findings.push(remedies::percent(location));
    }
    if record.testing {
        findings.push(remedies::testing(location));
    }
    match &record.reports {
        None => findings.push(remedies::no_reports(location)),
        Some(uris) => findings.extend(uris.iter().find_map(|uri| match uri {
            ReportUri::Unusable(uri) => Some(remedies::bad_rua(location, uri)),
            ReportUri::Mail { .. } => None,
        })),
    }
    findings
}

/// Destinations at other organisations, to which reports go only with their consent (RFC 9990 section 4).
async fn judge_destinations(located: &Located, resolver: &dyn Resolver) -> Vec<DnsFinding> {
    let mut destinations: Vec<&str> = Vec::new();
    for uri in located.record.reports.iter().flatten() {
        if let ReportUri::Mail { domain } = uri
            && !destinations.contains(&domain.as_str())
            && !is_within(domain, &located.location)
        {
            destinations.push(domain);
        }
    }
    destinations.truncate(MAX_DESTINATIONS);
    let refused = join_all(destinations.iter().map(|destination| async move {
        let refused = refuses_reports(&located.location, destination, resolver).await;
        refused.then(|| remedies::external_rua(&located.location, destination))
    }))
    .await;
    refused.into_iter().flatten().collect()
}

/// True if `destination` certainly belongs to another organisation that has not agreed.
async fn refuses_reports(domain: &str, destination: &str, resolver: &dyn Resolver) -> bool {
    let consent = format!("{domain}._report._dmarc.{destination}");
    match resolver.texts(&consent).await {
        Err(LookupError::Temporary(_)) => return false,
        Ok(texts) => {
            let mut texts = texts.iter().map(|text| String::from_utf8_lossy(text));
            if texts.any(|text| has_version(&text)) {
                return false;
            }
        }
        Err(_) => {}
    }
    let (ours, theirs) = tokio::join!(organisation(domain, resolver), organisation(destination, resolver));
    matches!((ours, theirs), (Some(ours), Some(theirs)) if ours != theirs)
}
