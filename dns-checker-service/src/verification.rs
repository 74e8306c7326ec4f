//! The records that a tenant has to publish for a sending domain: are they in DNS?

use std::sync::Arc;

use shared_models::domain::sending_domains::{DomainChecks, SendingDomain};
use shared_models::domain::sending_domains::{DomainRecords, ExchangerRecord, TextRecord, spf_term};

use crate::dkim;
use crate::dmarc::{self, Policy};
use crate::resolver::{BoundedResolver, CheckLimits, LookupError, Resolver};
use crate::spf;
use crate::tag_list::TagList;

/// A look-up was not answered, so the domain can be neither accepted nor refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unclear(String);

impl From<LookupError> for Unclear {
    fn from(error: LookupError) -> Self {
        Self(error.to_string())
    }
}

/// Verifies domains for a mail platform.
pub struct DomainVerifier {
    resolver: Arc<dyn Resolver>,
    platform: String,
}

impl DomainVerifier {
    /// A verifier that asks `resolver`, which should not be shared: each check empties its cache. `platform` is the host
    /// that sends and receives for the domains.
    pub fn new(resolver: Arc<dyn Resolver>, platform: &str) -> Self {
        Self { resolver, platform: platform.trim_end_matches('.').to_ascii_lowercase() }
    }

    /// Looks up all records of a domain, within [`CheckLimits::default`].
    ///
    /// # Errors
    /// If the state of one of them is not known.
    pub async fn check(&self, domain: &SendingDomain) -> Result<DomainChecks, Unclear> {
        // A tenant often asks right after a change, which a cached answer would hide.
        self.resolver.forget();
        let bounded = BoundedResolver::new(self.resolver.as_ref(), CheckLimits::default());
        let records = DomainRecords::new(domain, &self.platform);
        let (name, return_path) = (domain.name.as_str(), records.mail_from_spf.name.as_str());
        let (verification_txt, spf, dmarc, mx, mail_from_mx, mail_from_spf, dkim) = tokio::join!(
            has_text(&records.verification, &bounded),
            self.lets_us_send(name, &bounded),
            is_protected(name, &bounded),
            is_brought_here(records.mx.as_ref(), &bounded),
            is_brought_here(Some(&records.mail_from_mx), &bounded),
            self.lets_us_send(return_path, &bounded),
            has_key(&records.dkim, &domain.dkim.base64, &bounded),
        );
        Ok(DomainChecks {
            verification_txt: verification_txt?,
            spf: spf?,
            dmarc: dmarc?,
            mx: mx?,
            mail_from_mx: mail_from_mx?,
            mail_from_spf: mail_from_spf?,
            dkim: dkim?,
        })
    }

    async fn lets_us_send(&self, name: &str, resolver: &dyn Resolver) -> Result<bool, LookupError> {
        spf::authorises(name, &self.platform, &spf_term(&self.platform), resolver).await
    }
}

async fn has_text(record: &TextRecord, resolver: &dyn Resolver) -> Result<bool, LookupError> {
    let texts = found(resolver.texts(&record.name).await)?;
    Ok(texts.iter().any(|text| text.trim_ascii() == record.value.as_bytes()))
}

/// A usable key record (RFC 6376 section 3.6.1) with this very key.
async fn has_key(record: &TextRecord, base64: &str, resolver: &dyn Resolver) -> Result<bool, LookupError> {
    let is_ours = |text: &Vec<u8>| {
        let shown = String::from_utf8_lossy(text);
        let key = TagList::parse(&shown).get("p").map(|key| key.split_ascii_whitespace().collect::<String>());
        dkim::parse(text).is_ok() && key.as_deref() == Some(base64)
    };
    Ok(found(resolver.texts(&record.name).await)?.iter().any(is_ours))
}

/// True if the target is among the most preferred exchangers: the others get mail only if it fails. Also true if no record
/// is wanted.
async fn is_brought_here(record: Option<&ExchangerRecord>, resolver: &dyn Resolver) -> Result<bool, LookupError> {
    let Some(record) = record else { return Ok(true) };
    let exchangers = found(resolver.mail_exchangers(&record.name).await)?;
    let best = exchangers.iter().map(|exchanger| exchanger.priority).min();
    Ok(exchangers.iter().any(|found| Some(found.priority) == best && found.exchange == record.target))
}

async fn is_protected(name: &str, resolver: &dyn Resolver) -> Result<bool, LookupError> {
    let policy = dmarc::policy_in_force(name, resolver).await?;
    Ok(policy >= Some(Policy::Quarantine))
}

/// A name that does not exist, or has no such record, is an answer: there are none.
fn found<T>(lookup: Result<Vec<T>, LookupError>) -> Result<Vec<T>, LookupError> {
    match lookup {
        Err(LookupError::NoSuchName | LookupError::NoRecords) => Ok(Vec::new()),
        lookup => lookup,
    }
}
