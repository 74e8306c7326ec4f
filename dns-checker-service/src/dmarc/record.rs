//! A DMARC record (RFC 9989 section 4.8; RFC 7489 section 6.3 for what it retired).

use std::fmt;

use crate::tag_list::TagList;

/// The treatment of mail that fails (RFC 9989 section 4.7). The order is that of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the RFC defines the variants")]
pub enum Policy {
    None,
    Quarantine,
    Reject,
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        })
    }
}

/// `psd`: the domain is a public suffix or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Psd {
    /// `psd=y`: a registry.
    Yes,
    /// `psd=n`: an organisation, whatever the records above it are.
    No,
    /// `psd=u` or absent.
    Unknown,
}

/// A tag that holds a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants need no words")]
pub enum PolicyTag {
    Absent,
    Is(Policy),
    /// A value that is no policy.
    Invalid(String),
}

/// One destination of aggregate reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportUri {
    /// `mailto:` an address at this domain.
    Mail {
        /// Domain of the address, lower case.
        domain: String,
    },
    /// No destination that reports can be sent to.
    Unusable(String),
}

/// ```text
/// dmarc-record  = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep] *WSP
/// dmarc-version = "v" equals %s"DMARC1"         ; case sensitive
/// ```
/// The tags are `p`, `sp`, `psd`, `rua`, `t` and `pct`; others do not matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the tags")]
pub struct Record {
    pub policy: PolicyTag,
    pub subdomain_policy: PolicyTag,
    pub psd: Psd,
    /// `rua`; `None` if the tag is absent.
    pub reports: Option<Vec<ReportUri>>,
    pub testing: bool,
    /// `pct` of RFC 7489, if it is a number.
    pub percent: Option<u32>,
    /// A tag that occurs twice, which makes the record invalid (RFC 6376 section 3.2).
    pub duplicate_tag: Option<String>,
}

/// A text that was found at `_dmarc`, by its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// It begins with the version, so receivers read it.
    Record(Record),
    /// Meant as a record, but receivers discard it: the version is missing, late or wrong.
    BadVersion,
    /// Not meant as a record.
    Unrelated,
}

/// Reads a text that was found at `_dmarc`.
#[must_use]
pub fn parse(text: &[u8]) -> Text {
    let text = String::from_utf8_lossy(text);
    if !has_version(&text) {
        return if looks_meant(&text) { Text::BadVersion } else { Text::Unrelated };
    }
    // The names of tags and the values that are read here are case-insensitive ABNF strings.
    let lower = text.to_ascii_lowercase();
    let tags = TagList::parse(&lower);
    Text::Record(Record {
        policy: policy_tag(tags.get("p")),
        subdomain_policy: policy_tag(tags.get("sp")),
        psd: match tags.get("psd") {
            Some("y") => Psd::Yes,
            Some("n") => Psd::No,
            _ => Psd::Unknown,
        },
        reports: tags.get("rua").map(|uris| uris.split(',').map(|uri| report_uri(uri.trim())).collect()),
        testing: tags.get("t") == Some("y"),
        percent: tags.get("pct").and_then(|percent| percent.parse().ok()),
        duplicate_tag: tags.duplicate().map(str::to_owned),
    })
}

/// `"v" *WSP "=" *WSP %s"DMARC1"` at the beginning, followed by a separator or the end.
pub(super) fn has_version(text: &str) -> bool {
    let blank = [' ', '\t'];
    let rest = text
        .strip_prefix(['v', 'V'])
        .and_then(|rest| rest.trim_start_matches(blank).strip_prefix('='))
        .and_then(|rest| rest.trim_start_matches(blank).strip_prefix("DMARC1"));
    rest.is_some_and(|rest| {
        let rest = rest.trim_start_matches(blank);
        rest.is_empty() || rest.starts_with(';')
    })
}

/// True if the text was meant as a DMARC record: it contains the version somewhere, or a policy.
fn looks_meant(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("dmarc1") || matches!(policy_tag(TagList::parse(&lower).get("p")), PolicyTag::Is(_))
}

fn policy_tag(value: Option<&str>) -> PolicyTag {
    match value {
        None => PolicyTag::Absent,
        Some("none") => PolicyTag::Is(Policy::None),
        Some("quarantine") => PolicyTag::Is(Policy::Quarantine),
        Some("reject") => PolicyTag::Is(Policy::Reject),
        Some(other) => PolicyTag::Invalid(other.to_owned()),
    }
}

/// `dmarc-uri = URI`, of which only `mailto:` is defined. RFC 7489 allowed a size after "!".
fn report_uri(uri: &str) -> ReportUri {
    let address = uri.strip_prefix("mailto:").map(|rest| rest.split(['!', '?']).next().unwrap_or_default());
    let domain = address.and_then(|address| match address.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && is_host(domain) => Some(domain),
        _ => None,
    });
    match domain {
        Some(domain) => ReportUri::Mail { domain: domain.trim_end_matches('.').to_owned() },
        None => ReportUri::Unusable(uri.to_owned()),
    }
}

fn is_host(domain: &str) -> bool {
    domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty() && label.len() <= 63)
        && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

impl Record {
    /// True if reports can be sent to at least one destination.
    #[must_use]
    pub fn has_usable_report_uri(&self) -> bool {
        self.reports.iter().flatten().any(|uri| matches!(uri, ReportUri::Mail { .. }))
    }

    /// The value of `p` or `sp` that is none of the three policies.
    #[must_use]
    pub fn invalid_policy(&self) -> Option<&str> {
        [&self.policy, &self.subdomain_policy].into_iter().find_map(|tag| match tag {
            PolicyTag::Invalid(value) => Some(value.as_str()),
            _ => None,
        })
    }

    /// The policy that receivers apply to the domain of the record, or with `inherited` to one below it (RFC 9989 sections
    /// 4.7 and 4.10.1). `None` if the record has no effect.
    #[must_use]
    pub fn policy_in_force(&self, inherited: bool) -> Option<Policy> {
        if self.duplicate_tag.is_some() {
            return None;
        }
        if self.invalid_policy().is_some() {
            return self.has_usable_report_uri().then_some(Policy::None);
        }
        let own = match self.policy {
            PolicyTag::Is(policy) => policy,
            _ => Policy::None,
        };
        match self.subdomain_policy {
            PolicyTag::Is(policy) if inherited => Some(policy),
            _ => Some(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        match parse(text.as_bytes()) {
            Text::Record(record) => record,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn records_differ_from_other_texts() {
        for text in ["v=DMARC1", "v=DMARC1;", "V = DMARC1 ; p=none", "v=DMARC1;p=none;"] {
            assert!(matches!(parse(text.as_bytes()), Text::Record(_)), "{text}");
        }
        for text in [
            "v=dmarc1; p=none",
            " v=DMARC1; p=none",
            "v=DMARC10; p=none",
            "v=DMARC1 p=none",
            "\"v=DMARC1; p=none\"",
            "p=reject",
            "p=reject; v=DMARC1",
        ] {
            assert_eq!(parse(text.as_bytes()), Text::BadVersion, "{text}");
        }
        for text in ["", "site-verification=0123", "v=spf1 -all", "p=MIGf"] {
            assert_eq!(parse(text.as_bytes()), Text::Unrelated, "{text}");
        }
    }

    #[test]
    fn knows_the_policy_in_force() {
        for (text, own, inherited) in [
            ("v=DMARC1; p=reject", Some(Policy::Reject), Some(Policy::Reject)),
            ("v=DMARC1; P=Reject; sp=NONE", Some(Policy::Reject), Some(Policy::None)),
            ("v=DMARC1; p=none; sp=reject", Some(Policy::None), Some(Policy::Reject)),
            ("v=DMARC1", Some(Policy::None), Some(Policy::None)),
            ("v=DMARC1; p=block", None, None),
            ("v=DMARC1; p=block; rua=mailto:a@b.example", Some(Policy::None), Some(Policy::None)),
            ("v=DMARC1; p=reject; p=none", None, None),
        ] {
            let record = record(text);
            assert_eq!(record.policy_in_force(false), own, "{text}");
            assert_eq!(record.policy_in_force(true), inherited, "{text}");
        }
    }

    #[test]
    fn reads_report_addresses() {
        let uris = |text: &str| record(&format!("v=DMARC1; rua={text}")).reports.unwrap_or_default();
        let mail = |domain: &str| ReportUri::Mail { domain: domain.to_owned() };
        assert_eq!(uris("mailto:a@b.example"), [mail("b.example")]);
        assert_eq!(uris("mailto:A@B.example!10m , mailto:c@d.example"), [mail("b.example"), mail("d.example")]);
        for unusable in ["a@b.example", "https://b.example/", "mailto:", "mailto:@b.example", "mailto:a@b", ""] {
            assert_eq!(uris(unusable), [ReportUri::Unusable(unusable.to_owned())]);
        }
    }
}
