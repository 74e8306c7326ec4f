//! The egress rule: addresses that may be dialled on behalf of a customer, who may enter any host name. Never our own
//! machine, the private network around it or the cloud's metadata service, unless the operator allows a network. Used
//! by everything that connects outwards; knows nothing of mail.

mod refusals;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{Name, RData};
use ipnet::IpNet;

use self::refusals::Refusals;
use crate::resolver::TokioResolver;

/// Addresses of one host that are dialled. No host needs more; the rest would only lengthen the wait for a dead one.
const MAX_ADDRESSES: usize = 8;
/// Wait for the answer of the other address family when one is there: the "resolution delay" of RFC 8305 section 3,
/// longer because one forbidden address makes the whole host forbidden.
const RESOLUTION_DELAY: Duration = Duration::from_millis(250);

/// IPv4 blocks that hold no public server (IANA special-purpose registry, RFC 6890), and Azure's
/// host agent, which is the only metadata service on a public address.
const FORBIDDEN_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Blocks inside the global unicast range 2000::/3 that hold no public server: IETF protocol
/// assignments (with Teredo and the benchmark net) and documentation.
const FORBIDDEN_V6: &[(u128, u8)] = &[(0x2001_0000 << 96, 23), (0x2001_0db8 << 96, 32), (0x3fff_0000 << 96, 20)];

/// The rule for addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Networks that may be dialled although the rule forbids them.
    pub allowed_networks: Vec<IpNet>,
}

impl EgressPolicy {
    /// True when a connection to `address` may be opened. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is
    /// judged as the IPv4 address.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed_networks.iter().any(|network| network.contains(&address)) || is_public(address)
    }
}

/// True if a public server can have the address: no block with another purpose holds it (IANA special-purpose registries,
/// RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !FORBIDDEN_V4.iter().any(|(network, length)| (bits ^ network.to_bits()) >> (32 - length) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    // NAT64 (RFC 6052) and 6to4 (RFC 3056) reach the IPv4 address inside.
    if bits >> 32 == 0x0064_ff9b << 64 {
        return is_public_v4(Ipv4Addr::from_bits(bits as u32));
    }
    if bits >> 112 == 0x2002 {
        return is_public_v4(Ipv4Addr::from_bits((bits >> 80) as u32));
    }
    let global_unicast = bits >> 125 == 1;
    global_unicast && !FORBIDDEN_V6.iter().any(|(network, length)| (bits ^ network) >> (128 - length) == 0)
}

/// Reasons why a host has no address that may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The name does not exist.
    #[error("host not found")]
    HostNotFound,
    /// The name exists and has neither A nor AAAA records.
    #[error("host has no address")]
    NoAddress,
    /// The look-up failed or took too long; a later one may succeed.
    #[error("look-up failed for now")]
    Temporary,
    /// At least one of the addresses must not be dialled.
    #[error("address not allowed")]
    Forbidden,
}

/// Turns host names into addresses that may be dialled. Cheap to clone.
#[derive(Clone)]
pub struct EgressGuard {
    policy: EgressPolicy,
    resolver: TokioResolver,
    lookup_timeout: Duration,
    refusals: Arc<Refusals>,
}

impl EgressGuard {
    /// A guard that waits at most `lookup_timeout` for one look-up.
    pub fn new(policy: EgressPolicy, resolver: TokioResolver, lookup_timeout: Duration) -> Self {
        Self { policy, resolver, lookup_timeout, refusals: Arc::default() }
    }

    /// The rule for addresses.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// The addresses of a host name or IP literal, IPv4 first, at most eight, all of them permitted.
    /// The caller must dial one of these and not resolve again, or the check is worth nothing.
    ///
    /// # Errors
    /// See [`EgressError`]. One forbidden address makes the whole host forbidden.
    pub async fn vetted_addresses(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(literal) = bare.parse::<IpAddr>() {
            return self.vet(bare, vec![literal.to_canonical()]);
        }
        let name = bare.strip_suffix('.').unwrap_or(bare);
        if name.eq_ignore_ascii_case("localhost") {
            return self.vet_localhost();
        }
        let name = Name::from_ascii(format!("{name}.")).map_err(|_| EgressError::HostNotFound)?;
        let addresses = tokio::time::timeout(self.lookup_timeout, self.look_up(name))
            .await
            .map_err(|_| EgressError::Temporary)??;
        self.vet(bare, addresses)
    }

    fn vet(&self, host: &str, mut addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, EgressError> {
        if let Some(&forbidden) = addresses.iter().find(|&&address| !self.policy.permits(address)) {
            return Err(self.refuse(host, forbidden));
        }
        addresses.sort_by_key(IpAddr::is_ipv6); // stable: keeps the order of the servers
        addresses.dedup();
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// Logs what the caller's answer must not say: the address, which would describe our network, and the setting.
    fn refuse(&self, host: &str, address: IpAddr) -> EgressError {
        if let Some(line) = self.refusals.line(host, address, Instant::now()) {
            log::warn!("{line}");
        }
        EgressError::Forbidden
    }

    /// `localhost` is loopback wherever it is asked (RFC 6761 section 6.3), in both families. An
    /// operator who allows only one of them means that one.
    fn vet_localhost(&self) -> Result<Vec<IpAddr>, EgressError> {
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let permitted = loopback.into_iter().filter(|&address| self.policy.permits(address)).collect::<Vec<IpAddr>>();
        if permitted.is_empty() {
            return Err(self.refuse("localhost", Ipv4Addr::LOCALHOST.into()));
        }
        Ok(permitted)
    }

    /// A and AAAA at once. The slower one is waited for only a moment when the other has addresses.
    async fn look_up(&self, name: Name) -> Result<Vec<IpAddr>, EgressError> {
        let v4 = async { addresses(self.resolver.ipv4_lookup(name.clone()).await) };
        let v6 = async { addresses(self.resolver.ipv6_lookup(name.clone()).await) };
        tokio::pin!(v4, v6);
        let (first, second) = tokio::select! {
            first = &mut v4 => (with_delay(&first, v6).await, first),
            first = &mut v6 => (with_delay(&first, v4).await, first),
        };
        merge(first, second)
    }
}

async fn with_delay(first: &LookupResult, second: impl Future<Output = LookupResult>) -> LookupResult {
    if first.is_err() {
        return second.await;
    }
    tokio::time::timeout(RESOLUTION_DELAY, second).await.unwrap_or(Err(EgressError::Temporary))
}

type LookupResult = Result<Vec<IpAddr>, EgressError>;

fn addresses(answer: Result<hickory_resolver::lookup::Lookup, NetError>) -> LookupResult {
    match answer {
        Ok(lookup) => {
            let found = lookup
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::A(a) => Some(IpAddr::V4(a.0)),
                    RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0).to_canonical()),
                    _ => None,
                })
                .collect::<Vec<_>>();
            if found.is_empty() { Err(EgressError::NoAddress) } else { Ok(found) }
        }
        Err(error) if error.is_nx_domain() => Err(EgressError::HostNotFound),
        Err(error) if error.is_no_records_found() => Err(EgressError::NoAddress),
        Err(_) => Err(EgressError::Temporary),
    }
}

/// Addresses of either family are enough; without any, doubt (a failed look-up) goes first, then
/// the statement that the name does not exist.
fn merge(a: LookupResult, b: LookupResult) -> LookupResult {
    match (a, b) {
        (Ok(mut a), Ok(b)) => {
            a.extend(b);
            Ok(a)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(a), Err(b)) => Err([EgressError::Temporary, EgressError::HostNotFound]
            .into_iter()
            .find(|kind| [a, b].contains(kind))
            .unwrap_or(EgressError::NoAddress)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn policy(networks: &[&str]) -> EgressPolicy {
        EgressPolicy { allowed_networks: networks.iter().map(|n| n.parse().unwrap()).collect() }
    }

    fn guard(networks: &[&str]) -> EgressGuard {
        use hickory_resolver::config::ResolverConfig;
        use hickory_resolver::net::runtime::TokioRuntimeProvider;
        let config = ResolverConfig::from_parts(None, vec![], vec![]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        EgressGuard::new(policy(networks), resolver.build().unwrap(), Duration::from_secs(1))
    }

    #[test]
    fn only_public_servers_may_be_dialled() {
        let nobody = policy(&[]);
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "169.253.1.1",
            "::ffff:8.8.8.8",
            "2a00:1450:4001::1a",
            "2606:4700::1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(nobody.permits(public.parse().unwrap()), "{public}");
        }
        for forbidden in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "2001:db8::1",
            "2001:2::1",
            "3fff::1",
            "4000::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!nobody.permits(forbidden.parse().unwrap()), "{forbidden}");
        }
    }

    #[test]
    fn allowed_networks_open_exactly_themselves() {
        let lab = policy(&["127.0.0.0/8", "fd00:1::/32"]);
        for open in ["127.0.0.1", "::ffff:127.0.0.1", "fd00:1::5"] {
            assert!(lab.permits(open.parse().unwrap()), "{open}");
        }
        for closed in ["::1", "10.0.0.1", "fd00:2::5"] {
            assert!(!lab.permits(closed.parse().unwrap()), "{closed}");
        }
    }

    #[tokio::test]
    async fn literals_and_localhost_need_no_name_server() {
        let v4: IpAddr = Ipv4Addr::LOCALHOST.into();
        let lab = guard(&["127.0.0.0/8"]);
        assert_eq!(lab.vetted_addresses("127.0.0.1").await, Ok(vec![v4]));
        assert_eq!(lab.vetted_addresses("[::ffff:127.0.0.1]").await, Ok(vec![v4]));
        assert_eq!(lab.vetted_addresses("localhost").await, Ok(vec![v4]));
        assert_eq!(lab.vetted_addresses("::1").await, Err(EgressError::Forbidden));
        let closed = guard(&[]);
        assert_eq!(closed.vetted_addresses("localhost").await, Err(EgressError::Forbidden));
        assert_eq!(closed.vetted_addresses("10.0.0.1").await, Err(EgressError::Forbidden));
        assert_eq!(closed.vetted_addresses("mail.example.com").await, Err(EgressError::Temporary));
    }

    #[test]
    fn one_forbidden_address_makes_the_host_forbidden() {
        let mixed = vec!["8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert_eq!(guard(&[]).vet("mixed.example", mixed), Err(EgressError::Forbidden));
    }

    #[test]
    fn ipv4_comes_first_and_the_list_is_short() {
        let many = (0..9)
            .map(|n| IpAddr::V6(Ipv6Addr::new(0x2606, 0, 0, 0, 0, 0, 0, n)))
            .chain(["8.8.8.8".parse().unwrap()])
            .collect();
        let vetted = guard(&[]).vet("many.example", many).unwrap();
        assert_eq!(vetted.len(), MAX_ADDRESSES);
        assert!(vetted[0].is_ipv4() && vetted[1..].iter().all(IpAddr::is_ipv6));
    }

    #[test]
    fn doubt_goes_before_absence() {
        use EgressError::{HostNotFound, NoAddress, Temporary};
        assert_eq!(merge(Err(Temporary), Err(HostNotFound)), Err(Temporary));
        assert_eq!(merge(Err(NoAddress), Err(HostNotFound)), Err(HostNotFound));
        assert_eq!(merge(Err(NoAddress), Err(NoAddress)), Err(NoAddress));
        let found = vec!["8.8.8.8".parse().unwrap()];
        assert_eq!(merge(Err(Temporary), Ok(found.clone())), Ok(found));
    }
}
