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

/// The four records, in the order of reports.
const RECORDS: [DnsPart; 4] = [DnsPart::Mx, DnsPart::Spf, DnsPart::Dkim, DnsPart::Dmarc];

impl DnsReport {
    /// Points of the health score for each record that does its work; four of them make 100.
    pub const POINTS_PER_RECORD: i32 = 25;

    /// The verdict on one record; on the domain itself, that on its MX records.
    pub fn status(&self, part: DnsPart) -> DnsStatus {
        match part {
            DnsPart::Mx | DnsPart::Domain => self.mx.status,
            DnsPart::Spf => self.spf.status,
            DnsPart::Dkim => self.dkim.status,
            DnsPart::Dmarc => self.dmarc.status,
        }
    }

    /// True if a record is there and does its work, even if weakly: the yes or no of callers that know no warnings.
    /// DKIM counts only with a key that was found.
    pub fn is_working(&self, part: DnsPart) -> bool {
        let works = matches!(self.status(part), DnsStatus::Pass | DnsStatus::Warn);
        match part {
            DnsPart::Mx | DnsPart::Spf | DnsPart::Dmarc => works,
            DnsPart::Dkim => works && self.dkim.record.is_some(),
            DnsPart::Domain => self.working_records() > 0,
        }
    }

    /// Number of records that do their work, 0-4.
    pub fn working_records(&self) -> i32 {
        RECORDS.iter().map(|part| i32::from(self.is_working(*part))).sum()
    }

    /// The health of the domain's set-up, 0-100, the same on every surface.
    ///
    /// A record that could not be looked up earns nothing, so an outage lowers the score. The part's
    /// [`DnsStatus::Error`] distinguishes this from a defect.
    pub fn health_score(&self) -> i32 {
        self.working_records() * Self::POINTS_PER_RECORD
    }

    /// True if at least one of the four records could not be looked up.
    pub fn is_incomplete(&self) -> bool {
        RECORDS.iter().any(|part| self.status(*part) == DnsStatus::Error)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report([mx, spf, dkim, dmarc]: [DnsStatus; 4]) -> DnsReport {
        DnsReport {
            domain: "example.com".to_owned(),
            mx: MxCheck { status: mx, records: vec![] },
            spf: SpfCheck { status: spf, record: None, lookups: 0, void: 0 },
            dkim: DkimCheck { status: dkim, selector: None, record: Some("v=DKIM1".to_owned()) },
            dmarc: DmarcCheck { status: dmarc, policy: None, location: None, record: None },
            findings: vec![],
            millis: 0,
        }
    }

    #[test]
    fn a_record_that_does_its_work_gives_a_quarter_of_the_score() {
        use DnsStatus::{Error, Fail, Pass, Warn};
        for (statuses, score, incomplete) in [
            ([Pass, Pass, Pass, Pass], 100, false),
            ([Warn, Warn, Warn, Warn], 100, false),
            ([Pass, Fail, Fail, Fail], 25, false),
            ([Fail, Fail, Warn, Pass], 50, false),
            ([Fail, Fail, Fail, Fail], 0, false),
            ([Error, Pass, Fail, Pass], 50, true),
            ([Error, Error, Error, Error], 0, true),
        ] {
            let report = report(statuses);
            assert_eq!((report.health_score(), report.is_incomplete()), (score, incomplete), "{statuses:?}");
        }
    }

    #[test]
    fn dkim_without_a_key_does_no_work() {
        let mut report = report([DnsStatus::Pass; 4]);
        report.dkim = DkimCheck { status: DnsStatus::Warn, selector: None, record: None };
        assert_eq!(report.health_score(), 75);
    }
}
