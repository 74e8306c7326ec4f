//! The way out of a process, as configured. Every service that dials what a customer names starts here, so that none
//! can forget the egress rule.

use crate::egress::{EgressGuard, EgressPolicy};
use crate::resolver::{DnsResolverSettings, build_resolver};
use crate::service::StartError;
use crate::settings::Settings;

/// Rules of outgoing connections: the addresses that may be dialled, and the certificates that are trusted.
pub struct Network {
    /// Looks names up and vets their addresses.
    pub egress: EgressGuard,
    /// Trusted roots beside those of the system, PEM.
    pub extra_roots: Option<Vec<u8>>,
}

impl Network {
    /// The sections `dns` and `egress`, with a resolver of its own.
    ///
    /// # Errors
    /// When the resolver cannot be set up, or the file of further roots cannot be read.
    pub fn from_settings(settings: &Settings) -> Result<Self, StartError> {
        let lookups = DnsResolverSettings::from(&settings.dns);
        let resolver = build_resolver(&lookups).map_err(StartError::new)?;
        let policy = EgressPolicy { allowed_networks: settings.egress.allowed_networks.clone() };
        let egress = EgressGuard::new(policy, resolver, lookups.lookup_timeout());
        Ok(Self { egress, extra_roots: settings.extra_ca_pem().map_err(StartError::new)? })
    }
}
