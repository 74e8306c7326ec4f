//! The whole check of one domain: the four parts at the same time, within fixed limits.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use shared_models::domain::core::MailDomain;
use shared_models::domain::diagnosis::{
    DkimCheck, DmarcCheck, DnsFinding, DnsFindingCode, DnsReport, DnsStatus, MxCheck, SpfCheck,
};

use crate::dkim::{self, DkimVerdict};
use crate::dmarc::{self, DmarcVerdict};
use crate::mx::{self, MxVerdict};
use crate::resolver::{BoundedResolver, CheckLimits, LookupError, RecordKind, Resolver};
use crate::spf::{self, SpfVerdict};

/// What is known about the mailbox whose domain is checked; everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainHints {
    /// Host that mail is sent through.
    pub smtp_host: Option<String>,
    /// Host that mail is read from.
    pub imap_host: Option<String>,
    /// DKIM selectors in use; empty: unknown.
    pub selectors: Vec<String>,
}

/// Checks domains. Cheap to clone.
#[derive(Clone)]
pub struct DnsChecker {
    resolver: Arc<dyn Resolver>,
    limits: CheckLimits,
}

impl DnsChecker {
    /// A checker that asks `resolver`, with [`CheckLimits::default`].
    pub fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, limits: CheckLimits::default() }
    }

    /// Other limits for one check.
    #[must_use]
    pub fn with_limits(mut self, limits: CheckLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks MX, SPF, DKIM and DMARC of a domain as typed. Always ends, within the deadline: what
    /// could not be looked up is [`DnsStatus::Error`] in its part and leaves the others alone.
    pub async fn check(&self, domain: &str, hints: &DomainHints) -> DnsReport {
        let start = Instant::now();
        let mut report = match MailDomain::parse(domain) {
            Ok(domain) => self.check_valid(&domain, hints).await,
            Err(_) => all_failed(domain, invalid(domain)),
        };
        report.millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        report
    }

    async fn check_valid(&self, domain: &MailDomain, hints: &DomainHints) -> DnsReport {
        let bounded = BoundedResolver::new(self.resolver.as_ref(), self.limits);
        let resolver: &dyn Resolver = &bounded;
        let name = domain.as_str();
        let (exists, mx, spf, dkim, dmarc) = tokio::join!(
            exists(name, resolver),
            mx::check(name, hints, resolver),
            spf::check(name, hints, resolver),
            dkim::check(name, hints, resolver),
            dmarc::check(name, resolver),
        );
        if !exists {
            return all_failed(name, not_found(name));
        }
        assemble(name, hints, mx, spf, dkim, dmarc)
    }
}

/// Whether the domain exists, as far as its MX and TXT look-ups tell. Some name servers say NXDOMAIN
/// for a type they do not know; one other answer proves that the name is there.
async fn exists(domain: &str, resolver: &dyn Resolver) -> bool {
    let (mx, txt) = tokio::join!(resolver.query(domain, RecordKind::Mx), resolver.query(domain, RecordKind::Txt));
    let lookups = [mx, txt];
    let proven = lookups.iter().any(|lookup| matches!(lookup, Ok(_) | Err(LookupError::NoRecords)));
    let denied = lookups.iter().any(|lookup| matches!(lookup, Err(LookupError::NoSuchName)));
    proven || !denied
}

fn assemble(
    domain: &str,
    hints: &DomainHints,
    mx: MxVerdict,
    mut spf: SpfVerdict,
    dkim: DkimVerdict,
    dmarc: DmarcVerdict,
) -> DnsReport {
    let mut about_domain = Vec::new();
    if spf.forbids_all {
        if mx.is_null {
            about_domain.push(parked(domain));
        }
        if mx.works && hints.smtp_host.is_none() {
            spf.findings.push(spf::no_senders_although_receiving(domain));
            spf.check.status = DnsStatus::worst(&spf.findings);
        }
    }
    let mut findings: Vec<DnsFinding> = Vec::new();
    let all = [about_domain, mx.findings, spf.findings, dkim.findings, dmarc.findings];
    for finding in all.into_iter().flatten() {
        // A name that is included twice is wrong twice; once is enough to tell.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    DnsReport {
        domain: domain.to_owned(),
        mx: mx.check,
        spf: spf.check,
        dkim: dkim.check,
        dmarc: dmarc.check,
        findings,
        millis: 0,
    }
}

fn parked(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::ParkedDomain,
        format!(
            "{domain} is set up to neither receive nor send mail. If it is to be used for mail, begin with the MX and SPF records of your mail provider."
        ),
    )
}

fn invalid(domain: &str) -> DnsFinding {
    let shown: String = domain.chars().take(100).collect();
    DnsFinding::new(
        DnsFindingCode::DomainInvalid,
        format!(
            "\"{shown}\" is not a domain name. Enter only what comes after the @ of an address, such as example.com."
        ),
    )
}

fn not_found(domain: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DomainNotFound,
        format!("The domain {domain} does not exist. Check its spelling, and whether its registration has expired."),
    )
}

fn all_failed(domain: &str, finding: DnsFinding) -> DnsReport {
    let status = DnsStatus::Fail;
    DnsReport {
        domain: domain.chars().take(255).collect(),
        mx: MxCheck { status, records: Vec::new() },
        spf: SpfCheck { status, record: None, lookups: 0, void: 0 },
        dkim: DkimCheck { status, selector: None, record: None },
        dmarc: DmarcCheck { status, policy: None, location: None, record: None },
        findings: vec![finding],
        millis: 0,
    }
}
