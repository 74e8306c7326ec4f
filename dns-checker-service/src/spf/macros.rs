//! Macros in SPF records (RFC 7208 section 7).

use std::net::IpAddr;

/// `domain-spec = macro-string domain-end`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Macro(Macro),
}

/// `macro-expand = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"`
#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    /// The macro letter in lower case.
    letter: char,
    /// True for an upper-case letter, which asks for URL escaping.
    escape: bool,
    /// Right-hand parts to keep; `None` keeps all.
    keep: Option<usize>,
    reverse: bool,
    /// Empty stands for the dot.
    delimiters: String,
}

/// The values of the macro letters for one message (section 7.2).
#[derive(Clone, Debug)]
pub struct MacroValues<'a> {
    /// `s`: MAIL FROM, with the local part "postmaster" where it has none.
    pub sender: &'a str,
    /// `d`: the domain whose record is evaluated.
    pub domain: &'a str,
    /// `i`, `v`: the address of the client.
    pub ip: IpAddr,
    /// `h`: the HELO name.
    pub helo: &'a str,
    /// `p`: the validated reverse name, "unknown" where there is none.
    pub validated_name: &'a str,
}

impl DomainSpec {
    /// Reads the text after `:` or `=`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (parts, ends_in_expand) = read_macro_string(text)?;
        let ends_well = match parts.last()? {
            Part::Literal(literal) if !ends_in_expand => ends_in_top_label(literal),
            _ => true,
        };
        ends_well.then_some(Self { parts })
    }

    /// True if `text` is a macro-string, as the value of an unknown modifier has to be.
    pub(super) fn is_macro_string(text: &str) -> bool {
        read_macro_string(text).is_some()
    }

    /// The name, if it is the same for every message: without macros, or with none but the domain of the record.
    #[must_use]
    pub fn fixed(&self, domain: &str) -> Option<String> {
        let message_needed = self.parts.iter().any(|part| matches!(part, Part::Macro(found) if found.letter != 'd'));
        if message_needed {
            return None;
        }
        Some(self.expand(&MacroValues {
            sender: "",
            domain,
            ip: IpAddr::from([0, 0, 0, 0]),
            helo: "",
            validated_name: "",
        }))
    }

    /// True if the expansion needs the reverse name of the client.
    #[must_use]
    pub fn uses_validated_name(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Macro(found) if found.letter == 'p'))
    }

    /// The name for one message: in lower case, without the trailing dot, shortened from the left to 253 octets
    /// (section 7.3).
    #[must_use]
    pub fn expand(&self, values: &MacroValues<'_>) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => name.push_str(literal),
                Part::Macro(found) => name.push_str(&found.expand(values)),
            }
        }
        let mut name = name.to_ascii_lowercase();
        if name.ends_with('.') {
            name.pop();
        }
        while name.len() > 253 {
            match name.split_once('.') {
                Some((_, shorter)) => name = shorter.to_owned(),
                None => break,
            }
        }
        name
    }
}

impl Macro {
    fn expand(&self, values: &MacroValues<'_>) -> String {
        let (local_part, sender_domain) = values.sender.rsplit_once('@').unwrap_or(("postmaster", values.sender));
        let value = match self.letter {
            's' => values.sender.to_owned(),
            'l' => local_part.to_owned(),
            'o' => sender_domain.to_owned(),
            'd' => values.domain.to_owned(),
            'i' => dotted(values.ip),
            'p' => values.validated_name.to_owned(),
            'h' => values.helo.to_owned(),
            _ => (if values.ip.is_ipv4() { "in-addr" } else { "ip6" }).to_owned(),
        };
        let delimiters = if self.delimiters.is_empty() { "." } else { &self.delimiters };
        let mut pieces: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if self.reverse {
            pieces.reverse();
        }
        let skip = self.keep.map_or(0, |keep| pieces.len().saturating_sub(keep));
        let joined = pieces[skip..].join(".");
        if self.escape { percent_encode(&joined) } else { joined }
    }
}

/// The value of the macro letter `i`: an IPv6 address is written as dotted nibbles (section 7.3).
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles: Vec<String> = ip
                .octets()
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 0x0f])
                .map(|nibble| format!("{nibble:x}"))
                .collect();
            nibbles.join(".")
        }
    }
}

/// Escapes everything but the unreserved characters of RFC 3986 section 2.3.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// `macro-string = *( macro-expand / macro-literal )`, `macro-literal = %x21-24 / %x26-7E`. The second value is true if
/// the last element is a macro-expand.
fn read_macro_string(text: &str) -> Option<(Vec<Part>, bool)> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut ends_in_expand = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        ends_in_expand = first == '%';
        if first != '%' {
            if !first.is_ascii_graphic() {
                return None;
            }
            literal.push(first);
            rest = &rest[1..];
            continue;
        }
        match rest.as_bytes().get(1)? {
            b'%' => literal.push('%'),
            b'_' => literal.push(' '),
            b'-' => literal.push_str("%20"),
            b'{' => {
                let end = rest.find('}')?;
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::Macro(read_macro(&rest[2..end])?));
                rest = &rest[end + 1..];
                continue;
            }
            _ => return None,
        }
        rest = &rest[2..];
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Some((parts, ends_in_expand))
}

/// `macro-letter transformers *delimiter`, `transformers = *DIGIT [ "r" ]`. The letters c, r and t are for explanations
/// only.
fn read_macro(text: &str) -> Option<Macro> {
    let first = text.chars().next()?;
    let letter = first.to_ascii_lowercase();
    if !"slodiphv".contains(letter) {
        return None;
    }
    let rest = &text[1..];
    let after_digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &rest[..rest.len() - after_digits.len()];
    let keep = match digits {
        "" => None,
        // Section 7.1: the number must not be zero; a huge one keeps everything.
        _ => Some(digits.parse::<usize>().unwrap_or(usize::MAX)).filter(|keep| *keep > 0),
    };
    if !digits.is_empty() && keep.is_none() {
        return None;
    }
    let delimiters = after_digits.trim_start_matches(['r', 'R']);
    let reversals = after_digits.len() - delimiters.len();
    if reversals > 1 || !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
        return None;
    }
    Some(Macro {
        letter,
        escape: first.is_ascii_uppercase(),
        keep,
        reverse: reversals == 1,
        delimiters: delimiters.to_owned(),
    })
}

/// `domain-end = ( "." toplabel [ "." ] ) / macro-expand`. A toplabel consists of letters, digits and inner hyphens, and
/// not of digits alone.
fn ends_in_top_label(literal: &str) -> bool {
    let name = literal.strip_suffix('.').unwrap_or(literal);
    let Some((_, label)) = name.rsplit_once('.') else {
        return false;
    };
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.bytes().all(|byte| byte.is_ascii_digit())
}
