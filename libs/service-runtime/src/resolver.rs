//! The DNS client of a service: one cache and one set of servers for all look-ups.

use std::net::SocketAddr;
use std::time::Duration;

pub use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use crate::settings::DnsSettings;

/// Servers and timeout of a DNS client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsResolverSettings {
    /// Recursive servers; empty = those of the operating system.
    pub servers: Vec<SocketAddr>,
    /// Upper bound of the wait for one answer. A query without an answer is repeated once.
    pub timeout: Duration,
}

impl From<&DnsSettings> for DnsResolverSettings {
    fn from(settings: &DnsSettings) -> Self {
        Self { servers: settings.servers.clone(), timeout: settings.timeout() }
    }
}

impl DnsResolverSettings {
    /// Upper bound of one look-up: the query, its repetition and some slack.
    pub fn lookup_timeout(&self) -> Duration {
        self.timeout * 2 + Duration::from_millis(500)
    }
}

/// The DNS client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the DNS client: {0}")]
pub struct ResolverError(#[from] NetError);

/// Builds a caching resolver. Names must be absolute (`mail.example.com.`): the search list of the system applies to
/// others.
///
/// # Errors
/// See [`ResolverError`].
pub fn build_resolver(settings: &DnsResolverSettings) -> Result<TokioResolver, ResolverError> {
    let (config, system) = if settings.servers.is_empty() {
        // Without configuration the server is this machine (resolv.conf(5)).
        hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|_| {
            let local = name_server(SocketAddr::from(([127, 0, 0, 1], 53)));
            let config = ResolverConfig::from_parts(None, vec![], vec![local]);
            (config, ResolverOpts::default())
        })
    } else {
        let servers = settings.servers.iter().copied().map(name_server).collect::<Vec<_>>();
        (ResolverConfig::from_parts(None, vec![], servers), ResolverOpts::default())
    };
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    *options = system;
    options.timeout = settings.timeout;
    options.attempts = 1; // repetitions after the first query
    options.use_hosts_file = ResolveHosts::Always;
    options.cache_size = 2048; // a hostile answer may have 64 KiB
    // Short: a customer who corrects a record checks it again at once.
    options.positive_max_ttl = Some(Duration::from_secs(60));
    // Shorter: a missing name is often about to be published.
    options.negative_max_ttl = Some(Duration::from_secs(30));
    options.edns0 = true;
    Ok(builder.build()?)
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(
        address.ip(),
        true,
        vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())],
    )
}
