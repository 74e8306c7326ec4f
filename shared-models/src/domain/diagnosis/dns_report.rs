//! The result of the DNS check of a mail domain. Its words are stable, because reports are stored and shown by the API.
//! The four parts are independent of each other.

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
    /// Could not be looked up: timeout, SERVFAIL, REFUSED, network. Never becomes `Fail`.
    Error,
}

impl DnsStatus {
    /// The verdict of several findings together. A proven defect wins over a failed look-up, and that over a weakness.
    /// Without a finding it is a pass.
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

/// The record that a finding is about, or `Domain` for the domain itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the names of the records")]
pub enum DnsPart {
    Mx,
    Spf,
    Dkim,
    Dmarc,
    Domain,
}

/// A defect, a risk or a hint, with the way to put it right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsFinding {
    /// The word of a [`DnsFindingCode`]. A text, because a stored report may be by a newer version, which has more of
    /// them.
    pub code: String,
    /// Always [`DnsFindingCode::part`] of the code.
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

    /// Replaces the status by another one of [`DnsFindingCode::statuses`].
    #[must_use]
    pub fn with_status(mut self, status: DnsStatus) -> Self {
        self.status = status;
        self
    }

    /// Adds the record that puts it right, with a time to live of one hour.
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

/// A record for the customer to enter at the DNS provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordToPublish {
    /// Absolute owner name without the trailing dot.
    pub name: String,
    /// `TXT`, `MX` or `CNAME`.
    pub record_type: String,
    /// Value in the form of a zone file, without quotation marks around texts.
    pub value: String,
    /// Suggested time to live, in seconds.
    pub ttl: u32,
}

/// One MX record (RFC 5321 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MxRecord {
    /// Host name without the trailing dot; `.` for a null MX (RFC 7505).
    pub exchange: String,
    /// A lower number is preferred.
    pub priority: u16,
}

/// Verdict on the MX records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the status needs no words")]
pub struct MxCheck {
    pub status: DnsStatus,
    /// All records found, most preferred first.
    pub records: Vec<MxRecord>,
}

/// Verdict on the SPF record (RFC 7208), with its text if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "status and record need no words")]
pub struct SpfCheck {
    pub status: DnsStatus,
    pub record: Option<String>,
    /// Terms in the whole tree of includes that cost a look-up in the worst case (section 4.6.4).
    pub lookups: u32,
    /// Number of look-ups that found nothing.
    pub void: u32,
}

/// Verdict on the best DKIM key found (RFC 6376), with the text of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the key")]
pub struct DkimCheck {
    pub status: DnsStatus,
    pub selector: Option<String>,
    pub record: Option<String>,
}

/// Verdict on the DMARC record that applies (RFC 9989), with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "status and record need no words")]
pub struct DmarcCheck {
    pub status: DnsStatus,
    /// Policy in force for the domain that was checked: `none`, `quarantine` or `reject`.
    pub policy: Option<String>,
    /// Domain below whose `_dmarc` the record was found: the one that was checked or one above it.
    pub location: Option<String>,
    pub record: Option<String>,
}

/// The verdicts on the four records of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "one verdict for each record")]
pub struct DnsReport {
    /// Domain in A-labels; the text as entered if it is no domain name.
    pub domain: String,
    pub mx: MxCheck,
    pub spf: SpfCheck,
    pub dkim: DkimCheck,
    pub dmarc: DmarcCheck,
    /// All findings, those about one part beside each other.
    pub findings: Vec<DnsFinding>,
    /// Wall time of the check in milliseconds.
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

    /// True if this report differs from the previous one in anything that a customer can act on. Also true for the first
    /// report, unless no look-up was answered. Order and look-up cost are ignored.
    pub fn is_news_after(&self, earlier: Option<&Self>) -> bool {
        fn same<T: PartialEq>(some: &[T], others: &[T]) -> bool {
            some.len() == others.len() && some.iter().all(|one| others.contains(one))
        }
        let Some(earlier) = earlier else {
            return RECORDS.iter().any(|part| self.status(*part) != DnsStatus::Error);
        };
        let same = self.mx.status == earlier.mx.status
            && same(&self.mx.records, &earlier.mx.records)
            && (self.spf.status, &self.spf.record) == (earlier.spf.status, &earlier.spf.record)
            && (&self.dkim, &self.dmarc) == (&earlier.dkim, &earlier.dmarc)
            && same(&self.findings, &earlier.findings);
        !same
    }

    /// This report, except that a part which could not be looked up keeps the verdict and findings of an earlier check of
    /// the same mailbox.
    pub fn or_keep(mut self, earlier: &Self) -> Self {
        let kept: Vec<DnsPart> = RECORDS.into_iter().filter(|part| self.status(*part) == DnsStatus::Error).collect();
        for part in &kept {
            match part {
                DnsPart::Mx => self.mx = earlier.mx.clone(),
                DnsPart::Spf => self.spf = earlier.spf.clone(),
                DnsPart::Dkim => self.dkim = earlier.dkim.clone(),
                DnsPart::Dmarc => self.dmarc = earlier.dmarc.clone(),
                DnsPart::Domain => {}
            }
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
