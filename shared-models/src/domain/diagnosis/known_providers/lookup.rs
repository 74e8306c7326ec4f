//! Look-ups in the table: by the host that a person typed, by MX target, by SPF include.
//!
//! Hosts are in lower case without a trailing dot, except where a function says otherwise.

use super::table::TABLE;
use super::{HostPattern, KnownProvider, Preset};
use crate::domain::core::is_within;
use crate::domain::diagnosis::{Leg, MxRecord};

impl KnownProvider {
    /// Every row, in the order of the table. Where two rows match, the first one counts.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLE.iter().copied().flatten()
    }

    /// The provider whose rules of signing in hold at a host. An address is never looked at: domains are hosted
    /// anywhere.
    #[must_use]
    pub fn of_login_host(host: &str) -> Option<&'static Self> {
        Self::all().find(|row| row.login_hosts.iter().any(|domain| is_within(host, domain)))
    }

    /// The provider of a host that only receives mail; see [`Self::preset`] for the host to use instead.
    #[must_use]
    pub fn of_exchanger(host: &str) -> Option<&'static Self> {
        Self::all().find(|row| !row.has_preset_host(host) && row.exchangers.iter().any(|pattern| pattern.matches(host)))
    }

    /// The provider at which the domain of a mailbox is hosted, by the SMTP or IMAP host of the mailbox. Upper case and
    /// a trailing dot are accepted.
    #[must_use]
    pub fn of_customer_host(host: &str) -> Option<&'static Self> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        Self::all().find(|row| row.customer_hosts.iter().any(|known| is_within(&host, known)))
    }

    /// The provider of one MX target.
    #[must_use]
    pub fn of_mx_target(exchange: &str) -> Option<&'static Self> {
        Self::all().find(|row| row.mx_domains.iter().any(|domain| is_within(exchange, domain)))
    }

    /// The providers of all MX targets, most preferred first, each row once.
    #[must_use]
    pub fn of_mx_records(records: &[MxRecord]) -> Vec<&'static Self> {
        let mut found: Vec<&'static Self> = Vec::new();
        for row in records.iter().filter_map(|mx| Self::of_mx_target(&mx.exchange)) {
            if !found.contains(&row) {
                found.push(row);
            }
        }
        found
    }

    /// The provider whose servers an SPF `include` or `redirect` authorises.
    #[must_use]
    pub fn of_spf_include(domain: &str) -> Option<&'static Self> {
        Self::all().find(|row| row.spf_includes.contains(&domain))
    }

    /// The setting to enter for one protocol.
    #[must_use]
    pub fn preset(&self, leg: Leg) -> Option<Preset> {
        let presets = self.presets?;
        Some(match leg {
            Leg::Smtp => presets.smtp,
            Leg::Imap => presets.imap,
        })
    }

    /// The value of the first MX record that `domain` has to publish: priority and host.
    #[must_use]
    pub fn mx_value(&self, domain: &str) -> Option<String> {
        let mx = self.mx_to_publish?;
        Some(format!("{} {}", mx.priority, mx.host.replace("{domain}", &domain.replace('.', "-"))))
    }

    /// The presets that are hosts, not programs.
    pub(super) fn preset_hosts(&self) -> impl Iterator<Item = &'static str> + use<> {
        let presets = self.presets.map(|presets| [presets.smtp, presets.imap]);
        presets.into_iter().flatten().filter_map(|preset| match preset {
            Preset::Host(host) => Some(host),
            Preset::Program(_) => None,
        })
    }

    fn has_preset_host(&self, host: &str) -> bool {
        self.preset_hosts().any(|preset| preset == host)
    }
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        host.len() >= self.start.len() + self.end.len() && host.starts_with(self.start) && host.ends_with(self.end)
    }
}

impl Preset {
    /// The words that complete "For {provider} use ...".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host(text) | Self::Program(text) => text,
        }
    }
}
