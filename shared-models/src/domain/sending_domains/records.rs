//! The DNS records that a tenant publishes for a domain, and the form in which a name server reads them.

use std::fmt::Write;

use crate::domain::core::MailDomain;
use crate::domain::sending_domains::{DkimPublicKey, DomainMode, SendingDomain};

/// Time to live of the suggested records, in seconds.
const TTL: u32 = 3600;
/// Octets in one string of a text record (RFC 1035 section 3.3).
const MAX_STRING: usize = 255;
/// Octets in a name (RFC 1035 section 2.3.4), without the last dot.
const MAX_NAME: usize = 253;
/// Characters of the selector of a key.
const SELECTOR: usize = 10;
/// The preference of our mail exchanger.
const PRIORITY: u16 = 10;

/// A TXT record to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRecord {
    /// Owner name, absolute and without the last dot.
    pub name: String,
    /// The whole text, before it is cut into strings.
    pub value: String,
}

/// An MX record to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangerRecord {
    /// Owner name, absolute and without the last dot.
    pub name: String,
    /// The lower, the more preferred (RFC 5321 section 5.1).
    pub priority: u16,
    /// Host name without the last dot.
    pub target: String,
}

/// Every record that a domain needs in DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRecords {
    /// Proves that the tenant controls the domain.
    pub verification: TextRecord,
    /// Lets the platform send for the domain (RFC 7208).
    pub spf: TextRecord,
    /// The policy for mail that somebody else sends in its name (RFC 9989).
    pub dmarc: TextRecord,
    /// The public key for the signatures of its mail (RFC 6376).
    pub dkim: TextRecord,
    /// Brings its mail to the platform; `None` for a domain that receives none.
    pub mx: Option<ExchangerRecord>,
    /// Brings the bounces of its mail to the platform.
    pub mail_from_mx: ExchangerRecord,
    /// Lets the platform send with the return path.
    pub mail_from_spf: TextRecord,
}

impl DomainRecords {
    /// The records of a domain that the platform with this host name serves.
    #[must_use]
    pub fn new(domain: &SendingDomain, platform: &str) -> Self {
        let name = domain.name.as_str();
        let platform = normal(platform);
        let return_path = return_path(&domain.name);
        let text = |name: String, value: String| TextRecord { name, value };
        let exchanger =
            |name: &str| ExchangerRecord { name: name.to_owned(), priority: PRIORITY, target: platform.clone() };
        Self {
            verification: text(format!("_sendmux.{name}"), format!("sendmux-verify={}", domain.ownership_token)),
            // Others may send for the domain, too (`~all`). Nobody else uses our return path (`-all`).
            spf: text(name.to_owned(), format!("v=spf1 {} ~all", spf_term(&platform))),
            dmarc: text(format!("_dmarc.{name}"), "v=DMARC1; p=quarantine".to_owned()),
            dkim: text(key_name(&domain.dkim.selector, &domain.name), key_text(&domain.dkim)),
            mx: (domain.mode == DomainMode::SendReceive).then(|| exchanger(name)),
            mail_from_mx: exchanger(&return_path),
            mail_from_spf: text(return_path.clone(), format!("v=spf1 {} -all", spf_term(&platform))),
        }
    }

    /// The records as lines of a master file (RFC 1035 section 5), with absolute names, to be included in an existing
    /// zone.
    #[must_use]
    pub fn zone_file(&self) -> String {
        let mut zone = String::new();
        let texts =
            [&self.verification, &self.spf, &self.dmarc, &self.dkim].map(|record| (&record.name, text_data(record)));
        let exchangers =
            self.mx.iter().chain([&self.mail_from_mx]).map(|record| (&record.name, exchanger_data(record)));
        let last = (&self.mail_from_spf.name, text_data(&self.mail_from_spf));
        for (name, data) in texts.into_iter().chain(exchangers).chain([last]) {
            // Writing to a string cannot fail.
            let _ = writeln!(zone, "{name}. {TTL} IN {data}");
        }
        zone
    }
}

/// The SPF mechanism that lets the platform send (RFC 7208 section 5.3).
#[must_use]
pub fn spf_term(platform: &str) -> String {
    format!("a:{}", normal(platform))
}

/// The domain in the return path of the domain's mail.
#[must_use]
pub fn return_path(domain: &MailDomain) -> String {
    format!("bounce.{domain}")
}

/// True if the records fit below the domain's name. The name of the key record is the longest.
#[must_use]
pub fn has_room_below(domain: &MailDomain) -> bool {
    key_name(&"s".repeat(SELECTOR), domain).len() <= MAX_NAME
}

/// Lower case, without the last dot.
fn normal(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn key_name(selector: &str, domain: &MailDomain) -> String {
    format!("{selector}._domainkey.{domain}")
}

fn key_text(key: &DkimPublicKey) -> String {
    format!("v=DKIM1; k=rsa; p={}", key.base64)
}

fn exchanger_data(record: &ExchangerRecord) -> String {
    format!("MX {} {}.", record.priority, record.target)
}

/// Our texts are ASCII, without quotation marks and backslashes, so nothing has to be escaped.
fn text_data(record: &TextRecord) -> String {
    let strings = record.value.as_bytes().chunks(MAX_STRING).map(|part| format!(" \"{}\"", part.escape_ascii()));
    format!("TXT{}", strings.collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::sending_domains::DomainStatus;
    use crate::domain::{DomainId, Timestamp, WorkspaceId};

    fn domain(mode: DomainMode) -> SendingDomain {
        SendingDomain {
            id: DomainId::new(),
            workspace_id: WorkspaceId::new(),
            name: MailDomain::parse("acme.example").unwrap(),
            mode,
            status: DomainStatus::Pending,
            ownership_token: "0123abcd".to_owned(),
            dkim: DkimPublicKey { selector: "mm1".to_owned(), base64: "K".repeat(392) },
            checks: None,
            checked_at: None,
            verified_at: None,
            failures: 0,
            mailbox_count: 0,
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn the_zone_file_has_every_record() {
        let records = DomainRecords::new(&domain(DomainMode::SendReceive), "Mail.Platform.example.");
        let key = ["K".repeat(255 - 18), "K".repeat(392 - 237)];
        let expected = format!(
            "_sendmux.acme.example. 3600 IN TXT \"sendmux-verify=0123abcd\"\n\
             acme.example. 3600 IN TXT \"v=spf1 a:mail.platform.example ~all\"\n\
             _dmarc.acme.example. 3600 IN TXT \"v=DMARC1; p=quarantine\"\n\
             mm1._domainkey.acme.example. 3600 IN TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"\n\
             acme.example. 3600 IN MX 10 mail.platform.example.\n\
             bounce.acme.example. 3600 IN MX 10 mail.platform.example.\n\
             bounce.acme.example. 3600 IN TXT \"v=spf1 a:mail.platform.example -all\"\n",
            key[0], key[1],
        );
        assert_eq!(records.zone_file(), expected);
        assert_eq!(records.dkim.value.len(), 18 + 392);
    }

    #[test]
    fn a_domain_that_only_sends_needs_no_exchanger() {
        let records = DomainRecords::new(&domain(DomainMode::SendOnly), "mail.platform.example");
        assert_eq!(records.mx, None);
        assert_eq!(records.zone_file().matches(" MX ").count(), 1);
        assert_eq!(records.mail_from_mx.name, "bounce.acme.example");
    }

    #[test]
    fn a_name_may_be_too_long_for_its_records() {
        let labels = |count: usize| MailDomain::parse(&format!("{}ex.example", "abcdefghi.".repeat(count))).unwrap();
        assert!(has_room_below(&labels(22)));
        assert!(!has_room_below(&labels(23)));
    }
}
