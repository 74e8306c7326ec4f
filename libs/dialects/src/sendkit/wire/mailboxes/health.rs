//! DNS verdicts in SendKit's words, which know no warnings: a record that does its work passes.

use serde::Serialize;
use shared_models::domain::Mailbox;
use shared_models::domain::diagnosis::{DnsFinding, DnsPart, DnsReport, DnsStatus, MxRecord};
use utoipa::ToSchema;

use super::words::{Warmup, status_word};

/// DNS in brief: 25 points for each passing record.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit::wire) struct SetupStatus {
    health_score: i32,
    mx: PartStatus,
    spf: PartStatus,
    dkim: PartStatus,
    dmarc: PartStatus,
}

/// The verdict on one record.
#[derive(Serialize, ToSchema)]
struct PartStatus {
    /// `pass`, `fail`, `pending` or `error` (could not be looked up).
    status: &'static str,
}

impl From<&DnsReport> for SetupStatus {
    fn from(report: &DnsReport) -> Self {
        let part = |part| PartStatus { status: dns_word(report, part) };
        Self {
            health_score: report.health_score(),
            mx: part(DnsPart::Mx),
            spf: part(DnsPart::Spf),
            dkim: part(DnsPart::Dkim),
            dmarc: part(DnsPart::Dmarc),
        }
    }
}

fn dns_word(report: &DnsReport, part: DnsPart) -> &'static str {
    let status = match part {
        DnsPart::Mx | DnsPart::Domain => report.mx.status,
        DnsPart::Spf => report.spf.status,
        DnsPart::Dkim => report.dkim.status,
        DnsPart::Dmarc => report.dmarc.status,
    };
    match status {
        DnsStatus::Error => "error",
        _ if report.is_working(part) => "pass",
        _ => "fail",
    }
}

/// Answer of `GET .../health`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct HealthBody {
    email: String,
    status: &'static str,
    sending_enabled: bool,
    dns: DnsHealth,
    warmup: Warmup,
    deliverability: Deliverability,
    daily_send_limit: i32,
    sent_today: u32,
    #[schema(required)]
    last_error: Option<String>,
}

/// The records found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct DnsHealth {
    mx: MxHealth,
    spf: RecordHealth,
    dkim: DkimHealth,
    dmarc: RecordHealth,
    /// 25 points for each passing record; null until the first check is done.
    #[schema(required)]
    health_score: Option<i32>,
    /// When the records were looked up; null until the first check is done.
    #[schema(required)]
    checked_at: Option<String>,
    /// Findings about the records, with what to publish.
    findings: Vec<FindingBody>,
}

/// Mail exchangers.
#[derive(Serialize, ToSchema)]
struct MxHealth {
    /// `pass`, `fail`, `pending` or `error`.
    status: &'static str,
    records: Vec<MxBody>,
}

/// One mail exchanger.
#[derive(Serialize, ToSchema)]
struct MxBody {
    exchange: String,
    priority: u16,
}

impl From<&MxRecord> for MxBody {
    fn from(record: &MxRecord) -> Self {
        Self { exchange: record.exchange.clone(), priority: record.priority }
    }
}

/// A text record.
#[derive(Serialize, ToSchema)]
struct RecordHealth {
    /// `pass`, `fail`, `pending` or `error`.
    status: &'static str,
    #[schema(required)]
    record: Option<String>,
}

/// A DKIM key.
#[derive(Serialize, ToSchema)]
struct DkimHealth {
    /// `pass`, `fail`, `pending` or `error`.
    status: &'static str,
    #[schema(required)]
    selector: Option<String>,
    #[schema(required)]
    record: Option<String>,
}

/// Sending is not done here, so these are zero.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Deliverability {
    bounce_rate: f64,
    total_sent: u32,
    total_received: u32,
    consecutive_failures: u32,
}

/// One thing to put right.
#[derive(Serialize, ToSchema)]
struct FindingBody {
    /// Stable code.
    code: String,
    /// `mx`, `spf`, `dkim`, `dmarc` or `domain`.
    #[schema(value_type = String)]
    part: DnsPart,
    /// Next step for the customer, in plain words.
    remedy: String,
    /// The record to enter at the DNS provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    publish: Option<PublishBody>,
}

/// A record to enter at the DNS provider.
#[derive(Serialize, ToSchema)]
struct PublishBody {
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    value: String,
    ttl: u32,
}

impl From<&DnsFinding> for FindingBody {
    fn from(finding: &DnsFinding) -> Self {
        let publish = finding.publish.as_ref().map(|record| PublishBody {
            name: record.name.clone(),
            record_type: record.record_type.clone(),
            value: record.value.clone(),
            ttl: record.ttl,
        });
        Self { code: finding.code.clone(), part: finding.part, remedy: finding.remedy.clone(), publish }
    }
}

impl From<&Mailbox> for DnsHealth {
    fn from(mailbox: &Mailbox) -> Self {
        let dns = mailbox.dns.as_ref();
        dns.map_or_else(Self::pending, |dns| Self::found(&dns.report, dns.checked_at.to_rfc3339()))
    }
}

impl DnsHealth {
    fn pending() -> Self {
        let status = "pending";
        Self {
            mx: MxHealth { status, records: vec![] },
            spf: RecordHealth { status, record: None },
            dkim: DkimHealth { status, selector: None, record: None },
            dmarc: RecordHealth { status, record: None },
            health_score: None,
            checked_at: None,
            findings: vec![],
        }
    }

    fn found(report: &DnsReport, checked_at: String) -> Self {
        let word = |part| dns_word(report, part);
        Self {
            mx: MxHealth { status: word(DnsPart::Mx), records: report.mx.records.iter().map(MxBody::from).collect() },
            spf: RecordHealth { status: word(DnsPart::Spf), record: report.spf.record.clone() },
            dkim: DkimHealth {
                status: word(DnsPart::Dkim),
                selector: report.dkim.selector.clone(),
                record: report.dkim.record.clone(),
            },
            dmarc: RecordHealth { status: word(DnsPart::Dmarc), record: report.dmarc.record.clone() },
            health_score: Some(report.health_score()),
            checked_at: Some(checked_at),
            findings: report.findings.iter().map(FindingBody::from).collect(),
        }
    }
}

impl From<&Mailbox> for HealthBody {
    fn from(mailbox: &Mailbox) -> Self {
        Self {
            email: mailbox.email.as_str().to_owned(),
            status: status_word(mailbox.status),
            sending_enabled: mailbox.sending_enabled,
            dns: mailbox.into(),
            warmup: Warmup::off(true),
            deliverability: Deliverability {
                bounce_rate: 0.0,
                total_sent: 0,
                total_received: 0,
                consecutive_failures: 0,
            },
            daily_send_limit: mailbox.daily_send_limit,
            sent_today: 0,
            last_error: mailbox.last_error.clone(),
        }
    }
}
