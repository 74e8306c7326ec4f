//! Keys for DKIM signatures (RFC 6376): RSA with 2048 bits, which every receiver can check (RFC 8301 section 3.2) and
//! which fit a text record. OpenSSL makes them, because ring makes no RSA keys.

use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::domain::CoreError;
use crate::domain::sending_domains::DkimPublicKey;
use crate::store::core::blocking::blocking;
use crate::store::core::error::unavailable;
use crate::store::core::vault::hex;

const BITS: u32 = 2048;

/// A new key pair, not stored yet.
pub(crate) struct NewKey {
    /// The selector is new, too, so that no resolver has cached another key under its name.
    pub(crate) public: DkimPublicKey,
    /// PKCS #8 (RFC 5958) in PEM.
    pub(crate) private_pem: Zeroizing<Vec<u8>>,
}

/// Permits to make a key. Half of the processors are left to everybody else.
static MAKING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))));
/// Longest wait for a free permit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a key pair as soon as a permit is free.
///
/// # Errors
/// `Unavailable` if too many keys are requested at the same time.
pub(crate) async fn new_key() -> Result<NewKey, CoreError> {
    let turn = tokio::time::timeout(PATIENCE, MAKING.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(unavailable("too many DKIM keys are asked for")) };
    blocking(generate).await
}

/// Takes up to a second of one processor.
fn generate() -> Result<NewKey, CoreError> {
    // OpenSSL's messages name the failed step, and nothing of the key.
    let fault = |error: ErrorStack| CoreError::Internal(format!("no DKIM key could be made: {error}"));
    let key = Rsa::generate(BITS).and_then(PKey::from_rsa).map_err(fault)?;
    let private_pem = key.private_key_to_pem_pkcs8().map(Zeroizing::new).map_err(fault)?;
    let base64 = STANDARD.encode(key.public_key_to_der().map_err(fault)?);
    Ok(NewKey { public: DkimPublicKey { selector: format!("mm{}", random_hex::<4>()?), base64 }, private_pem })
}

/// Random bytes in hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, CoreError> {
    let mut bytes = [0; BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| CoreError::Internal("the system gives no random numbers".to_owned()))?;
    Ok(hex(&bytes))
}
