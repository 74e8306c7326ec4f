//! `check_host()` of RFC 7208 section 4: the result of one address for one domain.

use std::net::IpAddr;

use futures_util::future::{BoxFuture, FutureExt};
use shared_models::domain::core::is_within;

use super::macros::{DomainSpec, MacroValues};
use super::parse::{Directive, HostSpec, Mechanism, Qualifier, Record, is_spf, parse};
use crate::resolver::{LookupError, Resolver};

/// Upper bound of the terms that cost a look-up (section 4.6.4).
pub(super) const MAX_LOOKUPS: u32 = 10;
/// Upper bound of the look-ups that find nothing (section 4.6.4).
pub(super) const MAX_VOID_LOOKUPS: u32 = 2;
/// Upper bound of the hosts behind one `mx` term and of the names behind one `ptr` (section 4.6.4).
pub(super) const MAX_HOSTS: usize = 10;

/// The result of an evaluation. Section 2.6 defines the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "section 2.6 defines the variants")]
pub enum SpfResult {
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    TempError,
    PermError,
}

impl From<Qualifier> for SpfResult {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}

/// Evaluates the SPF record of `domain` for a client.
///
/// `sender` is MAIL FROM. Without a domain it stands for `postmaster` at `domain`, without a local part for `postmaster`
/// at its own domain (section 4.3).
pub async fn check_host(resolver: &dyn Resolver, ip: IpAddr, domain: &str, sender: &str, helo: &str) -> SpfResult {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let sender = match sender.rsplit_once('@') {
        Some(("", at)) => format!("postmaster@{at}"),
        Some(_) => sender.to_owned(),
        None => format!("postmaster@{domain}"),
    };
    let mut evaluation =
        Evaluation { resolver, ip: ip.to_canonical(), sender, helo: helo.to_owned(), lookups: 0, void_lookups: 0 };
    match evaluation.check(domain).await {
        Ok(result) | Err(result) => result,
    }
}

struct Evaluation<'a> {
    resolver: &'a dyn Resolver,
    ip: IpAddr,
    sender: String,
    helo: String,
    lookups: u32,
    void_lookups: u32,
}

/// `Err` ends the evaluation with [`SpfResult::TempError`] or [`SpfResult::PermError`].
type Step<T> = Result<T, SpfResult>;

impl Evaluation<'_> {
    fn check(&mut self, domain: String) -> BoxFuture<'_, Step<SpfResult>> {
        async move {
            if !can_have_record(&domain) {
                return Ok(SpfResult::None);
            }
            let Some(record) = self.record_of(&domain).await? else {
                return Ok(SpfResult::None);
            };
            for directive in &record.directives {
                if self.matches(&domain, directive).await? {
                    return Ok(directive.qualifier.into());
                }
            }
            match &record.redirect {
                None => Ok(SpfResult::Neutral), // section 4.7
                Some(spec) => self.redirect(&domain, spec).await,
            }
        }
        .boxed()
    }

    /// Section 4.5: exactly one record. Section 4.6: a syntax error anywhere in it is found before evaluation.
    async fn record_of(&self, domain: &str) -> Step<Option<Record>> {
        let texts = match self.resolver.texts(domain).await {
            Ok(texts) => texts,
            Err(LookupError::Temporary(_)) => return Err(SpfResult::TempError),
            Err(_) => return Ok(None),
        };
        let mut records = texts.iter().filter(|text| is_spf(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(SpfResult::PermError),
            (Some(text), None) => parse(text).map(Some).map_err(|_| SpfResult::PermError),
        }
    }

    /// Continues with the target of `redirect`; without a record there, the whole evaluation fails (section 6.1).
    async fn redirect(&mut self, domain: &str, spec: &DomainSpec) -> Step<SpfResult> {
        self.count_lookup()?;
        let target = self.expand(domain, spec).await;
        match self.check(target).await? {
            SpfResult::None => Err(SpfResult::PermError),
            result => Ok(result),
        }
    }

    async fn matches(&mut self, domain: &str, directive: &Directive) -> Step<bool> {
        let mechanism = &directive.mechanism;
        if mechanism.costs_lookup() {
            self.count_lookup()?;
        }
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, prefix) => Ok(in_network(self.ip, IpAddr::V4(*network), *prefix)),
            Mechanism::Ip6(network, prefix) => Ok(in_network(self.ip, IpAddr::V6(*network), *prefix)),
            Mechanism::Include(spec) => {
                let target = self.expand(domain, spec).await;
                // Section 5.2, table: no record at the target is an error of this one.
                match self.check(target).await? {
                    SpfResult::Pass => Ok(true),
                    SpfResult::None => Err(SpfResult::PermError),
                    _ => Ok(false),
                }
            }
            Mechanism::A(host) => {
                let target = self.target(domain, host.domain.as_ref()).await;
                let addresses = self.addresses(&target).await;
                let addresses = self.or_void(addresses)?;
                Ok(addresses.into_iter().any(|ip| self.is_at(ip, host)))
            }
            Mechanism::Mx(host) => self.matches_mx(domain, host).await,
            Mechanism::Exists(spec) => {
                let target = self.expand(domain, spec).await;
                // Section 5.7: an A look-up, whatever the family of the client.
                let found = self.resolver.ipv4(&target).await;
                Ok(!self.or_void(found)?.is_empty())
            }
            Mechanism::Ptr(spec) => {
                let target = self.target(domain, spec.as_ref()).await;
                let names = self.validated_names().await;
                Ok(names.iter().any(|name| is_within(name, &target)))
            }
        }
    }

    async fn matches_mx(&mut self, domain: &str, host: &HostSpec) -> Step<bool> {
        let target = self.target(domain, host.domain.as_ref()).await;
        let exchangers = self.resolver.mail_exchangers(&target).await;
        let exchangers = self.or_void(exchangers)?;
        if exchangers.len() > MAX_HOSTS {
            return Err(SpfResult::PermError);
        }
        for exchanger in exchangers {
            let addresses = self.addresses(&exchanger.exchange).await;
            let addresses = self.or_void(addresses)?;
            if addresses.into_iter().any(|ip| self.is_at(ip, host)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count_lookup(&mut self) -> Step<()> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS {
            return Err(SpfResult::PermError);
        }
        Ok(())
    }

    /// A look-up that finds nothing is counted as void and matches nothing.
    fn or_void<T>(&mut self, found: Result<Vec<T>, LookupError>) -> Step<Vec<T>> {
        match found {
            Ok(found) => Ok(found),
            Err(LookupError::Temporary(_)) => Err(SpfResult::TempError),
            Err(_) => {
                self.void_lookups += 1;
                if self.void_lookups > MAX_VOID_LOOKUPS {
                    return Err(SpfResult::PermError);
                }
                Ok(Vec::new())
            }
        }
    }

    /// The addresses of `host` in the family of the client (section 5).
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        if self.ip.is_ipv4() {
            let found = self.resolver.ipv4(host).await?;
            Ok(found.into_iter().map(IpAddr::V4).collect())
        } else {
            let found = self.resolver.ipv6(host).await?;
            Ok(found.into_iter().map(IpAddr::V6).collect())
        }
    }

    fn is_at(&self, ip: IpAddr, host: &HostSpec) -> bool {
        let prefix = if ip.is_ipv4() { host.prefix4 } else { host.prefix6 };
        in_network(self.ip, ip, prefix)
    }

    /// The names of the client that lead back to it, at most ten (section 5.5). A name that cannot be looked up does not
    /// match.
    async fn validated_names(&self) -> Vec<String> {
        let mut validated = Vec::new();
        let names = self.resolver.names_of(self.ip).await.unwrap_or_default();
        for name in names.into_iter().take(MAX_HOSTS) {
            let addresses = self.addresses(&name).await.unwrap_or_default();
            if addresses.contains(&self.ip) {
                validated.push(name);
            }
        }
        validated
    }

    async fn target(&self, domain: &str, spec: Option<&DomainSpec>) -> String {
        match spec {
            None => domain.to_owned(),
            Some(spec) => self.expand(domain, spec).await,
        }
    }

    async fn expand(&self, domain: &str, spec: &DomainSpec) -> String {
        let validated_name =
            if spec.uses_validated_name() { self.best_validated_name(domain).await } else { String::new() };
        spec.expand(&MacroValues {
            sender: &self.sender,
            domain,
            ip: self.ip,
            helo: &self.helo,
            validated_name: &validated_name,
        })
    }

    /// The domain itself, else a name below it, else any (section 7.3).
    async fn best_validated_name(&self, domain: &str) -> String {
        let names = self.validated_names().await;
        let best = names
            .iter()
            .find(|name| *name == domain)
            .or_else(|| names.iter().find(|name| is_within(name, domain)))
            .or_else(|| names.first());
        best.cloned().unwrap_or_else(|| "unknown".to_owned())
    }
}

/// At least two labels of 1 to 63 octets (section 4.3).
fn can_have_record(domain: &str) -> bool {
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// True if `ip` and `network` share their first `prefix` bits; the families never match each other.
fn in_network(ip: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let differing = ip.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= u32::from(prefix)
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let differing = ip.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= u32::from(prefix)
        }
        _ => false,
    }
}
