//! The part of DER that is needed to find the length of an RSA key.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// `AlgorithmIdentifier { rsaEncryption, NULL }` without its header (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The size in bits of the modulus of an RSA public key.
///
/// RFC 6376 section 3.6.1 asks for an `RSAPublicKey`; in practice it is published inside a `SubjectPublicKeyInfo` (RFC 5280
/// section 4.1). Both are accepted. `None` if it is neither to the last octet.
pub(super) fn rsa_modulus_bits(der: &[u8]) -> Option<usize> {
    let body = whole(SEQUENCE, der)?;
    let key = match element(SEQUENCE, body) {
        Some((algorithm, rest)) if algorithm == RSA_ENCRYPTION => {
            let bits = whole(BIT_STRING, rest)?;
            let (unused_bits, key) = bits.split_first()?;
            if *unused_bits != 0 {
                return None;
            }
            whole(SEQUENCE, key)?
        }
        Some(_) => return None,
        None => body,
    };
    let (modulus, rest) = element(INTEGER, key)?;
    whole(INTEGER, rest)?; // the exponent
    let magnitude = match modulus {
        [0, magnitude @ ..] => magnitude,
        [first, ..] if *first < 0x80 => modulus,
        _ => return None, // negative
    };
    let leading = magnitude.first()?.leading_zeros() as usize;
    Some(magnitude.len() * 8 - leading)
}

/// The content of the only element in `der`.
fn whole(tag: u8, der: &[u8]) -> Option<&[u8]> {
    let (content, rest) = element(tag, der)?;
    rest.is_empty().then_some(content)
}

/// The content of the first element, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&[length], rest) = rest.split_first_chunk::<1>()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (&length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(length)), rest)
        }
        _ => return None, // longer than any TXT record
    };
    rest.split_at_checked(length)
}
