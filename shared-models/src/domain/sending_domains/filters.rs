//! Sender rules: who may write to a domain or a mailbox, by the envelope sender (RFC 5321 section 4.1.1.2).

use std::fmt;

use crate::domain::core::EmailAddress;
use crate::domain::core::MailDomain;

/// The purpose of a set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FilterMode {
    /// The rules have no effect: everybody may write.
    #[default]
    Off,
    /// Only the named senders may write.
    Allowlist,
    /// Every sender except the named ones may write.
    Denylist,
}

impl FilterMode {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Off, Self::Allowlist, Self::Denylist];

    /// The word in rows of the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Allowlist => "allowlist",
            Self::Denylist => "denylist",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// True if a rule of this kind has a meaning in this mode. A set that is off has no contradictions.
    pub fn takes(self, kind: FilterKind) -> bool {
        match self {
            Self::Off => true,
            Self::Allowlist => kind == FilterKind::Allow,
            Self::Denylist => kind == FilterKind::Deny,
        }
    }
}

/// The effect of a rule on the senders that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// These senders may write.
    Allow,
    /// These senders may not write.
    Deny,
}

impl FilterKind {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    /// The word in rows of the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The senders that a rule names: one address, or everybody at a domain. Lower case; domains as A-labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SenderPattern(String);

/// The text names neither an address nor a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as name@company.com or a domain such as company.com")]
pub struct MalformedPattern;

impl SenderPattern {
    /// Reads `name@company.com`, `company.com` or, for the same, `*@company.com`.
    pub fn parse(text: &str) -> Result<Self, MalformedPattern> {
        let text = text.trim();
        let everybody = text.strip_prefix("*@");
        if everybody.is_none() && text.contains('@') {
            let address = EmailAddress::parse(text).map_err(|_| MalformedPattern)?;
            // An asterisk is legal in a local part, and nobody means it.
            let meant = !address.as_str().contains('*');
            return meant.then(|| Self(address.as_str().to_owned())).ok_or(MalformedPattern);
        }
        let domain = MailDomain::parse(everybody.unwrap_or(text)).map_err(|_| MalformedPattern)?;
        Ok(Self(domain.as_str().to_owned()))
    }

    /// The address or the domain, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Addresses are personal data and stay out of logs; only the domain shows.
impl fmt::Debug for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rsplit_once('@') {
            Some((_, domain)) => write!(f, "SenderPattern(***@{domain})"),
            None => write!(f, "SenderPattern({})", self.0),
        }
    }
}

/// One rule on one pattern of senders.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct FilterRule {
    pub kind: FilterKind,
    pub pattern: SenderPattern,
    /// A remark for people, at most 255 characters.
    pub note: Option<String>,
}

/// All rules of a domain or of a mailbox. Those of a mailbox replace those of its domain.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FilterSet {
    mode: FilterMode,
    rules: Vec<FilterRule>,
}

/// A fault in a list of rules. Positions count from 0, in the order in which the rules were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// More than [`FilterSet::MAX_RULES`] rules.
    #[error("must have at most {} rules", FilterSet::MAX_RULES)]
    TooMany,
    /// This rule contradicts the mode.
    #[error("contradicts the mode")]
    Contradicts(usize),
    /// This rule has the pattern of an earlier rule.
    #[error("is already the pattern of another rule")]
    Repeated(usize),
}

impl FilterSet {
    /// Bound on the rules of one set.
    pub const MAX_RULES: usize = 1000;

    /// Makes a set of rules that are given in any order.
    ///
    /// # Errors
    /// Every fault, in the order of the rules.
    pub fn new(mode: FilterMode, mut rules: Vec<FilterRule>) -> Result<Self, Vec<FilterFault>> {
        if rules.len() > Self::MAX_RULES {
            return Err(vec![FilterFault::TooMany]);
        }
        let mut seen = std::collections::HashSet::new();
        let faults: Vec<FilterFault> = rules
            .iter()
            .enumerate()
            .filter_map(|(at, rule)| {
                let repeated = !seen.insert(rule.pattern.as_str());
                let contradicts = !mode.takes(rule.kind);
                if contradicts {
                    Some(FilterFault::Contradicts(at))
                } else {
                    repeated.then_some(FilterFault::Repeated(at))
                }
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        rules.sort_by(|a, b| a.pattern.cmp(&b.pattern));
        Ok(Self { mode, rules })
    }

    /// The mode with which every rule agrees.
    pub fn mode(&self) -> FilterMode {
        self.mode
    }

    /// The rules in the order of their patterns.
    pub fn rules(&self) -> &[FilterRule] {
        &self.rules
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_patterns() {
        for (text, expected) in [
            ("Kim@Acme.COM", "kim@acme.com"),
            (" acme.com ", "acme.com"),
            ("*@ACME.com", "acme.com"),
            ("*@bücher.example", "xn--bcher-kva.example"),
            ("kim@bücher.example", "kim@xn--bcher-kva.example"),
        ] {
            assert_eq!(SenderPattern::parse(text).unwrap().as_str(), expected, "{text}");
        }
        for bad in
            ["", "*", "@acme.com", "kim", "*.acme.com", "kim@*", "ki*@acme.com", "*@kim@acme.com", "*@", "a b.com"]
        {
            assert_eq!(SenderPattern::parse(bad), Err(MalformedPattern), "{bad:?}");
        }
    }

    #[test]
    fn a_set_is_sorted_and_says_one_thing() {
        let rule =
            |kind, pattern: &str| FilterRule { kind, pattern: SenderPattern::parse(pattern).unwrap(), note: None };
        let (allow, deny) = (FilterKind::Allow, FilterKind::Deny);
        let set = FilterSet::new(FilterMode::Denylist, vec![rule(deny, "b.com"), rule(deny, "a@z.com")]).unwrap();
        let patterns: Vec<&str> = set.rules().iter().map(|rule| rule.pattern.as_str()).collect();
        assert_eq!(patterns, ["a@z.com", "b.com"]);

        let mixed = || vec![rule(deny, "a.com"), rule(allow, "b.com"), rule(allow, "*@a.com"), rule(deny, "c.com")];
        let faults = |mode| FilterSet::new(mode, mixed()).unwrap_err();
        assert_eq!(faults(FilterMode::Off), [FilterFault::Repeated(2)]);
        let (contradicts, repeated) = (FilterFault::Contradicts, FilterFault::Repeated);
        assert_eq!(faults(FilterMode::Allowlist), [contradicts(0), repeated(2), contradicts(3)]);
        assert_eq!(faults(FilterMode::Denylist), [FilterFault::Contradicts(1), FilterFault::Contradicts(2)]);

        let many = (0..=FilterSet::MAX_RULES).map(|n| rule(allow, &format!("d{n}.com"))).collect();
        assert_eq!(FilterSet::new(FilterMode::Allowlist, many), Err(vec![FilterFault::TooMany]));
    }

    #[test]
    fn debug_hides_the_person() {
        assert_eq!(format!("{:?}", SenderPattern::parse("kim@acme.com").unwrap()), "SenderPattern(***@acme.com)");
    }
}
