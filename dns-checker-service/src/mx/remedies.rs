//! Findings about MX records: what to do in plain words, and the record that puts it right.

use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode, KnownProvider};

use crate::hints::DomainHints;

pub(super) fn lookup_failed(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxLookupFailed,
        format!(
            "The MX records of {domain} could not be looked up just now. Check again in a few minutes; if it stays so, the domain's name servers need attention."
        ),
    )
}

pub(super) fn missing(domain: &str, hints: &DomainHints) -> DnsFinding {
    let finding = DnsFinding::new(
        DnsFindingCode::MxMissing,
        format!(
            "{domain} has no MX record, so no mail can reach it. Publish the MX records that your mail provider lists."
        ),
    );
    with_provider_mx(finding, domain, hints)
}

pub(super) fn implicit(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxImplicitA,
        format!(
            "{domain} has no MX record; senders fall back to its web address, and some do not. Publish an MX record that names your mail server."
        ),
    )
    .with_record(domain, "MX", format!("10 {domain}"))
}

pub(super) fn implicit_private_only(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxTargetPrivateIp,
        format!(
            "{domain} has no MX record and only private addresses, which nobody outside can reach. Publish an MX record that names a public mail server."
        ),
    )
}

pub(super) fn null(domain: &str, hints: &DomainHints) -> DnsFinding {
    let finding = DnsFinding::new(
        DnsFindingCode::MxNull,
        format!(
            "The MX record says that {domain} accepts no mail (\"0 .\"). To receive replies, replace it by the MX records of your mail provider."
        ),
    );
    with_provider_mx(finding, domain, hints)
}

/// The record that the provider of the connected mailbox needs, where it is known.
fn with_provider_mx(finding: DnsFinding, domain: &str, hints: &DomainHints) -> DnsFinding {
    let provider = hints.imap_host.as_deref().and_then(KnownProvider::of_customer_host);
    match provider.and_then(|provider| provider.mx_value(domain)) {
        Some(value) => finding.with_record(domain, "MX", value),
        None => finding,
    }
}

pub(super) fn null_among_others() -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxNullMixed,
        "One MX record says that the domain accepts no mail (\"0 .\") while others name mail servers. Delete the record with the single dot.",
    )
}

pub(super) fn alias(host: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxTargetCname,
        format!(
            "The mail server {host} is an alias (CNAME), which some senders refuse. Point the MX record at the name that the alias leads to."
        ),
    )
}

pub(super) fn ip_literal(host: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxTargetIpLiteral,
        format!(
            "The MX record holds the IP address {host}, but only a host name is allowed there. Give the mail server a name with an A record and point the MX record at that name."
        ),
    )
}

pub(super) fn unresolvable(host: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxTargetUnresolvable,
        format!(
            "The mail server {host} has no address. Correct its name in the MX record, or publish an A record for it."
        ),
    )
}

pub(super) fn private_only(host: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxTargetPrivateIp,
        format!(
            "The mail server {host} has only private addresses, which nobody outside can reach. Publish its public address."
        ),
    )
}

pub(super) fn target_lookup_failed(host: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxTargetLookupFailed,
        format!(
            "The address of the mail server {host} could not be looked up just now. Check again in a few minutes; if it stays so, its name servers need attention."
        ),
    )
}

pub(super) fn other_provider(receiver: &KnownProvider, imap: &KnownProvider) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::MxOtherProvider,
        format!(
            "Mail for the domain is delivered to {receiver}, but the connected mailbox is at {imap}: replies will not appear in it. Connect the mailbox at {receiver}, or point the MX records at {imap}.",
            receiver = receiver.name,
            imap = imap.name,
        ),
    )
}
