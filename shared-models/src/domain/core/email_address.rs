//! The mail address in the one form in which it is stored and compared.

use std::fmt;

use crate::domain::MailDomain;

/// `local@domain`: lower case, at most 254 octets (RFC 5321 section 4.5.3.1.3), the domain a [`MailDomain`]
/// and no address literal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// The reasons for which an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum EmailError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most 254 characters")]
    TooLong,
    /// RFC 6531 local part. Many servers on the way cannot carry it, so it is refused by name.
    #[error("has characters outside ASCII before the @, which mail servers without SMTPUTF8 cannot deliver")]
    InternationalLocalPart,
    /// Any other violation of RFC 5321 section 4.1.2, and a quoted local part.
    #[error("must be a full address such as name@company.com")]
    Malformed,
}

impl EmailAddress {
    /// Parses and normalises an address as typed by a person; surrounding white space is dropped.
    pub fn parse(input: &str) -> Result<Self, EmailError> {
        let text = input.trim();
        if text.is_empty() {
            return Err(EmailError::Empty);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if !local.is_ascii() {
            return Err(EmailError::InternationalLocalPart);
        }
        // A dot at the end is more likely the end of a sentence than an absolute name, so it is refused here.
        let domain = Some(domain).filter(|domain| !domain.ends_with('.')).ok_or(EmailError::Malformed)?;
        let domain = MailDomain::parse(domain).map_err(|_| EmailError::Malformed)?;
        let address = format!("{}@{domain}", local.to_ascii_lowercase());
        if address.len() > 254 || local.len() > 64 {
            return Err(EmailError::TooLong);
        }
        address.parse::<lettre::Address>().map_err(|_| EmailError::Malformed)?;
        // Quoted local parts are legal (RFC 5321 section 4.1.2), and no mailbox to connect has one.
        if local.starts_with('"') {
            return Err(EmailError::Malformed);
        }
        Ok(Self(address))
    }

    /// The whole address, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the last `@`.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The part after the last `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// Addresses are personal data and stay out of logs; only the domain shows.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress(***@{})", self.domain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises() {
        let parse = |s| EmailAddress::parse(s).map(|a| a.as_str().to_owned());
        assert_eq!(parse("  Dana@Mail.Example "), Ok("dana@mail.example".into()));
        assert_eq!(parse("dana@MÜLLER.example"), Ok("dana@xn--mller-kva.example".into()));
        assert_eq!(parse("a+b.c_d@x.co.uk"), Ok("a+b.c_d@x.co.uk".into()));
        assert_eq!(parse("a@ab--cd.example"), Ok("a@ab--cd.example".into()));
    }

    #[test]
    fn refuses() {
        use EmailError::*;
        let long = format!("{}@example.com", "a".repeat(65));
        for (bad, why) in [
            ("", Empty),
            ("dana", Malformed),
            ("dana@", Malformed),
            ("@x.example", Malformed),
            ("a b@x.example", Malformed),
            ("a@b@x.example", Malformed),
            ("dana@localhost", Malformed),
            ("dana@[127.0.0.1]", Malformed),
            ("dana@127.0.0.1", Malformed),
            ("a..b@x.example", Malformed),
            (".a@x.example", Malformed),
            ("a@x..example", Malformed),
            ("a@-x.example", Malformed),
            ("a@x.example.", Malformed),
            ("a@ x.example", Malformed),
            ("dana@x.example\r\nRCPT TO:<x@y.example>", Malformed),
            ("da\nna@x.example", Malformed),
            ("\"a b\"@x.example", Malformed),
            ("用户@例子.example", InternationalLocalPart),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(EmailAddress::parse(bad).err(), Some(why), "{bad:?}");
        }
    }

    #[test]
    fn debug_hides_the_person() {
        assert_eq!(format!("{:?}", EmailAddress::parse("dana@x.example")), "Ok(EmailAddress(***@x.example))");
    }
}
