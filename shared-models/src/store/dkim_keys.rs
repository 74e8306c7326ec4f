//! Keys for DKIM signatures (RFC 6376): RSA of 2048 bits, which every receiver can check (RFC 8301 section
//! 3.2) and which fits a text record. From OpenSSL, because ring makes no RSA keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::vault::hex;
use crate::domain::DomainError;
use crate::domain::domains::DkimPublicKey;

const BITS: u32 = 2048;

/// A new key.
pub(super) struct NewKey {
    /// With a selector of its own, so that no resolver remembers another key under its name.
    pub(super) public: DkimPublicKey,
    /// PKCS #8 (RFC 5958) in PEM.
    pub(super) private_pem: Zeroizing<Vec<u8>>,
}

/// Makes a key. Takes up to a second of one processor.
pub(super) fn generate() -> Result<NewKey, DomainError> {
    // The words of OpenSSL say which step failed, nothing of the key.
    let fault = |error: ErrorStack| DomainError::Internal(format!("no DKIM key could be made: {error}"));
    let key = Rsa::generate(BITS).and_then(PKey::from_rsa).map_err(fault)?;
    let private_pem = key.private_key_to_pem_pkcs8().map(Zeroizing::new).map_err(fault)?;
    let base64 = STANDARD.encode(key.public_key_to_der().map_err(fault)?);
    Ok(NewKey { public: DkimPublicKey { selector: format!("mm{}", random_hex::<4>()?), base64 }, private_pem })
}

/// So many random bytes, in hex.
pub(super) fn random_hex<const BYTES: usize>() -> Result<String, DomainError> {
    let mut bytes = [0; BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| DomainError::Internal("the system gives no random numbers".to_owned()))?;
    Ok(hex(&bytes))
}
