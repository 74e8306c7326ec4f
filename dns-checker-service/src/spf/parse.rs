//! The grammar of SPF records (RFC 7208 section 12), read strictly. Whatever receivers answer with "permerror" is an error
//! that names the term.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::macros::DomainSpec;

/// `record = version terms *SP`, `terms = *( 1*SP ( directive / modifier ) )`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `directive = [ qualifier ] mechanism`, in order.
    pub directives: Vec<Directive>,
    /// `redirect = "redirect" "=" domain-spec`
    pub redirect: Option<DomainSpec>,
    /// True if there is an `exp` modifier. The explanation itself is of no use here.
    pub explained: bool,
}

/// A condition (`mechanism`) and the result of a match (`qualifier`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the struct says what its fields are")]
pub struct Directive {
    pub qualifier: Qualifier,
    pub mechanism: Mechanism,
}

/// `qualifier = "+" / "-" / "~" / "?"`, in the order of the variants. None stands for `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the enum says what its variants are")]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// `mechanism = ( all / include / a / mx / ptr / ip4 / ip6 / exists )`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `all = "all"`
    All,
    /// `include = "include" ":" domain-spec`
    Include(DomainSpec),
    /// `a = "a" [ ":" domain-spec ] [ dual-cidr-length ]`
    A(HostSpec),
    /// `mx = "mx" [ ":" domain-spec ] [ dual-cidr-length ]`
    Mx(HostSpec),
    /// `ptr = "ptr" [ ":" domain-spec ]`
    Ptr(Option<DomainSpec>),
    /// `ip4 = "ip4" ":" ip4-network [ ip4-cidr-length ]`
    Ip4(Ipv4Addr, u8),
    /// `ip6 = "ip6" ":" ip6-network [ ip6-cidr-length ]`
    Ip6(Ipv6Addr, u8),
    /// `exists = "exists" ":" domain-spec`
    Exists(DomainSpec),
}

/// The argument of `a` and `mx`: domain, and prefix lengths for IPv4 and IPv6 addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the struct says what its fields are")]
pub struct HostSpec {
    /// `None` stands for the domain of the record.
    pub domain: Option<DomainSpec>,
    pub prefix4: u8,
    pub prefix6: u8,
}

/// The term that does not follow the grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid in an SPF record: {term:?}")]
pub struct SyntaxError {
    /// As written; other octets than visible ASCII are replaced.
    pub term: String,
}

impl Mechanism {
    /// True if evaluation costs one of the ten look-ups (section 4.6.4).
    #[must_use]
    pub fn costs_lookup(&self) -> bool {
        !matches!(self, Self::All | Self::Ip4(..) | Self::Ip6(..))
    }
}

impl Record {
    /// The directives up to and with the first `all`; later ones are never evaluated (section 5.1).
    pub fn reachable(&self) -> &[Directive] {
        let end = self
            .directives
            .iter()
            .position(|directive| directive.mechanism == Mechanism::All)
            .map_or(self.directives.len(), |all| all + 1);
        &self.directives[..end]
    }

    /// The qualifier of the first `all`, the only one that is evaluated.
    #[must_use]
    pub fn all(&self) -> Option<Qualifier> {
        let last = self.reachable().last()?;
        (last.mechanism == Mechanism::All).then_some(last.qualifier)
    }

    /// The domain with which evaluation continues if nothing matches; ignored where there is an `all` (section 6.1).
    #[must_use]
    pub fn followed_redirect(&self) -> Option<&DomainSpec> {
        self.redirect.as_ref().filter(|_| self.all().is_none())
    }
}

/// True if a text is an SPF record: "v=spf1" and then a space or the end (section 4.5).
#[must_use]
pub fn is_spf(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(6) else {
        return false;
    };
    version.eq_ignore_ascii_case(b"v=spf1") && (rest.is_empty() || rest.starts_with(b" "))
}

/// Reads a text for which [`is_spf`] holds.
///
/// # Errors
/// The first term that is not valid.
pub fn parse(text: &[u8]) -> Result<Record, SyntaxError> {
    let terms = text.get(6..).unwrap_or_default();
    // Section 3.1: only ASCII. A typographic dash or space from a word processor ends up here.
    let terms =
        std::str::from_utf8(terms).ok().filter(|terms| terms.is_ascii()).ok_or_else(|| first_foreign_term(terms))?;
    let mut record = Record { directives: Vec::new(), redirect: None, explained: false };
    for term in terms.split(' ').filter(|term| !term.is_empty()) {
        read_term(term, &mut record).ok_or_else(|| SyntaxError { term: term.to_owned() })?;
    }
    Ok(record)
}

fn first_foreign_term(terms: &[u8]) -> SyntaxError {
    let term = terms.split(|octet| *octet == b' ').find(|term| !term.is_ascii()).unwrap_or_default();
    SyntaxError { term: String::from_utf8_lossy(term).into_owned() }
}

fn read_term(term: &str, record: &mut Record) -> Option<()> {
    if let Some((name, value)) = modifier(term) {
        return read_modifier(name, value, record);
    }
    let (qualifier, mechanism) = match term.as_bytes()[0] {
        b'+' => (Qualifier::Pass, &term[1..]),
        b'-' => (Qualifier::Fail, &term[1..]),
        b'~' => (Qualifier::SoftFail, &term[1..]),
        b'?' => (Qualifier::Neutral, &term[1..]),
        _ => (Qualifier::Pass, term),
    };
    record.directives.push(Directive { qualifier, mechanism: read_mechanism(mechanism)? });
    Some(())
}

/// `unknown-modifier = name "=" macro-string`, `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )`
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_name.then_some((name, value))
}

fn read_modifier(name: &str, value: &str, record: &mut Record) -> Option<()> {
    // Section 6: redirect and exp must not appear twice.
    if name.eq_ignore_ascii_case("redirect") {
        let spec = DomainSpec::parse(value)?;
        return record.redirect.replace(spec).is_none().then_some(());
    }
    if name.eq_ignore_ascii_case("exp") {
        DomainSpec::parse(value)?;
        return (!std::mem::replace(&mut record.explained, true)).then_some(());
    }
    DomainSpec::is_macro_string(value).then_some(())
}

fn read_mechanism(text: &str) -> Option<Mechanism> {
    let name_end = text.find([':', '/']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let argument = rest.strip_prefix(':');
    match name.to_ascii_lowercase().as_str() {
        "all" => rest.is_empty().then_some(Mechanism::All),
        "include" => DomainSpec::parse(argument?).map(Mechanism::Include),
        "exists" => DomainSpec::parse(argument?).map(Mechanism::Exists),
        "a" => read_host(rest).map(Mechanism::A),
        "mx" => read_host(rest).map(Mechanism::Mx),
        "ptr" if rest.is_empty() => Some(Mechanism::Ptr(None)),
        "ptr" => DomainSpec::parse(argument?).map(|spec| Mechanism::Ptr(Some(spec))),
        "ip4" => {
            let (network, prefix) = split_network(argument?, 32)?;
            Some(Mechanism::Ip4(network.parse().ok()?, prefix))
        }
        "ip6" => {
            let (network, prefix) = split_network(argument?, 128)?;
            Some(Mechanism::Ip6(network.parse().ok()?, prefix))
        }
        _ => None,
    }
}

fn split_network(text: &str, longest: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        None => Some((text, longest)),
        Some((network, prefix)) => Some((network, prefix_length(prefix, longest)?)),
    }
}

/// `dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]`, read from the end, because a domain-spec may contain
/// slashes, too.
fn read_host(rest: &str) -> Option<HostSpec> {
    let (rest, prefix6) = match rest.rsplit_once("//") {
        Some((before, digits)) if is_digits(digits) => (before, prefix_length(digits, 128)?),
        _ => (rest, 128),
    };
    let (rest, prefix4) = match rest.rsplit_once('/') {
        Some((before, digits)) if is_digits(digits) => (before, prefix_length(digits, 32)?),
        _ => (rest, 32),
    };
    let domain = match rest {
        "" => None,
        _ => Some(DomainSpec::parse(rest.strip_prefix(':')?)?),
    };
    Some(HostSpec { domain, prefix4, prefix6 })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `ip4-cidr-length = "/" ("0" / %x31-39 0*1DIGIT)`: no leading zero, no sign.
fn prefix_length(digits: &str, longest: u8) -> Option<u8> {
    if !is_digits(digits) || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    digits.parse().ok().filter(|length| *length <= longest)
}
