//! Is there a key for the signatures of the domain's mail (RFC 6376)?
//!
//! DNS cannot list selectors. With selectors given, only those are looked at; otherwise usual names
//! are tried, and a name at which nothing is found proves nothing.

mod der;
mod key;

use futures_util::future::join_all;
use shared_models::domain::diagnosis::known_providers::Operator;
use shared_models::domain::diagnosis::{DkimCheck, DnsFinding, DnsFindingCode, DnsStatus, KnownProvider};

use crate::report::DomainHints;
use crate::resolver::{LookupError, Resolver};
use crate::spf;

pub use key::{Key, KeyError, Strength, parse};

/// Usual selectors, tried for every domain at once.
const USUAL_SELECTORS: &[&str] = &[
    "google",
    "selector1",
    "selector2",
    "default",
    "dkim",
    "mail",
    "k1",
    "k2",
    "k3",
    "s1",
    "s2",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "protonmail2",
    "protonmail3",
    "zmail",
    "key1",
    "key2",
    "key3",
    "sig1",
    "smtp",
    "mx",
    "email",
];
/// Less usual ones, tried only when those gave nothing and a key may still be there.
const RARE_SELECTORS: &[&str] = &[
    "zoho",
    "mandrill",
    "krs",
    "pm",
    "mte1",
    "mte2",
    "mesmtp",
    "brevo1",
    "brevo2",
    "resend",
    "amazonses",
    "mailru",
    "20230601",
];
/// Selectors taken from the caller at most.
const MAX_GIVEN: usize = 20;

/// The verdict on the DKIM keys of a domain.
#[derive(Clone, Debug)]
pub struct DkimVerdict {
    /// Verdict and best key.
    pub check: DkimCheck,
    /// What was found.
    pub findings: Vec<DnsFinding>,
}

/// What is at one selector.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AtSelector {
    Absent,
    LookupFailed,
    /// Texts, none of which is a key.
    OtherText(String),
    Keys(Vec<(String, Result<Key, KeyError>)>),
}

/// Looks up and judges the keys of `domain`.
pub async fn check(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> DkimVerdict {
    let given: Vec<String> = hints
        .selectors
        .iter()
        .map(|selector| bare_selector(selector))
        .filter(|selector| !selector.is_empty())
        .take(MAX_GIVEN)
        .collect();
    if given.is_empty() {
        check_guesses(domain, hints, resolver).await
    } else {
        check_given(domain, &given, resolver).await
    }
}

/// The selector, also when the whole name or the zone entry was pasted.
fn bare_selector(text: &str) -> String {
    let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
    match text.split_once("._domainkey") {
        Some((selector, _)) => selector.to_owned(),
        None => text,
    }
}

async fn look_at(domain: &str, selector: &str, resolver: &dyn Resolver) -> AtSelector {
    let texts = match resolver.texts(&format!("{selector}._domainkey.{domain}")).await {
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
    best(verdicts).unwrap_or_else(|| without_key(lookup_failed(domain)))
}

async fn check_selector(domain: &str, selector: &str, resolver: &dyn Resolver) -> DkimVerdict {
    let name = format!("{selector}._domainkey.{domain}");
    match look_at(domain, selector, resolver).await {
        AtSelector::Keys(keys) => judge_keys(selector, &name, &keys),
        AtSelector::LookupFailed => without_key(lookup_failed(&name)),
        AtSelector::OtherText(text) => at_selector(
            selector,
            text,
            vec![DnsFinding::new(
                DnsFindingCode::DkimWrongRecord,
                format!(
                    "The text at {name} is not a DKIM key. Replace it by the key that your mail server or provider shows for the selector \"{selector}\"."
                ),
            )],
        ),
        AtSelector::Absent => {
            // Many registrars append the domain to whatever is entered as the name.
            let doubled = look_at(&format!("{domain}.{domain}"), selector, resolver).await;
            let remedy = match doubled {
                AtSelector::Keys(_) => format!(
                    "The DKIM key is at {name}.{domain}: your DNS provider adds the domain to the name by itself. Enter only \"{selector}._domainkey\" as the name."
                ),
                _ => format!(
                    "There is no DKIM key at {name}. Publish the key that your mail server or provider shows for the selector \"{selector}\", or correct the selector."
                ),
            };
            without_key(DnsFinding::new(DnsFindingCode::DkimSelectorMissing, remedy))
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
    let order = selectors_in_order(&providers);
    if more_may_exist && !found.iter().any(|(_, at)| matches!(at, AtSelector::Keys(_))) {
        let rest: Vec<&str> = order.iter().copied().filter(|selector| !USUAL_SELECTORS.contains(selector)).collect();
        found.extend(guess(domain, &rest, resolver).await);
    }
    found.sort_by_key(|(selector, _)| order.iter().position(|known| known == selector));
    let failed = found.iter().any(|(_, at)| *at == AtSelector::LookupFailed);
    let keys = found.into_iter().filter_map(|(selector, at)| match at {
        AtSelector::Keys(keys) => {
            let name = format!("{selector}._domainkey.{domain}");
            Some(judge_keys(selector, &name, &keys))
        }
        _ => None,
    });
    if let Some(best) = best(keys) {
        return best;
    }
    match below {
        Err(LookupError::NoSuchName) => without_key(missing(domain, &providers)),
        Err(LookupError::Temporary(_)) => without_key(lookup_failed(&parent)),
        _ if failed => without_key(lookup_failed(&parent)),
        _ => without_key(DnsFinding::new(
            DnsFindingCode::DkimSelectorUnknown,
            format!(
                "No DKIM key was found at the usual names, but {parent} exists, so there may be one under another name. Enter the selector: it is the value after \"s=\" in the DKIM-Signature of a message you have sent."
            ),
        )),
    }
}

async fn guess<'a>(domain: &str, selectors: &[&'a str], resolver: &dyn Resolver) -> Vec<(&'a str, AtSelector)> {
    join_all(selectors.iter().map(|selector| async move { (*selector, look_at(domain, selector, resolver).await) }))
        .await
}

/// Who signs the domain's mail, as far as the SMTP host, the SPF record and the MX records tell.
async fn providers_of(domain: &str, hints: &DomainHints, resolver: &dyn Resolver) -> Vec<&'static KnownProvider> {
    let (exchangers, texts) = tokio::join!(resolver.mail_exchangers(domain), resolver.texts(domain));
    let sender = hints.smtp_host.as_deref().and_then(KnownProvider::of_customer_host);
    let receivers = KnownProvider::of_mx_records(&exchangers.unwrap_or_default());
    let included = texts
        .unwrap_or_default()
        .iter()
        .filter(|text| spf::is_spf(text))
        .filter_map(|text| spf::parse(text).ok())
        .flat_map(|record| included_names(&record, domain))
        .filter_map(|name| KnownProvider::of_spf_include(&name))
        .collect::<Vec<_>>();
    sender.into_iter().chain(receivers).chain(included).collect()
}

fn included_names(record: &spf::Record, domain: &str) -> Vec<String> {
    record
        .reachable()
        .iter()
        .filter_map(|directive| match &directive.mechanism {
            spf::Mechanism::Include(spec) => spec.fixed(domain),
            _ => None,
        })
        .collect()
}

/// The provider's own selectors first, then the usual and the rare ones; each once.
fn selectors_in_order(providers: &[&'static KnownProvider]) -> Vec<&'static str> {
    let mut order: Vec<&'static str> = Vec::new();
    let own = providers.iter().flat_map(|provider| provider.dkim_selectors);
    for selector in own.chain(USUAL_SELECTORS).chain(RARE_SELECTORS) {
        if !order.contains(selector) {
            order.push(selector);
        }
    }
    order
}

/// Pass before warning before failure before "could not tell"; among equals the first.
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
        findings.push(DnsFinding::new(DnsFindingCode::DkimMultiple,
            format!("There are {} DKIM keys at {name}, and receivers may pick the wrong one. Keep only the key that your mail server signs with.", keys.len()),
        ));
    }
    at_selector(selector, keys[best].0.clone(), findings)
}

fn rank(findings: &[DnsFinding]) -> u8 {
    match DnsStatus::worst(findings) {
        DnsStatus::Pass => 0,
        DnsStatus::Warn => 1,
        DnsStatus::Error | DnsStatus::Fail => 2,
    }
}

fn judge_key(name: &str, key: &Result<Key, KeyError>) -> Vec<DnsFinding> {
    let replace = "Create a new key at your mail provider and publish it there.";
    let error = match key {
        Ok(key) => return judge_usable(name, *key),
        Err(error) => error,
    };
    vec![match error {
        KeyError::Revoked => DnsFinding::new(
            DnsFindingCode::DkimRevoked,
            format!("The DKIM key at {name} has been revoked (empty \"p=\"). {replace}"),
        ),
        KeyError::TooShort(bits) => DnsFinding::new(
            DnsFindingCode::DkimKeyTooShort,
            format!(
                "The DKIM key at {name} has only {bits} bits, and receivers do not accept it. Replace it by a 2048-bit key."
            ),
        ),
        KeyError::UnknownType(kind) => DnsFinding::new(
            DnsFindingCode::DkimUnknownKeyType,
            format!(
                "The DKIM key at {name} is of the type \"{kind}\", which receivers do not know. Replace it by an RSA key of 2048 bits."
            ),
        ),
        KeyError::NoUsableHash => DnsFinding::new(
            DnsFindingCode::DkimSha1Only,
            format!(
                "The DKIM key at {name} does not allow SHA-256 (\"h=\"), and receivers accept nothing else. Delete the \"h=\" part, and sign with rsa-sha256."
            ),
        ),
        KeyError::NotForEmail => DnsFinding::new(
            DnsFindingCode::DkimNotForEmail,
            format!("The DKIM key at {name} is not meant for e-mail (\"s=\"). Delete the \"s=\" part."),
        ),
        KeyError::BadKey | KeyError::NotAKey => DnsFinding::new(
            DnsFindingCode::DkimBadKey,
            format!(
                "The DKIM key at {name} cannot be read; it may have been cut off or changed when it was copied. Copy it again as a whole from your mail provider."
            ),
        ),
    }]
}

fn judge_usable(name: &str, key: Key) -> Vec<DnsFinding> {
    let mut findings = Vec::new();
    match key.strength {
        Strength::Rsa(bits) if bits < 2048 => findings.push(DnsFinding::new(DnsFindingCode::DkimKeyShort,
            format!("The DKIM key at {name} has {bits} bits. Replace it by a 2048-bit key."),
        )),
        Strength::Ed25519 => findings.push(DnsFinding::new(DnsFindingCode::DkimEd25519Only,
            format!("The DKIM key at {name} is an Ed25519 key, which many receivers cannot check. Publish an RSA key of 2048 bits under a second selector and sign with both."),
        )),
        Strength::Rsa(_) => {}
    }
    if key.testing {
        findings.push(DnsFinding::new(
            DnsFindingCode::DkimTesting,
            format!(
                "The DKIM key at {name} is in testing mode (\"t=y\"), and receivers may ignore it. Delete \"t=y\"."
            ),
        ));
    }
    findings
}

fn missing(domain: &str, providers: &[&'static KnownProvider]) -> DnsFinding {
    let provider = providers.first();
    let source = provider.map_or("your mail provider", |provider| provider.name);
    let found = DnsFinding::new(
        DnsFindingCode::DkimMissing,
        format!(
            "{domain} has no DKIM key. Turn on DKIM signing at {source} and publish the key shown there. If you do sign already, enter your selector: it is the value after \"s=\" in the DKIM-Signature of a message you have sent."
        ),
    );
    if provider.is_some_and(|provider| provider.operator == Operator::Fastmail) {
        return found.with_record(
            format!("fm1._domainkey.{domain}"),
            "CNAME",
            format!("fm1.{domain}.dkim.fmhosted.com"),
        );
    }
    found
}

fn lookup_failed(name: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimLookupFailed,
        format!(
            "{name} could not be looked up just now. Check again in a few minutes; if it stays so, the domain's name servers need attention."
        ),
    )
}

fn at_selector(selector: &str, record: String, findings: Vec<DnsFinding>) -> DkimVerdict {
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
