//! Findings about the domain itself.

use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode};

/// Characters of a text that is no domain name which are quoted.
const MAX_QUOTED: usize = 100;

pub(super) fn parked(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::ParkedDomain,
        format!(
            "{domain} is set up to neither receive nor send mail. If it is to be used for mail, begin with the MX and SPF records of your mail provider."
        ),
    )
}

pub(super) fn invalid(text: &str) -> DnsFinding {
    let quoted: String = text.chars().take(MAX_QUOTED).collect();
    DnsFinding::new(
        DnsFindingCode::DomainInvalid,
        format!(
            "\"{quoted}\" is not a domain name. Enter only what comes after the @ of an address, such as example.com."
        ),
    )
}

pub(super) fn not_found(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DomainNotFound,
        format!("The domain {domain} does not exist. Check its spelling, and whether its registration has expired."),
    )
}
