//! Addresses that senders and receivers anywhere can reach.

use std::net::IpAddr;

use service_runtime::egress::is_public;

/// True if the address is public by the egress rule, or reserved for documentation (RFC 5737, RFC 3849, RFC 9637).
///
/// The check dials nothing, so documentation addresses do no harm here, and the zones of tests and examples consist of
/// them.
pub(crate) fn is_reachable(ip: IpAddr) -> bool {
    is_public(ip) || is_documentation(ip.to_canonical())
}

fn is_documentation(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_documentation(),
        IpAddr::V6(ip) => matches!(ip.segments(), [0x2001, 0x0db8, ..] | [0x3fff, 0..0x1000, ..]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn knows_addresses_that_everybody_can_reach() {
        for ip in [
            "203.0.113.1",
            "192.0.2.1",
            "198.51.100.1",
            "8.8.8.8",
            "100.128.0.1",
            "2001:db8::1",
            "3fff:fff::1",
            "2606:4700::1",
            "::ffff:203.0.113.1",
        ] {
            assert!(is_reachable(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_reachable(ip.parse().unwrap()), "{ip}");
        }
    }
}
