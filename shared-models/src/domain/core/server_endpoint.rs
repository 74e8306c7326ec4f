//! The address of a mail server and the security of the connection to it.

use serde::{Deserialize, Serialize};

/// The customer's wish; the port decides how it is fulfilled (see [`ServerEndpoint::tls_plan`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Must be encrypted before the login.
    Required,
    /// Encrypted when the server offers it.
    Opportunistic,
}

/// The way to an encrypted connection. It follows from the port and the [`Security`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsPlan {
    /// TLS from the first byte (RFC 8314 section 3).
    Implicit,
    /// A greeting in clear text, then STARTTLS or nothing.
    StarttlsRequired,
    /// TLS from the first byte; when the port does not speak TLS, mandatory STARTTLS.
    ImplicitThenStarttls,
    /// STARTTLS when offered, otherwise plain (login only where the operator allows it).
    StarttlsIfOffered,
}

/// Host, port and wished security of one server. The host is a parsed name: lower case A-label
/// form or an IP literal, no scheme, no port, at most 255 octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerEndpoint {
    host: String,
    port: u16,
    security: Security,
}

/// The reasons for which a host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum HostError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most 255 characters")]
    TooLong,
    /// Scheme, path, port, space, `@` or control character inside, or not a host name.
    #[error("must be a server name only, such as mail.example.com")]
    NotAHostName,
}

/// Ports on which clear-text greeting and STARTTLS are the rule.
const STARTTLS_PORTS: [u16; 4] = [25, 587, 2525, 143];
/// Ports with TLS from the first byte (RFC 8314).
const IMPLICIT_TLS_PORTS: [u16; 2] = [465, 993];

impl ServerEndpoint {
    /// Parses a host as typed by a person. `port` must not be 0, which the wire types of the callers check.
    pub fn parse(host: &str, port: u16, security: Security) -> Result<Self, HostError> {
        Ok(Self { host: parse_host(host)?, port, security })
    }

    /// Host name in A-label form or IP literal.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port; 0 only if the caller let it through.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The customer's wish, before the port rules.
    pub fn security(&self) -> Security {
        self.security
    }

    /// The same server under another host name, to try out a guess.
    pub fn with_host(&self, host: &str) -> Result<Self, HostError> {
        Self::parse(host, self.port, self.security)
    }

    /// The port rules: 465 and 993 are implicit TLS, whatever the customer asked for.
    pub fn tls_plan(&self) -> TlsPlan {
        match self.security {
            _ if IMPLICIT_TLS_PORTS.contains(&self.port) => TlsPlan::Implicit,
            Security::Required if STARTTLS_PORTS.contains(&self.port) => TlsPlan::StarttlsRequired,
            Security::Required => TlsPlan::ImplicitThenStarttls,
            Security::Opportunistic => TlsPlan::StarttlsIfOffered,
        }
    }
}

fn parse_host(input: &str) -> Result<String, HostError> {
    let host = input.trim_matches(' ');
    if host.is_empty() {
        return Err(HostError::Empty);
    }
    if host.len() > 255 {
        return Err(HostError::TooLong);
    }
    if let Some(ip) = parse_ip_literal(host) {
        return Ok(ip);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let ascii = idna::domain_to_ascii_strict(name).map_err(|_| HostError::NotAHostName)?;
    // Some resolvers read "127.1" or "0x7f000001" as an address. So a name whose last label is numeric is refused (RFC
    // 1123 section 2.1, WHATWG URL "ends in a number").
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let well_formed = ascii.split('.').all(|label| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    if numeric || !well_formed || ascii.len() > 253 {
        return Err(HostError::NotAHostName);
    }
    Ok(ascii)
}

fn parse_ip_literal(host: &str) -> Option<String> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn host(input: &str) -> Result<String, HostError> {
        ServerEndpoint::parse(input, 587, Security::Required).map(|e| e.host().to_owned())
    }

    #[test]
    fn accepts_names_and_literals() {
        assert_eq!(host(" SMTP.Example.COM. "), Ok("smtp.example.com".into()));
        assert_eq!(host("müller.example"), Ok("xn--mller-kva.example".into()));
        assert_eq!(host("localhost"), Ok("localhost".into()));
        assert_eq!(host("127.0.0.1"), Ok("127.0.0.1".into()));
        assert_eq!(host("[::1]"), Ok("::1".into()));
    }

    #[test]
    fn refuses_everything_else() {
        assert_eq!(host("  "), Err(HostError::Empty));
        assert_eq!(host(&"a".repeat(256)), Err(HostError::TooLong));
        for bad in [
            "https://mail.example.com",
            "mail.example.com:587",
            "mail.example.com/x",
            "a b.example",
            "me@mail.example",
            "mail.example.com\r\nX",
            "mail\n.example",
            "127.1",
            "0x7f000001",
            "2130706433",
            "-a.example",
            "a..b",
            "a_b.example",
        ] {
            assert_eq!(host(bad), Err(HostError::NotAHostName), "{bad:?}");
        }
    }

    #[test]
    fn the_port_decides_how() {
        let plan = |port, security| ServerEndpoint::parse("h.example", port, security).unwrap().tls_plan();
        for security in [Security::Required, Security::Opportunistic] {
            assert_eq!(plan(465, security), TlsPlan::Implicit);
            assert_eq!(plan(993, security), TlsPlan::Implicit);
        }
        for port in [25, 587, 2525, 143] {
            assert_eq!(plan(port, Security::Required), TlsPlan::StarttlsRequired);
            assert_eq!(plan(port, Security::Opportunistic), TlsPlan::StarttlsIfOffered);
        }
        assert_eq!(plan(10587, Security::Required), TlsPlan::ImplicitThenStarttls);
        assert_eq!(plan(10587, Security::Opportunistic), TlsPlan::StarttlsIfOffered);
    }
}
