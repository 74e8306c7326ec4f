//! Findings about SPF records: what to do in plain words, and the record that puts it right.

use std::net::IpAddr;

use shared_models::domain::core::MailDomain;
use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode, DnsStatus, KnownProvider};

use super::evaluate::MAX_VOID_LOOKUPS;
use super::parse::{SyntaxError, is_spf, parse};
use super::tree::Defect;
use crate::hints::DomainHints;

pub(super) fn lookup_failed(name: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfLookupFailed,
        format!(
            "The SPF record of {name} could not be looked up just now. Check again in a few minutes; if it stays so, its name servers need attention."
        ),
    )
}

pub(super) fn missing(domain: &str, hints: &DomainHints, provider: Option<&KnownProvider>) -> DnsFinding {
    let include = provider.and_then(|provider| provider.spf_includes.first());
    let value = match (include, hints.smtp_host.as_deref().and_then(host_term)) {
        (Some(include), _) => format!("v=spf1 include:{include} ~all"),
        (None, Some(term)) => format!("v=spf1 mx {term} ~all"),
        (None, None) => "v=spf1 mx ~all".to_owned(),
    };
    DnsFinding::new(DnsFindingCode::SpfMissing,
        format!(
            "{domain} has no SPF record, so receivers cannot tell its mail from forgeries. Publish this TXT record, and add every other service that sends for the domain."
        ),
    )
    .with_record(domain, "TXT", value)
}

pub(super) fn record_type(domain: &str, text: &[u8]) -> DnsFinding {
    DnsFinding::new(DnsFindingCode::SpfRecordType,
        "The SPF record is published in the old record type SPF, which no receiver reads. Publish the same text as a TXT record.",
    )
    .with_record(domain, "TXT", String::from_utf8_lossy(text))
}

pub(super) fn multiple(domain: &str, texts: &[&[u8]]) -> DnsFinding {
    let finding = DnsFinding::new(
        DnsFindingCode::SpfMultiple,
        format!(
            "{domain} has {} SPF records, and receivers then use none of them. Merge them into one and delete the others.",
            texts.len()
        ),
    );
    match merge(texts) {
        Some(value) => finding.with_record(domain, "TXT", value),
        None => finding,
    }
}

/// One record with all terms, each once and in order. Its `all` is strict only if that of every record is.
fn merge(texts: &[&[u8]]) -> Option<String> {
    let mut terms: Vec<String> = Vec::new();
    let mut strict = true;
    for text in texts {
        parse(text).ok()?;
        let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
        let mut own_all = None;
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            let term = term.replacen("redirect=", "include:", 1);
            if term.trim_start_matches(['+', '-', '~', '?']) == "all" {
                own_all = Some(term);
            } else if !terms.contains(&term) {
                terms.push(term);
            }
        }
        strict &= own_all.as_deref() == Some("-all");
    }
    let all = if strict { "-all" } else { "~all" };
    terms.push(all.to_owned());
    Some(format!("v=spf1 {}", terms.join(" ")))
}

pub(super) fn syntax(domain: &str, at: &str, error: &SyntaxError) -> DnsFinding {
    let term = &error.term;
    let remedy = if at == domain {
        format!(
            "The SPF record contains \"{term}\", which is not valid, and receivers then ignore the whole record. Correct or delete this term."
        )
    } else {
        format!(
            "The SPF record of {at}, which yours includes, contains the invalid term \"{term}\"; this makes your record invalid too. Ask its owner to correct it, or remove it from your record."
        )
    };
    DnsFinding::new(DnsFindingCode::SpfSyntax, remedy)
}

pub(super) fn defect(domain: &str, defect: &Defect) -> DnsFinding {
    match defect {
        Defect::Syntax { at, error } => syntax(domain, at, error),
        Defect::Multiple { at } => DnsFinding::new(
            DnsFindingCode::SpfMultiple,
            format!(
                "{at}, which your SPF record includes, has more than one SPF record; this makes yours invalid too. Ask its owner to keep only one, or remove it from your record."
            ),
        ),
        Defect::Loop { at, target } => DnsFinding::new(
            DnsFindingCode::SpfIncludeLoop,
            format!("The SPF record of {at} leads back to {target}, in a circle. Remove one of the two includes."),
        ),
        Defect::NoIncludedRecord { target } => DnsFinding::new(
            DnsFindingCode::SpfIncludeNoRecord,
            format!(
                "Your SPF record includes {target}, which has no SPF record; receivers then ignore yours. Correct the name, or remove \"include:{target}\"."
            ),
        ),
        Defect::NoRedirectRecord { target } => DnsFinding::new(
            DnsFindingCode::SpfRedirectNoRecord,
            format!(
                "Your SPF record redirects to {target}, which has no SPF record; receivers then ignore yours. Correct the name, or replace the redirect by the servers that send for you."
            ),
        ),
        Defect::TooManyMxHosts { domain } => DnsFinding::new(
            DnsFindingCode::SpfMxTooManyHosts,
            format!(
                "The term mx in the SPF record stands for more than 10 mail servers of {domain}, which receivers refuse. Replace it by ip4 and ip6 terms with the addresses that send."
            ),
        ),
        Defect::LookupFailed { name } => lookup_failed(name),
    }
}

pub(super) fn too_many_lookups(lookups: u32) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfTooManyLookups,
        format!(
            "The SPF record needs {lookups} DNS look-ups and receivers stop at 10. Remove includes of services that no longer send for you, or replace a and mx terms by ip4 and ip6."
        ),
    )
}

/// `names` are those at which nothing was found.
pub(super) fn void(names: &[String]) -> DnsFinding {
    let (code, consequence) = if names.len() > MAX_VOID_LOOKUPS as usize {
        (DnsFindingCode::SpfTooManyVoid, "; with more than two such names receivers ignore the whole record")
    } else {
        (DnsFindingCode::SpfVoidLookup, "")
    };
    let names = names.join(", ");
    DnsFinding::new(
        code,
        format!("The SPF record refers to names without any entry{consequence}: {names}. Remove those terms."),
    )
}

pub(super) fn open_include(include: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfAllowsEveryone,
        format!(
            "Your SPF record includes {include}, which allows the whole internet to send; so does yours. Remove \"include:{include}\"."
        ),
    )
}

pub(super) fn allows_everyone() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfAllowsEveryone,
        "The SPF record allows the whole internet to send for the domain. List the servers that really send, and end the record with \"~all\" or \"-all\".",
    )
}

pub(super) fn too_long(octets: usize) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfTooLong,
        format!(
            "The SPF record is {octets} characters long and may not arrive everywhere; 512 is the limit. Combine addresses into networks, or move some of them into an include."
        ),
    )
}

pub(super) fn terms_after_all() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfTermsAfterAll,
        "The SPF record has terms after \"all\", which are never looked at. Move \"all\" to the end.",
    )
}

pub(super) fn redirect_ignored() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfRedirectIgnored,
        "The SPF record has both \"all\" and \"redirect\", and the redirect is ignored. Remove one of the two.",
    )
}

pub(super) fn ptr() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfPtr,
        "The SPF record uses \"ptr\", which is slow and which some receivers skip. Replace it by the addresses that send (ip4, ip6).",
    )
}

pub(super) fn neutral_all() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfNeutralAll,
        "The SPF record ends with \"?all\", which protects nobody. End it with \"~all\" or \"-all\".",
    )
}

pub(super) fn no_all() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::SpfNoAll,
        "The SPF record does not say what applies to all other servers. Add \"~all\" or \"-all\" at the end.",
    )
}

pub(super) fn no_senders(status: DnsStatus, domain: &str, host: &str, provider: Option<&KnownProvider>) -> DnsFinding {
    let found = DnsFinding::new(
        DnsFindingCode::SpfNoSenders,
        "The SPF record is only \"-all\": nobody may send for the domain. List the servers that send, before \"-all\".",
    );
    let include = provider.and_then(|provider| provider.spf_includes.first());
    let term = match include {
        Some(include) => format!("include:{include}"),
        None => host_term(host).unwrap_or_else(|| "mx".to_owned()),
    };
    found.with_status(status).with_record(domain, "TXT", format!("v=spf1 {term} ~all"))
}

/// The term that authorises one server; `None` for a name that cannot be in DNS.
fn host_term(host: &str) -> Option<String> {
    match host.parse() {
        Ok(IpAddr::V4(ip)) => Some(format!("ip4:{ip}")),
        Ok(IpAddr::V6(ip)) => Some(format!("ip6:{ip}")),
        Err(_) => MailDomain::parse(host).ok().map(|host| format!("a:{host}")),
    }
}

pub(super) fn missing_provider(domain: &str, text: &[u8], provider: &KnownProvider) -> DnsFinding {
    let include = provider.spf_includes.first().copied().unwrap_or_default();
    let term = format!("include:{include}");
    DnsFinding::new(DnsFindingCode::SpfMissingProvider,
        format!(
            "You send through {}, but the SPF record does not contain \"{term}\", so this mail looks forged. Add it to the record.",
            provider.name
        ),
    )
    .with_record(domain, "TXT", with_term(text, &term))
}

pub(super) fn sender_not_authorised(domain: &str, text: &[u8], host: &str) -> DnsFinding {
    let finding = |advice: &str| {
        DnsFinding::new(
            DnsFindingCode::SpfSenderNotAuthorised,
            format!("The SPF record does not cover {host}, the server you send through. {advice}"),
        )
    };
    match host_term(host) {
        Some(term) => finding(&format!("If mail leaves from there, add \"{term}\" to the record.")).with_record(
            domain,
            "TXT",
            with_term(text, &term),
        ),
        None => finding("Add the address that mail leaves from to the record."),
    }
}

/// The record with one more term, inserted where it still counts: before `all` and `redirect`.
fn with_term(text: &[u8], term: &str) -> String {
    debug_assert!(is_spf(text));
    let text = String::from_utf8_lossy(text);
    let mut terms: Vec<&str> = text.split(' ').filter(|term| !term.is_empty()).collect();
    let end = terms
        .iter()
        .position(|term| {
            let bare = term.trim_start_matches(['+', '-', '~', '?']);
            bare.eq_ignore_ascii_case("all") || bare.to_ascii_lowercase().starts_with("redirect=")
        })
        .unwrap_or(terms.len());
    terms.insert(end, term);
    terms.join(" ")
}
