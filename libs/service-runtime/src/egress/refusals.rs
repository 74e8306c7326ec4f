//! Log lines about refused addresses, for the operator. A customer chooses the hosts, so the number of lines is
//! bounded: one for a host and kind of address, and [`MOST_LINES`] in all, within [`WINDOW`].

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(600);

/// Enough to see a network that is missing in the settings; a flood of host names ends here.
const MOST_LINES: usize = 20;

/// The lines of the current window.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Logged>);

#[derive(Default)]
struct Logged {
    began: Option<Instant>,
    lines: HashSet<(String, &'static str)>,
}

impl Refusals {
    /// The line to log for a refused address of `host`; `None` when it was logged or too many others were.
    pub(super) fn line(&self, host: &str, address: IpAddr, now: Instant) -> Option<String> {
        let kind = kind(address);
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            *logged = Logged { began: Some(now), lines: HashSet::new() };
        }
        if logged.lines.len() >= MOST_LINES || !logged.lines.insert((host.to_ascii_lowercase(), kind)) {
            return None;
        }
        let whose = match host.parse::<IpAddr>() {
            Ok(_) => String::new(),
            // Host names come from customers: nothing in them may break the line.
            Err(_) => format!(" ({})", host.escape_default()),
        };
        let mut line = format!("{address}{whose} is refused: {kind}; MAILMOOR__EGRESS__ALLOWED_NETWORKS permits it");
        if logged.lines.len() == MOST_LINES {
            line.push_str(". Refusals of other hosts are not logged for ten minutes");
        }
        Some(line)
    }
}

/// The reason in words. IANA's special-purpose registries have the ranges (RFC 6890).
fn kind(address: IpAddr) -> &'static str {
    match address.to_canonical() {
        address if address.is_loopback() => "loopback address",
        address if address.is_multicast() => "multicast address",
        address if address.is_unspecified() => "unspecified address",
        IpAddr::V4(v4) if v4.is_private() => "private address",
        // Clouds answer for their metadata there.
        IpAddr::V4(v4) if v4.is_link_local() => "link-local address",
        IpAddr::V6(v6) if v6.is_unique_local() => "private address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local address",
        IpAddr::V6(v6) if embeds_ipv4(v6) => "address that leads to a reserved IPv4 address",
        _ => "reserved address",
    }
}

/// NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embeds_ipv4(address: Ipv6Addr) -> bool {
    address.segments()[0] == 0x2002 || address.segments()[..2] == [0x64, 0xff9b]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_line_names_address_host_reason_and_setting() {
        let refusals = Refusals::default();
        let line = |host: &str, address: &str| refusals.line(host, address.parse().unwrap(), Instant::now()).unwrap();
        assert_eq!(
            line("mail.example.test", "10.0.0.5"),
            "10.0.0.5 (mail.example.test) is refused: private address; MAILMOOR__EGRESS__ALLOWED_NETWORKS permits it"
        );
        let literal = line("10.0.0.5", "10.0.0.5");
        assert!(literal.starts_with("10.0.0.5 is refused: private address;"), "{literal}");
        for (address, kind) in [
            ("127.0.0.1", "loopback address"),
            ("::ffff:127.0.0.1", "loopback address"),
            ("169.254.169.254", "link-local address"),
            ("fd00::1", "private address"),
            ("64:ff9b::10.0.0.1", "address that leads to a reserved IPv4 address"),
            ("203.0.113.9", "reserved address"),
        ] {
            assert!(line("h.example", address).contains(&format!("refused: {kind};")), "{address}");
            assert_eq!(
                refusals.line("H.example", address.parse().unwrap(), Instant::now()),
                None,
                "once a host and kind"
            );
            refusals.0.lock().unwrap().lines.clear();
        }
        assert!(!line("a\nb", "10.0.0.5").contains('\n'));
    }

    #[test]
    fn a_flood_of_hosts_is_cut_off_until_the_window_ends() {
        let refusals = Refusals::default();
        let begin = Instant::now();
        let lines = |now: Instant| {
            let line = |n: u32| refusals.line(&format!("host{n}.example"), "10.0.0.5".parse().unwrap(), now);
            (0..1000).filter_map(line).collect::<Vec<_>>()
        };
        let first = lines(begin);
        assert_eq!(first.len(), MOST_LINES);
        assert!(first.last().unwrap().ends_with("not logged for ten minutes"), "{first:?}");
        assert!(lines(begin + WINDOW / 2).is_empty());
        assert_eq!(lines(begin + WINDOW).len(), MOST_LINES);
    }
}
