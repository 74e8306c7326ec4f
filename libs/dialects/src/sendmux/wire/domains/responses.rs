//! Response bodies about domains.

use serde::Serialize;
use service_runtime::settings::MailPlatformSettings;
use shared_models::domain::sending_domains::{DomainChecks, DomainStatus, SendingDomain};
use shared_models::domain::sending_domains::{DomainRecords, ExchangerRecord, TextRecord};
use shared_models::domain::{CoreError, Timestamp};
use utoipa::ToSchema;

use crate::sendmux::ids;

/// A domain.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxDomain)]
pub(in crate::sendmux) struct Domain {
    id: String,
    /// Lower case, as A-labels.
    domain: String,
    #[schema(pattern = "^(send_only|send_receive)$")]
    mode: &'static str,
    /// `pending` until all records were seen, `verified`, or `failed` when they were and are no more.
    #[schema(pattern = "^(pending|verified|failed)$")]
    verification_status: &'static str,
    /// Since when it is verified.
    #[schema(required, format = DateTime)]
    verified_at: Option<String>,
    /// Mailboxes under it, suspended ones included.
    #[schema(minimum = 0)]
    mailbox_count: i64,
    dns_records: Records,
    #[serde(flatten)]
    standing: Standing,
    /// When the records were last looked at. (No Amazon SES is involved; the name is that of the interface.)
    #[schema(required, format = DateTime)]
    ses_identity_checked_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl Domain {
    /// As it is served by this platform.
    pub(in crate::sendmux) fn new(domain: &SendingDomain, platform: &MailPlatformSettings) -> Self {
        Self {
            id: ids::domain::encode(domain.id),
            domain: domain.name.as_str().to_owned(),
            mode: domain.mode.as_str(),
            verification_status: domain.status.as_str(),
            verified_at: domain.verified_at.map(Timestamp::to_rfc3339),
            mailbox_count: domain.mailbox_count,
            dns_records: DomainRecords::new(domain, &platform.hostname).into(),
            standing: Standing::of(domain, platform),
            ses_identity_checked_at: domain.checked_at.map(Timestamp::to_rfc3339),
            created_at: domain.created_at.to_rfc3339(),
        }
    }
}

/// State of sending for a domain. No Amazon SES is involved, although the members bear its name: they describe our
/// own signatures and return path in its words.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxDomainStanding)]
struct Standing {
    /// Look-up of the key for our signatures (DKIM) in DNS: `pending`, `success` or `failed`.
    #[schema(pattern = "^(pending|success|failed)$")]
    ses_dkim_status: &'static str,
    /// True if mail is signed by that key and the key was found, so that signatures can be checked.
    ses_dkim_signing_enabled: bool,
    /// Look-up of both records of the return path: `pending`, `success` or `failed`.
    #[schema(pattern = "^(pending|success|failed)$")]
    ses_mail_from_status: &'static str,
    /// The verification of the domain: `pending`, `success` or `failed`.
    #[schema(pattern = "^(pending|success|failed)$")]
    ses_identity_verification_status: &'static str,
    /// True if the domain is verified.
    ses_verified_for_sending: bool,
}

impl Standing {
    fn of(domain: &SendingDomain, platform: &MailPlatformSettings) -> Self {
        let has = |part: fn(&DomainChecks) -> bool| domain.checks.as_ref().is_some_and(part);
        let word = |there: bool| match (there, domain.status) {
            (true, _) => "success",
            (false, DomainStatus::Failed) => "failed",
            (false, DomainStatus::Pending | DomainStatus::Verified) => "pending",
        };
        let has_key = has(|checks| checks.dkim);
        let is_verified = domain.status == DomainStatus::Verified;
        Self {
            ses_dkim_status: word(has_key),
            ses_dkim_signing_enabled: has_key && platform.milter_listen.is_some(),
            ses_mail_from_status: word(has(DomainChecks::return_path)),
            ses_identity_verification_status: word(is_verified),
            ses_verified_for_sending: is_verified,
        }
    }
}

/// DNS records to publish.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxDnsRecords)]
struct Records {
    /// A text that shows whose domain it is.
    verification: Text,
    /// May be combined with what is there: one SPF record names everybody who sends.
    spf: Text,
    /// A stricter policy does as well.
    dmarc: Text,
    dkim: Vec<Text>,
    /// None for a domain that only sends.
    mx: Vec<Exchanger>,
    mail_from: MailFrom,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxTextRecord)]
struct Text {
    name: String,
    value: String,
}

/// A mail exchanger of the domain itself.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMxRecord)]
struct Exchanger {
    priority: u16,
    target: String,
}

/// The return path, to which bounces go.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMailFrom)]
struct MailFrom {
    mx: NamedExchanger,
    spf: Text,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxNamedMxRecord)]
struct NamedExchanger {
    name: String,
    priority: u16,
    target: String,
}

impl From<DomainRecords> for Records {
    fn from(records: DomainRecords) -> Self {
        let text = |TextRecord { name, value }| Text { name, value };
        let named = |ExchangerRecord { name, priority, target }| NamedExchanger { name, priority, target };
        let exchanger = |ExchangerRecord { priority, target, .. }| Exchanger { priority, target };
        Self {
            verification: text(records.verification),
            spf: text(records.spf),
            dmarc: text(records.dmarc),
            dkim: vec![text(records.dkim)],
            mx: records.mx.into_iter().map(exchanger).collect(),
            mail_from: MailFrom { mx: named(records.mail_from_mx), spf: text(records.mail_from_spf) },
        }
    }
}

/// Result of a verification.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxDomainVerification)]
pub(in crate::sendmux) struct Verification {
    #[schema(pattern = "^(verified|pending|failed)$")]
    status: &'static str,
    checks: Checks,
    #[serde(flatten)]
    standing: Standing,
    /// When the records were looked at.
    #[schema(format = DateTime)]
    ses_identity_checked_at: String,
}

/// Which records were found.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxDomainChecks)]
struct Checks {
    verification_txt: bool,
    spf: bool,
    dmarc: bool,
    /// True for a domain that only sends.
    mx: bool,
    mail_from_mx: bool,
    mail_from_spf: bool,
}

impl Verification {
    /// Of a domain that was just looked at, and is served by this platform.
    ///
    /// # Errors
    /// `Internal` when it was not.
    pub(in crate::sendmux) fn new(domain: &SendingDomain, platform: &MailPlatformSettings) -> Result<Self, CoreError> {
        let unchecked = || CoreError::Internal("a domain was verified without a result".to_owned());
        let DomainChecks { verification_txt, spf, dmarc, mx, mail_from_mx, mail_from_spf, dkim: _ } =
            domain.checks.ok_or_else(unchecked)?;
        Ok(Self {
            status: domain.status.as_str(),
            checks: Checks { verification_txt, spf, dmarc, mx, mail_from_mx, mail_from_spf },
            standing: Standing::of(domain, platform),
            ses_identity_checked_at: domain.checked_at.ok_or_else(unchecked)?.to_rfc3339(),
        })
    }
}
