//! The check of a whole domain: the four parts at the same time, within fixed limits, put together into one report.

mod remedies;

use std::sync::Arc;
use std::time::Instant;

use shared_models::domain::core::MailDomain;
use shared_models::domain::diagnosis::{DkimCheck, DmarcCheck, DnsFinding, DnsReport, DnsStatus, MxCheck, SpfCheck};

use crate::dkim::{self, DkimVerdict};
use crate::dmarc::{self, DmarcVerdict};
use crate::hints::DomainHints;
use crate::mx::{self, MxVerdict};
use crate::resolver::{BoundedResolver, CheckLimits, LookupError, RecordKind, Resolver};
use crate::spf::{self, SpfVerdict};

/// Characters of the domain that a report keeps where it is not valid: the length of the longest name (RFC 1035 section
/// 2.3.4).
const MAX_DOMAIN: usize = 255;

/// Checks the DNS set-up of mail domains. Cheap to clone.
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

    /// Replaces the limits of one check.
    #[must_use]
    pub fn with_limits(mut self, limits: CheckLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks MX, SPF, DKIM and DMARC of a domain as typed. Ends within [`CheckLimits::deadline`]. A part that could
    /// not be looked up is [`DnsStatus::Error`] and leaves the others alone.
    pub async fn check(&self, domain: &str, hints: &DomainHints) -> DnsReport {
        let start = Instant::now();
        let mut report = match MailDomain::parse(domain) {
            Ok(domain) => self.check_valid(&domain, hints).await,
            Err(_) => all_failed(domain, remedies::invalid(domain)),
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
            return all_failed(name, remedies::not_found(name));
        }
        assemble(name, hints, mx, spf, dkim, dmarc)
    }
}

/// False if the name servers deny that the domain exists. Some say NXDOMAIN for a type that they do not know, so one
/// other answer proves that the name is there.
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
            about_domain.push(remedies::parked(domain));
        }
        if mx.works && hints.smtp_host.is_none() {
            spf.findings.push(spf::no_senders_although_receiving(domain));
            spf.check.status = DnsStatus::worst(&spf.findings);
        }
    }
    let mut findings: Vec<DnsFinding> = Vec::new();
    let all = [about_domain, mx.findings, spf.findings, dkim.findings, dmarc.findings];
    for finding in all.into_iter().flatten() {
        // A domain that is included twice has each defect twice; the report names it once.
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

fn all_failed(domain: &str, finding: DnsFinding) -> DnsReport {
    let status = DnsStatus::Fail;
    DnsReport {
        domain: domain.chars().take(MAX_DOMAIN).collect(),
        mx: MxCheck { status, records: Vec::new() },
        spf: SpfCheck { status, record: None, lookups: 0, void: 0 },
        dkim: DkimCheck { status, selector: None, record: None },
        dmarc: DmarcCheck { status, policy: None, location: None, record: None },
        findings: vec![finding],
        millis: 0,
    }
}
