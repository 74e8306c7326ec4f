//! A DKIM key record, read strictly (RFC 6376 section 3.6.1, RFC 8301, RFC 8463).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::der::rsa_modulus_bits;
use crate::tag_list::TagList;

/// The defect that makes a key useless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A text that was not meant as a key.
    #[error("not a key record")]
    NotAKey,
    /// `p=` is empty.
    #[error("revoked")]
    Revoked,
    /// Not base64, cut off, or no such key inside.
    #[error("the key cannot be read")]
    BadKey,
    /// RSA with this number of bits, fewer than receivers may accept (RFC 8301 section 3.2).
    #[error("RSA key of {0} bits")]
    TooShort(usize),
    /// `k=` names a type that receivers do not know.
    #[error("key type {0:?}")]
    UnknownType(String),
    /// `h=` excludes sha256 (RFC 8301 section 3.1).
    #[error("only for hashes that are not accepted")]
    NoUsableHash,
    /// `s=` excludes e-mail.
    #[error("not for e-mail")]
    NotForEmail,
}

/// A key that receivers can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type of the field says it")]
pub struct Key {
    pub strength: Strength,
    /// `t=y`: the domain is testing DKIM. (`t=s` is a restriction and no defect.)
    pub testing: bool,
}

/// Type and strength of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// RSA with the size of its modulus in bits.
    Rsa(usize),
    /// Ed25519 (RFC 8463).
    Ed25519,
}

/// Base64 as in MIME. Padding is often missing, which is harmless.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Reads the text of one key record:
/// `v=DKIM1` (optional), `k` (default rsa), `h`, `s`, `t`, `n`, and `p`, the key itself.
///
/// Unknown tags are ignored.
///
/// # Errors
/// [`KeyError`] if no receiver could use the key.
pub fn parse(text: &[u8]) -> Result<Key, KeyError> {
    let text = std::str::from_utf8(text).map_err(|_| KeyError::NotAKey)?;
    let tags = TagList::parse(text);
    match tags.get("v") {
        None | Some("DKIM1") => {}
        // Section 3.6.1: the value is case-sensitive.
        Some(version) if version.eq_ignore_ascii_case("DKIM1") => return Err(KeyError::BadKey),
        Some(_) => return Err(KeyError::NotAKey),
    }
    let meant_as_key = tags.get("v").is_some() || tags.get("k").is_some();
    let data = match tags.get("p") {
        Some(data) if tags.well_formed => data,
        _ if meant_as_key => return Err(KeyError::BadKey),
        _ => return Err(KeyError::NotAKey),
    };
    if tags.duplicate().is_some() {
        return Err(KeyError::BadKey);
    }
    if data.is_empty() {
        return Err(KeyError::Revoked);
    }
    if !allows(tags.get("s"), &["*", "email"]) {
        return Err(KeyError::NotForEmail);
    }
    if !allows(tags.get("h"), &["sha256"]) {
        return Err(KeyError::NoUsableHash);
    }
    let strength = read_key(tags.get("k").unwrap_or("rsa"), data)?;
    let testing = list(tags.get("t").unwrap_or_default()).any(|flag| flag == "y");
    Ok(Key { strength, testing })
}

fn read_key(kind: &str, data: &str) -> Result<Strength, KeyError> {
    if !["rsa", "ed25519"].contains(&kind) {
        return Err(KeyError::UnknownType(kind.to_owned()));
    }
    // Folding white space is allowed inside base64 (section 2.10).
    let data: String = data.split_ascii_whitespace().collect();
    let octets = BASE64.decode(data).map_err(|_| KeyError::BadKey)?;
    if kind == "ed25519" {
        // RFC 8463 section 4.2: the 32 octets, without any wrapping.
        return match octets.len() {
            32 => Ok(Strength::Ed25519),
            _ => Err(KeyError::BadKey),
        };
    }
    match rsa_modulus_bits(&octets).ok_or(KeyError::BadKey)? {
        bits if bits < 1024 => Err(KeyError::TooShort(bits)),
        bits => Ok(Strength::Rsa(bits)),
    }
}

/// True if a colon-separated tag is absent or has one of these values.
fn allows(value: Option<&str>, wanted: &[&str]) -> bool {
    value.is_none_or(|value| list(value).any(|item| wanted.contains(&item)))
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(str::trim)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDPn4DXyITGqcoacHunA+7aGwng";
    const RSA_512: &str = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAOKP7meciRhVXFEAalnrCI3PK+QMbZP2c/N1n2hRQlVvRzWC06/BJBLezsZhb+SaTipx91iwwUcQ2l7o/gAXo60CAwEAAQ==";
    const ED25519: &str = "mPhWo70R/qdUe80VakEvcFZYi6fV9YP+BGTRU5pRuGk=";

    fn rsa(bits: usize) -> String {
        // SEQUENCE { INTEGER n, INTEGER 65537 }, with only the size of n being of interest.
        let mut modulus = vec![0, 0x80];
        modulus.resize(bits / 8 + 1, 1);
        let mut inner = tlv(2, &modulus);
        inner.extend(tlv(2, &[1, 0, 1]));
        BASE64.encode(tlv(0x30, &inner))
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, 0x82];
        out.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        out.extend(content);
        out
    }

    #[test]
    fn reads_keys() {
        let ok = |text: String, strength| {
            let expected = Key { strength, testing: false };
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        };
        ok(format!("v=DKIM1; k=rsa; p={}", rsa(2048)), Strength::Rsa(2048));
        ok(format!("p={}", rsa(1024)), Strength::Rsa(1024));
        ok(format!("v=DKIM1;p={};t=s", rsa(4096)), Strength::Rsa(4096));
        ok(format!("v=DKIM1; k=ed25519; p={ED25519}"), Strength::Ed25519);
        ok(format!(" v = DKIM1 ; x=1; s=*:other; h=sha1:sha256; p= {} ;", rsa(2048)), Strength::Rsa(2048));
        let spaced = rsa(2048);
        let (a, b) = spaced.split_at(100);
        ok(format!("p={a} {b}"), Strength::Rsa(2048));
        let testing = parse(format!("t=s:y; p={}", rsa(2048)).as_bytes()).unwrap();
        assert!(testing.testing);
    }

    #[test]
    fn defects_are_named() {
        let good = rsa(2048);
        for (text, expected) in [
            ("hello world", KeyError::NotAKey),
            ("v=spf1 -all", KeyError::NotAKey),
            ("v=DMARC1; p=none", KeyError::NotAKey),
            ("v=DKIM1; k=rsa", KeyError::BadKey),
            ("v=DKIM1; p=", KeyError::Revoked),
            ("p=", KeyError::Revoked),
            ("v=DKIM1; p=***notbase64***", KeyError::BadKey),
            (&format!("v=DKIM1; p={RSA_1024}"), KeyError::BadKey),
            (&format!("v=DKIM1; p={RSA_512}"), KeyError::TooShort(512)),
            (&format!("v=dkim1; p={good}"), KeyError::BadKey),
            (&format!("p={good}; p={good}"), KeyError::BadKey),
            (&format!("k=dsa; p={good}"), KeyError::UnknownType("dsa".into())),
            (&format!("h=sha1; p={good}"), KeyError::NoUsableHash),
            (&format!("s=tlsrpt; p={good}"), KeyError::NotForEmail),
            (&format!("k=ed25519; p={good}"), KeyError::BadKey),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(expected), "{text}");
        }
    }
}
