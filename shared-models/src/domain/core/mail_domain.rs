//! The domain part of addresses, and the name of a domain to send for.

use std::fmt;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// The text is not the name of a mail domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a domain name")]
pub struct InvalidDomain;

/// A domain that mail can be addressed to: A-labels, lower case, no trailing dot.
///
/// ```text
/// Domain     = sub-domain 1*("." sub-domain)      ; at least two labels: no mail goes to a TLD
/// sub-domain = Let-dig [Ldh-str]                  ; RFC 5321 section 4.1.2
/// ```
/// with the lengths of RFC 1035 section 2.3.4.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailDomain(String);

impl MailDomain {
    /// Reads a domain in Unicode or ASCII; case and one trailing dot do not matter.
    ///
    /// # Errors
    /// For everything else: an address, a URL, an IP address, a single label, white space.
    pub fn parse(text: &str) -> Result<Self, InvalidDomain> {
        let text = text.strip_suffix('.').unwrap_or(text);
        // White space is refused before the mapping of UTS #46, which would remove some of it.
        if text.chars().any(char::is_whitespace) {
            return Err(InvalidDomain);
        }
        let ascii = Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
            .map_err(|_| InvalidDomain)?;
        let (_, last) = ascii.rsplit_once('.').ok_or(InvalidDomain)?;
        // No top-level domain is numeric (RFC 3696 section 2), so this is an IPv4 address.
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidDomain);
        }
        Ok(Self(ascii.into_owned()))
    }

    /// The name in A-labels, without the last dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MailDomain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// True if the domain name `name` is `parent` or below it. Both are in lower case without a trailing dot.
#[must_use]
pub fn is_within(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reads_what_people_type() {
        for (typed, expected) in [
            ("example.com", "example.com"),
            ("Example.COM.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("r3---sn.example.com", "r3---sn.example.com"),
        ] {
            assert_eq!(MailDomain::parse(typed).unwrap().as_str(), expected);
        }
        let longest_label = format!("{}.example", "a".repeat(63));
        assert!(MailDomain::parse(&longest_label).is_ok());
    }

    #[test]
    fn refuses_everything_else() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "abcdefghi.".repeat(25));
        for typed in [
            "",
            ".",
            "com",
            "a..b.example",
            ".example.com",
            "example.com..",
            "bad domain.example",
            " example.com",
            "example.com\n",
            "user@example.com",
            "https://example.com/",
            "example.com:25",
            "203.0.113.9",
            "[203.0.113.9]",
            "2001:db8::1",
            "-a.example",
            "a-.example",
            "a_b.example",
            "xn--zz--zz.example",
            &long_label,
            &long_name,
        ] {
            assert_eq!(MailDomain::parse(typed), Err(InvalidDomain), "{typed:?}");
        }
    }

    #[test]
    fn knows_its_subdomains() {
        assert!(is_within("example.com", "example.com"));
        assert!(is_within("mail.example.com", "example.com"));
        assert!(!is_within("notexample.com", "example.com"));
        assert!(!is_within("com", "example.com"));
    }
}
