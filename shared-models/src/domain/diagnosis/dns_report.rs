//! The result of the DNS check of a mail domain. Statuses and finding codes are kept stable; the
//! four parts are independent of each other.

use serde::{Deserialize, Serialize};

use super::DnsFindingCode;

/// The verdict on one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsStatus {
    /// Nothing to do.
    Pass,
    /// Works, but weak, risky or half broken.
    Warn,
    /// Missing, or broken so that it has no effect or does harm.
    Fail,
    /// Could not tell: timeout, SERVFAIL, REFUSED, network. Never turned into `Fail`.
    Error,
}

impl DnsStatus {
    /// The verdict that several findings make together. A defect that is proven wins over a
    /// temporary failure, and that over a weakness; no finding at all is a pass.
    #[must_use]
    pub fn worst<'a>(findings: impl IntoIterator<Item = &'a DnsFinding>) -> Self {
        findings
            .into_iter()
            .map(|finding| finding.status)
            .max_by_key(|status| match status {
                Self::Pass => 0,
                Self::Warn => 1,
                Self::Error => 2,
                Self::Fail => 3,
            })
            .unwrap_or(Self::Pass)
    }
}

/// Which record a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsPart {
    /// Mail exchangers (RFC 5321 section 5).
    Mx,
    /// Sender Policy Framework (RFC 7208).
    Spf,
    /// DomainKeys Identified Mail (RFC 6376).
    Dkim,
    /// Domain-based Message Authentication (RFC 9989).
    Dmarc,
    /// The domain itself.
    Domain,
}

/// One finding about a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsFinding {
    /// The word of a [`DnsFindingCode`]. A text, because a stored report may be by a newer version, which has more of
    /// them.
    pub code: String,
    /// The record it is about.
    pub part: DnsPart,
    /// The verdict on the part if this were the only finding; `Pass` is a hint only.
    pub status: DnsStatus,
    /// Plain words that name the next step.
    pub remedy: String,
    /// The record to publish, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub publish: Option<RecordToPublish>,
}

impl DnsFinding {
    /// A finding with the usual status of its code, and without a record to publish.
    pub fn new(code: DnsFindingCode, remedy: impl Into<String>) -> Self {
        Self {
            code: code.as_str().to_owned(),
            part: code.part(),
            status: code.statuses()[0],
            remedy: remedy.into(),
            publish: None,
        }
    }

    /// Another status, one of [`DnsFindingCode::statuses`].
    #[must_use]
    pub fn with_status(mut self, status: DnsStatus) -> Self {
        self.status = status;
        self
    }

    /// Adds the record that puts it right.
    #[must_use]
    pub fn with_record(mut self, name: impl Into<String>, record_type: &str, value: impl Into<String>) -> Self {
        self.publish = Some(RecordToPublish {
            name: name.into(),
            record_type: record_type.to_owned(),
            value: value.into(),
            ttl: 3600,
        });
        self
    }
}

/// A record for the person to enter at the DNS provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordToPublish {
    /// Absolute owner name without the trailing dot.
    pub name: String,
    /// `TXT`, `MX` or `CNAME`.
    pub record_type: String,
    /// Value as to be entered.
    pub value: String,
    /// Suggested time to live in seconds.
    pub ttl: u32,
}

/// One mail exchanger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MxRecord {
    /// Host name without the trailing dot; `.` for a null MX (RFC 7505).
    pub exchange: String,
    /// Lower is preferred.
    pub priority: u16,
}

/// MX verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MxCheck {
    /// Verdict.
    pub status: DnsStatus,
    /// Records found, most preferred first.
    pub records: Vec<MxRecord>,
}

/// SPF verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfCheck {
    /// Verdict.
    pub status: DnsStatus,
    /// The record found.
    pub record: Option<String>,
    /// Terms that cost a look-up, whole tree, worst case (RFC 7208 section 4.6.4).
    pub lookups: u32,
    /// Look-ups that found nothing.
    pub void: u32,
}

/// DKIM verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimCheck {
    /// Verdict.
    pub status: DnsStatus,
    /// Selector of the best key found.
    pub selector: Option<String>,
    /// The key record found.
    pub record: Option<String>,
}

/// DMARC verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcCheck {
    /// Verdict.
    pub status: DnsStatus,
    /// Policy in force for this very domain: `none`, `quarantine` or `reject`.
    pub policy: Option<String>,
    /// Domain below whose `_dmarc` the record was found.
    pub location: Option<String>,
    /// The record found.
    pub record: Option<String>,
}

/// All four verdicts on one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsReport {
    /// Domain in A-label form.
    pub domain: String,
    /// MX.
    pub mx: MxCheck,
    /// SPF.
    pub spf: SpfCheck,
    /// DKIM.
    pub dkim: DkimCheck,
    /// DMARC.
    pub dmarc: DmarcCheck,
    /// Everything worth telling, in the order of the parts.
    pub findings: Vec<DnsFinding>,
    /// Wall time in milliseconds.
    pub millis: u64,
}

impl DnsReport {
    /// Whether a record is there and does its work, if perhaps weakly: the yes or no of callers that
    /// know no warnings. DKIM counts only with a key that was found.
    pub fn is_sound(&self, part: DnsPart) -> bool {
        let works = |status| matches!(status, DnsStatus::Pass | DnsStatus::Warn);
        match part {
            DnsPart::Mx => works(self.mx.status),
            DnsPart::Spf => works(self.spf.status),
            DnsPart::Dkim => works(self.dkim.status) && self.dkim.record.is_some(),
            DnsPart::Dmarc => works(self.dmarc.status),
            DnsPart::Domain => self.sound_parts() > 0,
        }
    }

    /// How many of the four records are sound, 0-4.
    pub fn sound_parts(&self) -> i32 {
        let parts = [DnsPart::Mx, DnsPart::Spf, DnsPart::Dkim, DnsPart::Dmarc];
        parts.iter().map(|part| i32::from(self.is_sound(*part))).sum()
    }

    /// Whether it tells something else than the report before, be it only that there is one. The order of
    /// records and findings, and what it cost to find them, are no news.
    pub fn is_news_after(&self, earlier: Option<&Self>) -> bool {
        fn same<T: PartialEq>(some: &[T], others: &[T]) -> bool {
            some.len() == others.len() && some.iter().all(|one| others.contains(one))
        }
        let Some(earlier) = earlier else {
            let statuses = [self.mx.status, self.spf.status, self.dkim.status, self.dmarc.status];
            return statuses.iter().any(|status| *status != DnsStatus::Error);
        };
        let same = self.mx.status == earlier.mx.status
            && same(&self.mx.records, &earlier.mx.records)
            && (self.spf.status, &self.spf.record) == (earlier.spf.status, &earlier.spf.record)
            && (&self.dkim, &self.dmarc) == (&earlier.dkim, &earlier.dmarc)
            && same(&self.findings, &earlier.findings);
        !same
    }

    /// This report, except that a part which could not be told keeps what an earlier check of the
    /// same mailbox found: silence is no news.
    pub fn or_keep(mut self, earlier: &Self) -> Self {
        let mut kept = Vec::new();
        let mut keep = |part: DnsPart, now: DnsStatus| {
            let keep = now == DnsStatus::Error;
            if keep {
                kept.push(part);
            }
            keep
        };
        if keep(DnsPart::Mx, self.mx.status) {
            self.mx = earlier.mx.clone();
        }
        if keep(DnsPart::Spf, self.spf.status) {
            self.spf = earlier.spf.clone();
        }
        if keep(DnsPart::Dkim, self.dkim.status) {
            self.dkim = earlier.dkim.clone();
        }
        if keep(DnsPart::Dmarc, self.dmarc.status) {
            self.dmarc = earlier.dmarc.clone();
        }
        self.findings.retain(|finding| !kept.contains(&finding.part));
        self.findings.extend(earlier.findings.iter().filter(|finding| kept.contains(&finding.part)).cloned());
        self.findings.sort_by_key(|finding| finding.part);
        self
    }
}
