//! `dns-findings.md`, from the table of the codes of the DNS check.

use shared_models::domain::diagnosis::{DnsFindingCode, DnsPart, DnsStatus};

use super::markdown::{Page, code};

const PARTS: [(DnsPart, &str); 5] = [
    (DnsPart::Domain, "The domain itself"),
    (DnsPart::Mx, "MX"),
    (DnsPart::Spf, "SPF"),
    (DnsPart::Dkim, "DKIM"),
    (DnsPart::Dmarc, "DMARC"),
];

pub(super) fn page() -> String {
    let mut page = Page::new("DNS findings", "`shared-models/src/domain/diagnosis/dns_finding_codes.rs`");
    page.paragraph(
        "A finding has one of these codes, the part of the DNS that it is about, a remedy in plain words that names \
         hosts and records, and, where it is known, the record to publish. A code never changes and is never used \
         again; remedies may change, and new codes are added.",
    );
    page.paragraph(
        "*Status* is the verdict on the part if this were the only finding: `fail` = the record is missing, has no \
         effect or does harm; `warn` = it works, but is weak or risky; `error` = it could not be looked up, which is \
         never taken for a failure; `pass` = a hint only. Where there are two, the meaning says when.",
    );
    for (part, title) in PARTS {
        page.heading(2, title);
        let codes = DnsFindingCode::ALL.iter().filter(|finding| finding.part() == part);
        page.table(&["code", "status", "meaning"], codes.map(row));
    }
    page.finish()
}

fn row(finding: &DnsFindingCode) -> Vec<String> {
    let statuses: Vec<String> = finding.statuses().iter().map(|status| code(word(*status))).collect();
    vec![code(finding.as_str()), statuses.join(" or "), finding.meaning().to_owned()]
}

fn word(status: DnsStatus) -> &'static str {
    match status {
        DnsStatus::Pass => "pass",
        DnsStatus::Warn => "warn",
        DnsStatus::Fail => "fail",
        DnsStatus::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_left_out() {
        for finding in DnsFindingCode::ALL {
            assert!(PARTS.iter().any(|(part, _)| *part == finding.part()), "{finding}");
        }
    }
}
