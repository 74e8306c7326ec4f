//! The host that one MX record names.

use std::net::IpAddr;

use shared_models::domain::diagnosis::MxRecord;

use crate::reachable::is_reachable;
use crate::resolver::Resolver;

/// The state of a host that an MX record names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// It has a public address; `alias` if only behind a CNAME.
    Works { alias: bool },
    /// A null MX (RFC 7505).
    NullMx,
    /// An IP address instead of a name.
    IpLiteral,
    /// The name does not exist or has no address.
    Unresolvable,
    /// No address is public.
    PrivateOnly,
    /// No public address is known, and a look-up failed.
    LookupFailed,
}

pub(super) fn is_null(record: &MxRecord) -> bool {
    record.exchange == "."
}

pub(super) async fn look_up(record: &MxRecord, resolver: &dyn Resolver) -> Target {
    if is_null(record) {
        return Target::NullMx;
    }
    // RFC 5321 section 5.1: the data is a host name. Senders look up an address as if it were a name.
    if record.exchange.parse::<IpAddr>().is_ok() {
        return Target::IpLiteral;
    }
    let host = resolver.host_addresses(&record.exchange).await;
    if host.addresses.iter().any(|ip| is_reachable(*ip)) {
        Target::Works { alias: host.alias }
    } else if host.incomplete {
        Target::LookupFailed
    } else if host.addresses.is_empty() {
        Target::Unresolvable
    } else {
        Target::PrivateOnly
    }
}
