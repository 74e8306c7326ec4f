//! Findings about DMARC records: what to do in plain words, and the record that puts it right.

use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode};

use super::discover::Located;
use super::record::Policy;

fn name(domain: &str) -> String {
    format!("_dmarc.{domain}")
}

fn first_record(domain: &str) -> String {
    format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}")
}

pub(super) fn lookup_failed(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcLookupFailed,
        format!(
            "The DMARC record of {domain} could not be looked up just now. Check again in a few minutes; if it stays so, the domain's name servers need attention."
        ),
    )
}

pub(super) fn missing(domain: &str) -> DnsFinding {
    DnsFinding::new(DnsFindingCode::DmarcMissing,
        format!(
            "{domain} has no DMARC record, which large receivers demand. Publish this TXT record; it changes nothing for your mail and sends you reports."
        ),
    )
    .with_record(name(domain), "TXT", first_record(domain))
}

pub(super) fn doubled_name(domain: &str, text: &str) -> DnsFinding {
    DnsFinding::new(DnsFindingCode::DmarcMissing,
        format!(
            "The DMARC record is at {}.{domain}: your DNS provider adds the domain to the name by itself. Enter only \"_dmarc\" as the name.",
            name(domain)
        ),
    )
    .with_record(name(domain), "TXT", text)
}

pub(super) fn multiple(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcMultiple,
        format!(
            "There is more than one DMARC record at {}, and receivers then use none of them. Keep only one.",
            name(domain)
        ),
    )
}

pub(super) fn bad_version(domain: &str, text: &str) -> DnsFinding {
    let finding = DnsFinding::new(
        DnsFindingCode::DmarcBadVersion,
        format!(
            "The DMARC record at {} does not begin with exactly \"v=DMARC1;\", so receivers ignore it. Correct its beginning.",
            name(domain)
        ),
    );
    let tags: Vec<&str> = text
        .trim_matches(['"', ' '])
        .split(';')
        .map(str::trim)
        .filter(|tag| !tag.is_empty() && !tag.to_ascii_lowercase().contains("dmarc1"))
        .collect();
    if tags.is_empty() {
        return finding;
    }
    finding.with_record(name(domain), "TXT", format!("v=DMARC1; {}", tags.join("; ")))
}

pub(super) fn wrong_place(domain: &str, text: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcWrongPlace,
        format!("The DMARC record is at {domain} itself, where nobody looks for it. Move it to {}.", name(domain)),
    )
    .with_record(name(domain), "TXT", text)
}

pub(super) fn duplicate_tag(domain: &str, tag: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcDuplicateTag,
        format!("The DMARC record at {} has \"{tag}=\" twice, which makes it invalid. Keep only one.", name(domain)),
    )
}

pub(super) fn bad_policy(domain: &str, value: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcBadPolicy,
        format!(
            "The DMARC record at {} has the policy \"{value}\", which does not exist. Use none, quarantine or reject.",
            name(domain)
        ),
    )
}

pub(super) fn policy_none(domain: &str, located: &Located, inherited: bool) -> DnsFinding {
    let found_at = name(&located.location);
    if inherited {
        return DnsFinding::new(DnsFindingCode::DmarcPolicyNone,
            format!(
                "Forged mail from {domain} is only reported, not stopped: the DMARC record at {found_at} applies and asks for no more. Publish a record of its own for {domain}, or raise the policy there once the reports are clean."
            ),
        )
        .with_record(name(domain), "TXT", format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"));
    }
    DnsFinding::new(
        DnsFindingCode::DmarcPolicyNone,
        format!(
            "Forged mail from {domain} is only reported, not stopped (\"p=none\" at {found_at}). That is right to begin with; change it to p=quarantine once the reports show that your own mail passes."
        ),
    )
}

pub(super) fn subdomain_weaker(domain: &str, own: Policy, below: Policy) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcSubdomainWeaker,
        format!(
            "The DMARC record at {} protects {domain} with \"{own}\" but its subdomains only with \"sp={below}\", so forgers use those. Delete \"sp={below}\".",
            name(domain)
        ),
    )
}

pub(super) fn percent(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcPct,
        format!(
            "The DMARC record at {} has \"pct\" below 100: some receivers apply the policy to a part of the mail only, others ignore the tag. Delete it.",
            name(domain)
        ),
    )
}

pub(super) fn testing(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcTesting,
        format!(
            "The DMARC record at {} is in testing mode (\"t=y\"), so receivers apply a weaker policy. Delete \"t=y\".",
            name(domain)
        ),
    )
}

pub(super) fn bad_rua(domain: &str, uri: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcBadRua,
        format!(
            "The DMARC record at {} asks for reports to \"{uri}\", which is not usable. Write it as \"rua=mailto:you@example.com\".",
            name(domain)
        ),
    )
}

/// A hint: reports are useful, not required.
pub(super) fn no_reports(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DmarcNoRua,
        format!(
            "The DMARC record at {} asks for no reports. To see who sends in your name, add \"rua=mailto:postmaster@{domain}\".",
            name(domain)
        ),
    )
}

pub(super) fn external_rua(domain: &str, destination: &str) -> DnsFinding {
    DnsFinding::new(DnsFindingCode::DmarcExternalRuaUnauthorised,
        format!(
            "DMARC reports are to go to {destination}, which has not agreed to receive them, so they are not sent. Ask its owner to publish this TXT record, or use an address at your own domain."
        ),
    )
    .with_record(
        format!("{domain}._report._dmarc.{destination}"),
        "TXT",
        "v=DMARC1",
    )
}
