//! DKIM keys: can receivers check the signatures of the domain's mail (RFC 6376)?
//!
//! DNS cannot list selectors. If selectors are given, only those are looked up. Otherwise usual ones are looked up,
//! and finding nothing at them proves nothing.

mod der;
mod key;
mod remedies;
mod selectors;

use futures_util::future::join_all;
use shared_models::domain::diagnosis::{DkimCheck, DnsFinding, DnsStatus};

use crate::hints::DomainHints;
use crate::resolver::{LookupError, Resolver};
use selectors::{USUAL_SELECTORS, given, in_order, providers_of};

pub use key::{Key, KeyError, Strength, parse};

/// RSA keys with fewer bits are weak (RFC 8301 section 3.2).
const GOOD_RSA_BITS: usize = 2048;

/// The verdict on the DKIM keys of a domain.
#[derive(Clone, Debug)]
pub struct DkimVerdict {
    /// Status and best key.
    pub check: DkimCheck,
    /// Everything found about that key, or the reason why there is none.
    pub findings: Vec<DnsFinding>,
}

/// The records at one selector of the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AtSelector {
    Absent,
    LookupFailed,
    /// Texts, none of which is a key; the last one.
    OtherText(String),
    /// At least one key record, each with its text.
    Keys(Vec<(String, Result<Key, KeyError>)>),
}

/// Looks up and judges the keys of `domain`.
pub async fn check(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> DkimVerdict {
    let given = given(hints);
    if given.is_empty() {
        check_guesses(domain, hints, resolver).await
    } else {
        check_given(domain, &given, resolver).await
    }
}

/// The owner name of a key record (RFC 6376 section 3.6.2.1).
fn key_name(domain: &str, selector: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

async fn look_up(domain: &str, selector: &str, resolver: &dyn Resolver) -> AtSelector {
    let texts = match resolver.texts(&key_name(domain, selector)).await {
        Ok(texts) => texts,
        Err(LookupError::Temporary(_)) => return AtSelector::LookupFailed,
        Err(_) => return AtSelector::Absent,
    };
    let mut other = String::new();
    let mut keys = Vec::new();
    for text in texts {
        let shown = String::from_utf8_lossy(&text).into_owned();
        match parse(&text) {
            Err(KeyError::NotAKey) => other = shown,
            key => keys.push((shown, key)),
        }
    }
    if keys.is_empty() { AtSelector::OtherText(other) } else { AtSelector::Keys(keys) }
}

async fn check_given(domain: &str, selectors: &[String], resolver: &dyn Resolver) -> DkimVerdict {
    let given = selectors.iter().map(|selector| check_selector(domain, selector, resolver));
    let verdicts = join_all(given).await.into_iter();
    best(verdicts).unwrap_or_else(|| without_key(remedies::lookup_failed(domain)))
}

async fn check_selector(domain: &str, selector: &str, resolver: &dyn Resolver) -> DkimVerdict {
    let name = key_name(domain, selector);
    match look_up(domain, selector, resolver).await {
        AtSelector::Keys(keys) => judge_keys(selector, &name, &keys),
        AtSelector::LookupFailed => without_key(remedies::lookup_failed(&name)),
        AtSelector::OtherText(text) => with_record(selector, text, vec![remedies::wrong_record(&name, selector)]),
        AtSelector::Absent => {
            // Many registrars append the domain to whatever is entered as the name.
            let doubled = look_up(&format!("{domain}.{domain}"), selector, resolver).await;
            without_key(match doubled {
                AtSelector::Keys(_) => remedies::doubled_name(domain, &name, selector),
                _ => remedies::selector_missing(&name, selector),
            })
        }
    }
}

async fn check_guesses(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> DkimVerdict {
    let parent = format!("_domainkey.{domain}");
    let (mut found, below, providers) = tokio::join!(
        guess(domain, USUAL_SELECTORS, resolver),
        resolver.texts(&parent),
        providers_of(domain, hints, resolver)
    );
    // RFC 8020: below a name that does not exist there is nothing.
    let more_may_exist = matches!(below, Ok(_) | Err(LookupError::NoRecords));
    let order = in_order(&providers);
    if more_may_exist && !found.iter().any(|(_, at)| matches!(at, AtSelector::Keys(_))) {
        let rest: Vec<&str> = order.iter().copied().filter(|selector| !USUAL_SELECTORS.contains(selector)).collect();
        found.extend(guess(domain, &rest, resolver).await);
    }
    found.sort_by_key(|(selector, _)| order.iter().position(|known| known == selector));
    let failed = found.iter().any(|(_, at)| *at == AtSelector::LookupFailed);
    let keys = found.into_iter().filter_map(|(selector, at)| match at {
        AtSelector::Keys(keys) => Some(judge_keys(selector, &key_name(domain, selector), &keys)),
        _ => None,
    });
    if let Some(best) = best(keys) {
        return best;
    }
    without_key(match below {
        Err(LookupError::NoSuchName) => remedies::missing(domain, &providers),
        Err(LookupError::Temporary(_)) => remedies::lookup_failed(&parent),
        _ if failed => remedies::lookup_failed(&parent),
        _ => remedies::selector_unknown(&parent),
    })
}

async fn guess<'a>(domain: &str, selectors: &[&'a str], resolver: &dyn Resolver) -> Vec<(&'a str, AtSelector)> {
    join_all(selectors.iter().map(|selector| async move { (*selector, look_up(domain, selector, resolver).await) }))
        .await
}

/// Pass before warning before failure before error; among equals the first.
fn best(verdicts: impl Iterator<Item = DkimVerdict>) -> Option<DkimVerdict> {
    verdicts.min_by_key(|verdict| match verdict.check.status {
        DnsStatus::Pass => 0,
        DnsStatus::Warn => 1,
        DnsStatus::Fail => 2,
        DnsStatus::Error => 3,
    })
}

fn judge_keys(selector: &str, name: &str, keys: &[(String, Result<Key, KeyError>)]) -> DkimVerdict {
    let judged: Vec<Vec<DnsFinding>> = keys.iter().map(|(_, key)| judge_key(name, key)).collect();
    let mut best = 0;
    for (index, findings) in judged.iter().enumerate() {
        if rank(findings) < rank(&judged[best]) {
            best = index;
        }
    }
    let mut findings = judged[best].clone();
    // Section 3.6.2.2: with several records the result is undefined.
    if keys.len() > 1 {
        findings.push(remedies::multiple(name, keys.len()));
    }
    with_record(selector, keys[best].0.clone(), findings)
}

fn rank(findings: &[DnsFinding]) -> u8 {
    match DnsStatus::worst(findings) {
        DnsStatus::Pass => 0,
        DnsStatus::Warn => 1,
        DnsStatus::Error | DnsStatus::Fail => 2,
    }
}

fn judge_key(name: &str, key: &Result<Key, KeyError>) -> Vec<DnsFinding> {
    let key = match key {
        Ok(key) => key,
        Err(error) => return vec![remedies::unusable(name, error)],
    };
    let mut findings = Vec::new();
    match key.strength {
        Strength::Rsa(bits) if bits < GOOD_RSA_BITS => findings.push(remedies::key_short(name, bits)),
        Strength::Ed25519 => findings.push(remedies::ed25519_only(name)),
        Strength::Rsa(_) => {}
    }
    if key.testing {
        findings.push(remedies::testing(name));
    }
    findings
}

fn with_record(selector: &str, record: String, findings: Vec<DnsFinding>) -> DkimVerdict {
    DkimVerdict {
        check: DkimCheck {
            status: DnsStatus::worst(&findings),
            selector: Some(selector.to_owned()),
            record: Some(record),
        },
        findings,
    }
}

fn without_key(finding: DnsFinding) -> DkimVerdict {
    DkimVerdict { check: DkimCheck { status: finding.status, selector: None, record: None }, findings: vec![finding] }
}
