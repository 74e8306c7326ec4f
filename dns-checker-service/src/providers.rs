//! Mail providers that can be told from a host name, and what they need in their customers' DNS.
//!
//! Only what a provider's page or a published client list confirms is here; a provider that is
//! missing is treated as the customer's own server. Sources: provider help pages,
//! Domain-Connect templates and ISPDB, all as of autumn 2026.

use shared_models::domain::diagnosis::MxRecord;

use crate::domain_name::is_within;

/// What is known about one provider. Regions with other host names are rows of their own with the
/// same `name`.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Name as people know it; the identity of the provider.
    pub name: &'static str,
    /// The hosts of the customers' MX records end with one of these.
    pub mx_suffixes: &'static [&'static str],
    /// The first MX record to publish: priority and host, in which `{domain}` is the customer's domain with dashes for
    /// dots. None: each customer gets one of their own, or it is not confirmed.
    pub mx: Option<(u16, &'static str)>,
    /// SMTP submission and IMAP hosts, or the ends of them.
    pub hosts: &'static [&'static str],
    /// One of these must be included in the SPF record; the first is the one to recommend. Empty:
    /// not confirmed, so nothing is demanded.
    pub spf_includes: &'static [&'static str],
    /// Usual DKIM selectors, most usual first.
    pub selectors: &'static [&'static str],
}

macro_rules! zoho {
    ($tld:literal) => {
        Provider {
            name: "Zoho",
            mx_suffixes: &[concat!("zoho.", $tld)],
            mx: Some((10, concat!("mx.zoho.", $tld))),
            hosts: &[
                concat!("smtp.zoho.", $tld),
                concat!("smtppro.zoho.", $tld),
                concat!("imap.zoho.", $tld),
                concat!("imappro.zoho.", $tld),
            ],
            // The vendor's pages disagree; each of these lists the sending servers of the region.
            spf_includes: &[
                concat!("zohomail.", $tld),
                concat!("zoho.", $tld),
                concat!("spf.zoho.", $tld),
                concat!("one.zoho.", $tld),
            ],
            selectors: &["zmail", "zoho"],
        }
    };
}

/// All providers known here.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Google",
        mx_suffixes: &["google.com", "googlemail.com"],
        mx: Some((1, "aspmx.l.google.com")),
        hosts: &["smtp.gmail.com", "smtp-relay.gmail.com", "imap.gmail.com"],
        spf_includes: &["_spf.google.com"],
        selectors: &["google"],
    },
    Provider {
        name: "Microsoft 365",
        mx_suffixes: &["mail.protection.outlook.com"],
        mx: Some((0, "{domain}.mail.protection.outlook.com")),
        hosts: &["smtp.office365.com", "outlook.office365.com"],
        spf_includes: &["spf.protection.outlook.com"],
        selectors: &["selector1", "selector2"],
    },
    Provider {
        name: "Fastmail",
        mx_suffixes: &["messagingengine.com"],
        mx: Some((10, "in1-smtp.messagingengine.com")),
        hosts: &["smtp.fastmail.com", "imap.fastmail.com"],
        spf_includes: &["spf.messagingengine.com"],
        selectors: &["fm1", "fm2", "fm3"],
    },
    Provider {
        name: "Proton",
        mx_suffixes: &["protonmail.ch"],
        mx: Some((10, "mail.protonmail.ch")),
        hosts: &["smtp.protonmail.ch"],
        spf_includes: &["_spf.protonmail.ch"],
        selectors: &["protonmail", "protonmail2", "protonmail3"],
    },
    zoho!("eu"),
    zoho!("com"),
    zoho!("in"),
    zoho!("com.au"),
    zoho!("jp"),
    Provider {
        name: "SendGrid",
        mx_suffixes: &[],
        mx: None,
        hosts: &["smtp.sendgrid.net"],
        spf_includes: &["sendgrid.net"],
        selectors: &["s1", "s2"],
    },
    Provider {
        name: "Namecheap Private Email",
        mx_suffixes: &["privateemail.com"],
        mx: Some((10, "mx1.privateemail.com")),
        hosts: &["mail.privateemail.com"],
        spf_includes: &["spf.privateemail.com"],
        selectors: &["default"],
    },
    Provider {
        name: "Hostinger",
        mx_suffixes: &["hostinger.com"],
        mx: Some((5, "mx1.hostinger.com")),
        hosts: &["smtp.hostinger.com", "imap.hostinger.com"],
        spf_includes: &["_spf.mail.hostinger.com"],
        selectors: &["hostingermail-a", "hostingermail-b", "hostingermail-c"],
    },
    Provider {
        name: "Titan",
        mx_suffixes: &["titan.email"],
        mx: Some((10, "mx1.titan.email")),
        hosts: &["smtp.titan.email", "imap.titan.email"],
        spf_includes: &["spf.titan.email"],
        selectors: &["titan1"],
    },
    Provider {
        name: "GoDaddy",
        mx_suffixes: &["secureserver.net"],
        mx: Some((0, "smtp.secureserver.net")),
        hosts: &["smtpout.secureserver.net", "imap.secureserver.net"],
        spf_includes: &["secureserver.net"],
        selectors: &[],
    },
    Provider {
        name: "OVH",
        mx_suffixes: &["ovh.net"],
        mx: None,
        hosts: &["ssl0.ovh.net"],
        spf_includes: &["mx.ovh.com"],
        selectors: &[],
    },
    Provider {
        name: "Yandex",
        mx_suffixes: &["mx.yandex.net"],
        mx: Some((10, "mx.yandex.net")),
        hosts: &["smtp.yandex.com", "imap.yandex.com", "imap.yandex.ru"],
        spf_includes: &["_spf.yandex.net"],
        selectors: &["mail"],
    },
    Provider {
        name: "Rackspace",
        mx_suffixes: &["emailsrvr.com"],
        mx: None,
        hosts: &["secure.emailsrvr.com"],
        spf_includes: &[],
        selectors: &[],
    },
    Provider {
        name: "iCloud",
        mx_suffixes: &["mail.icloud.com"],
        mx: None,
        hosts: &["smtp.mail.me.com", "imap.mail.me.com"],
        spf_includes: &[],
        selectors: &["sig1"],
    },
];

impl Provider {
    /// The value of the first MX record that `domain` needs: priority and host.
    #[must_use]
    pub fn mx_value(&self, domain: &str) -> Option<String> {
        let (priority, host) = self.mx?;
        Some(format!("{priority} {}", host.replace("{domain}", &domain.replace('.', "-"))))
    }
}

/// The provider of an SMTP or IMAP host.
#[must_use]
pub fn of_host(host: &str) -> Option<&'static Provider> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    PROVIDERS.iter().find(|provider| provider.hosts.iter().any(|known| is_within(&host, known)))
}

/// The provider of one mail exchanger.
#[must_use]
pub fn of_exchange(exchange: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| {
        let mut suffixes = provider.mx_suffixes.iter();
        suffixes.any(|suffix| is_within(exchange, suffix))
    })
}

/// The providers of all mail exchangers, most preferred first, each once.
#[must_use]
pub fn of_mx(records: &[MxRecord]) -> Vec<&'static Provider> {
    let mut found: Vec<&'static Provider> = Vec::new();
    for provider in records.iter().filter_map(|mx| of_exchange(&mx.exchange)) {
        if !found.contains(&provider) {
            found.push(provider);
        }
    }
    found
}

/// The provider whose servers an SPF `include` or `redirect` authorises.
#[must_use]
pub fn of_spf_include(domain: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.spf_includes.contains(&domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(provider: Option<&'static Provider>) -> Option<&'static str> {
        provider.map(|provider| provider.name)
    }

    #[test]
    fn is_told_from_any_of_its_hosts() {
        assert_eq!(name(of_host("SMTP.gmail.com.")), Some("Google"));
        assert_eq!(name(of_host("smtp.zoho.com.au")), Some("Zoho"));
        assert_eq!(name(of_host("smtp.gmail.com.example")), None);
        assert_eq!(name(of_exchange("example-com.mail.protection.outlook.com")), Some("Microsoft 365"));
        assert_eq!(name(of_exchange("notgoogle.com")), None);
        assert_eq!(name(of_spf_include("zoho.eu")), Some("Zoho"));
    }

    #[test]
    fn recommends_the_include_of_its_own_region() {
        let include = of_host("smtp.zoho.eu").map(|provider| provider.spf_includes[0]);
        assert_eq!(include, Some("zohomail.eu"));
    }
}
