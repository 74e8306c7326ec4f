//! Sending domains: a tenant sends mail for them and may receive it. DNS records prove control, and are checked again
//! every few hours.

use serde::{Deserialize, Serialize};

use crate::domain::{DomainId, MailDomain, Timestamp, WorkspaceId};

/// Domains that one workspace may have. Each costs an RSA key, and a look at its records every six hours.
pub const MAX_DOMAINS: i64 = 1_000;

/// A verified domain fails after this many failed scheduled checks in a row.
const FAILURES_THAT_COUNT: i32 = 2;

/// A failed domain may fail this many scheduled checks in a row before its mailboxes neither receive nor send: a week,
/// at four checks a day. The mail servers read the rule from the views `mail_domains` and `mail_senders`. Their SQL
/// repeats the number, and a test of the store compares both.
pub const FAILURES_UNTIL_UNSERVED: i32 = 28;

/// The directions of mail that a domain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainMode {
    /// Mail from it. Mail to it is served elsewhere.
    SendOnly,
    /// Mail from it and to it.
    SendReceive,
}

impl DomainMode {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 2] = [Self::SendOnly, Self::SendReceive];

    /// The word in rows of the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendOnly => "send_only",
            Self::SendReceive => "send_receive",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// The status of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainStatus {
    /// Not every record has been seen yet.
    Pending,
    /// Every record was seen. At most one tenant has a name as verified.
    Verified,
    /// Was verified, and its records are no longer complete. Only a complete check verifies it again.
    Failed,
}

impl DomainStatus {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Verified, Self::Failed];

    /// The word in rows of the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Failed => "failed",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// The records that a check found. Every query of it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainChecks {
    /// The text record that proves control of the domain.
    pub verification_txt: bool,
    /// The domain's SPF record lets us send.
    pub spf: bool,
    /// A DMARC policy of quarantine or stricter is in force.
    pub dmarc: bool,
    /// Mail to the domain comes to us; also true for a domain that only sends.
    pub mx: bool,
    /// Bounces of its mail come to us.
    pub mail_from_mx: bool,
    /// The SPF record of the return path lets us send.
    pub mail_from_spf: bool,
    /// The public key is published. Verification does not need it: mail is signed anyway, and a missing key is no fault
    /// of the other records.
    pub dkim: bool,
}

impl DomainChecks {
    /// True if everything is there that a verified domain needs.
    pub fn are_complete(&self) -> bool {
        self.verification_txt && self.spf && self.dmarc && self.mx && self.return_path()
    }

    /// True if bounces come to us and the return path passes SPF.
    pub fn return_path(&self) -> bool {
        self.mail_from_mx && self.mail_from_spf
    }
}

/// The origin of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckReason {
    /// Somebody asked, and may be waiting.
    Asked,
    /// Housekeeping asked, on its schedule.
    Scheduled,
}

/// The public half of the key that signs the domain's mail (RFC 6376), and where it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimPublicKey {
    /// The label before `_domainkey` in DNS.
    pub selector: String,
    /// An RSA key as a `SubjectPublicKeyInfo` (RFC 5280 section 4.1) in base64.
    pub base64: String,
}

/// A tenant's domain and the state of its verification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct SendingDomain {
    pub id: DomainId,
    pub workspace_id: WorkspaceId,
    /// Unique in its workspace.
    pub name: MailDomain,
    pub mode: DomainMode,
    pub status: DomainStatus,
    /// The value that the tenant publishes to prove control of the domain.
    pub ownership_token: String,
    /// The public half of its signing key.
    pub dkim: DkimPublicKey,
    /// The result of the last check in which every query was answered.
    pub checks: Option<DomainChecks>,
    pub checked_at: Option<Timestamp>,
    /// The time of the verification; `None` while it is not verified.
    pub verified_at: Option<Timestamp>,
    /// Failed scheduled checks in a row: counted while it is verified, and from the day it failed anew.
    pub failures: i32,
    /// The number of active hosted mailboxes under it.
    pub mailbox_count: i64,
    pub created_at: Timestamp,
}

impl SendingDomain {
    /// The domain after a check. `taken` is true if another tenant has the name as verified.
    ///
    /// A failure of a verified domain counts at once if somebody asked. A scheduled one counts only together with the
    /// next, so that a fault that is mended within hours stops nobody's mail.
    #[must_use]
    pub fn after(mut self, checks: DomainChecks, reason: CheckReason, taken: bool, now: Timestamp) -> Self {
        (self.checks, self.checked_at) = (Some(checks), Some(now));
        if checks.are_complete() && !taken {
            self.failures = 0;
            if self.status != DomainStatus::Verified {
                (self.status, self.verified_at) = (DomainStatus::Verified, Some(now));
            }
        } else if self.status == DomainStatus::Verified {
            self.failures += 1;
            if reason == CheckReason::Asked || self.failures >= FAILURES_THAT_COUNT {
                (self.status, self.verified_at, self.failures) = (DomainStatus::Failed, None, 0);
            }
        } else if self.status == DomainStatus::Failed && reason == CheckReason::Scheduled {
            self.failures = self.failures.saturating_add(1);
        }
        self
    }

    /// True while the mail servers serve the domain's mailboxes: a domain that its tenant has lost is served for a
    /// week.
    pub fn is_served(&self) -> bool {
        self.status != DomainStatus::Failed || self.failures < FAILURES_UNTIL_UNSERVED
    }

    /// The domain with mail to it, too. For that it has to be verified anew.
    #[must_use]
    pub fn receiving(self) -> Self {
        match self.mode {
            DomainMode::SendReceive => self,
            DomainMode::SendOnly => Self {
                mode: DomainMode::SendReceive,
                status: DomainStatus::Pending,
                checks: None,
                checked_at: None,
                verified_at: None,
                failures: 0,
                ..self
            },
        }
    }

    /// True if the last check found every record although the domain is not verified: another tenant has the name.
    pub fn is_taken(&self) -> bool {
        self.status != DomainStatus::Verified && self.checks.is_some_and(|checks| checks.are_complete())
    }
}

/// A domain to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewDomain {
    pub name: MailDomain,
    pub mode: DomainMode,
}

/// A check to be made: the domain as it was when the check began, and the request that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct DomainCheckJob {
    pub domain: SendingDomain,
    /// The last request before the check began.
    pub request: CheckRequest,
    pub reason: CheckReason,
}

/// A request to check a domain. Later requests are greater, and a check answers every request before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckRequest(pub Timestamp);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: DomainChecks = DomainChecks {
        verification_txt: true,
        spf: true,
        dmarc: true,
        mx: true,
        mail_from_mx: true,
        mail_from_spf: true,
        dkim: false,
    };
    const BAD: DomainChecks = DomainChecks { dmarc: false, ..GOOD };

    fn domain() -> SendingDomain {
        SendingDomain {
            id: DomainId::new(),
            workspace_id: WorkspaceId::new(),
            name: MailDomain::parse("acme.example").unwrap(),
            mode: DomainMode::SendReceive,
            status: DomainStatus::Pending,
            ownership_token: "t".to_owned(),
            dkim: DkimPublicKey { selector: "s".to_owned(), base64: "p".to_owned() },
            checks: None,
            checked_at: None,
            verified_at: None,
            failures: 0,
            mailbox_count: 0,
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_domain_goes_the_way_of_its_checks() {
        use CheckReason::{Asked, Scheduled};
        use DomainStatus::{Failed, Pending, Verified};
        let mut domain = domain();
        for (step, (checks, reason, status, since)) in [
            (BAD, Asked, Pending, None),
            (BAD, Scheduled, Pending, None),
            (BAD, Scheduled, Pending, None),
            (GOOD, Scheduled, Verified, Some(3)),
            (BAD, Scheduled, Verified, Some(3)),
            (GOOD, Asked, Verified, Some(3)),
            (BAD, Scheduled, Verified, Some(3)),
            (BAD, Scheduled, Failed, None),
            (BAD, Asked, Failed, None),
            (GOOD, Asked, Verified, Some(9)),
            (BAD, Asked, Failed, None),
            (GOOD, Scheduled, Verified, Some(11)),
            (BAD, Scheduled, Verified, Some(11)),
        ]
        .into_iter()
        .enumerate()
        {
            let now = Timestamp::from_millis(step as i64);
            domain = domain.after(checks, reason, false, now);
            assert_eq!((domain.status, domain.verified_at), (status, since.map(Timestamp::from_millis)), "{step}");
            assert_eq!((domain.checks, domain.checked_at), (Some(checks), Some(now)));
            assert!(!domain.is_taken());
        }
    }

    #[test]
    fn failures_of_a_lost_domain_are_counted_on() {
        use CheckReason::{Asked, Scheduled};
        let now = Timestamp::from_millis(0);
        let mut domain = SendingDomain { status: DomainStatus::Failed, ..domain() };
        for (checks, reason, failures) in [(BAD, Scheduled, 1), (BAD, Asked, 1), (BAD, Scheduled, 2), (GOOD, Asked, 0)]
        {
            domain = domain.after(checks, reason, false, now);
            assert_eq!(domain.failures, failures);
        }
    }

    #[test]
    fn a_name_that_another_tenant_has_verified_is_not_verified_again() {
        for status in DomainStatus::ALL {
            let before = SendingDomain { status, ..domain() };
            let after = before.after(GOOD, CheckReason::Asked, true, Timestamp::from_millis(1));
            let expected = if status == DomainStatus::Pending { status } else { DomainStatus::Failed };
            assert_eq!((after.status, after.is_taken()), (expected, true));
        }
    }

    #[test]
    fn each_record_but_the_key_is_needed() {
        assert!(GOOD.are_complete());
        for missing in [
            DomainChecks { verification_txt: false, ..GOOD },
            DomainChecks { spf: false, ..GOOD },
            DomainChecks { dmarc: false, ..GOOD },
            DomainChecks { mx: false, ..GOOD },
            DomainChecks { mail_from_mx: false, ..GOOD },
            DomainChecks { mail_from_spf: false, ..GOOD },
        ] {
            assert!(!missing.are_complete());
        }
    }
}
