//! Selectors to look at: those that are given, else guesses by provider and custom.

use shared_models::domain::diagnosis::KnownProvider;

use crate::hints::DomainHints;
use crate::resolver::Resolver;
use crate::spf;

/// Usual selectors, looked up for every domain at the same time.
pub(super) const USUAL_SELECTORS: &[&str] = &[
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
/// Less usual selectors, looked up only if the usual ones have no key and there may be one elsewhere.
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
/// Upper bound of the selectors taken from the caller.
const MAX_GIVEN: usize = 20;

/// The selectors that the caller gave.
pub(super) fn given(hints: &DomainHints) -> Vec<String> {
    let bare = hints.selectors.iter().map(|selector| bare_selector(selector));
    bare.filter(|selector| !selector.is_empty()).take(MAX_GIVEN).collect()
}

/// The selector alone, if the whole name or the zone entry was pasted.
fn bare_selector(text: &str) -> String {
    let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
    match text.split_once("._domainkey") {
        Some((selector, _)) => selector.to_owned(),
        None => text,
    }
}

/// The providers that may sign the domain's mail: by the SMTP host, the MX records and the SPF record.
pub(super) async fn providers_of(
    domain: &str,
    hints: &DomainHints,
    resolver: &dyn Resolver,
) -> Vec<&'static KnownProvider> {
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

/// Selectors in the order of preference: the providers' own, the usual, the rare ones; each once.
pub(super) fn in_order(providers: &[&'static KnownProvider]) -> Vec<&'static str> {
    let mut order: Vec<&'static str> = Vec::new();
    let own = providers.iter().flat_map(|provider| provider.dkim_selectors);
    for selector in own.chain(USUAL_SELECTORS).chain(RARE_SELECTORS) {
        if !order.contains(selector) {
            order.push(selector);
        }
    }
    order
}
