//! The vault: seals and opens stored secrets with AES-256-GCM (NIST SP 800-38D), by ring. A random 96-bit nonce stands
//! before each ciphertext, the id of the master key beside it. The row's identity is associated data, so that a
//! ciphertext that was moved to another row does not open.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::prelude::*;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::{CoreError, Credentials, LoginSecret, MailboxId, Password, Timestamp};
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, is_duplicate};
use crate::store::schema::{
    idempotency_records as answers, import_rows, mailboxes, master_keys, providers, sending_domains, webhooks,
};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const CHECK_TEXT: &[u8] = b"mailmoor master key";

/// The configured master keys; the first one encrypts, all of them decrypt.
pub struct KeyRing {
    keys: Vec<MasterKey>,
}

struct MasterKey {
    id: String,
    key: LessSafeKey,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|k| &k.id)).finish()
    }
}

impl KeyRing {
    /// Reads base64 of 32 bytes, or a comma-separated list of `id:base64`. A key without an id is named by a
    /// fingerprint of itself.
    ///
    /// # Errors
    /// A plain text that never contains the key.
    pub fn parse(text: &SecretString) -> Result<Self, String> {
        let keys = text.expose_secret().split(',').map(str::trim).filter(|part| !part.is_empty()).map(MasterKey::parse);
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err("the master key is empty".to_owned());
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|earlier| earlier.id == key.id) {
                return Err(format!("the master key id '{}' is used twice", key.id));
            }
        }
        Ok(Self { keys })
    }

    /// A new random key as base64, for a new key file.
    pub fn generate() -> Result<SecretString, String> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(&mut *bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(SecretString::from(STANDARD.encode(*bytes)))
    }
}

impl MasterKey {
    fn parse(part: &str) -> Result<Self, String> {
        let (id, encoded) = part.split_once(':').map_or((None, part), |(id, key)| (Some(id.trim()), key.trim()));
        let bytes =
            STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| "a master key is not valid base64".to_owned())?;
        if bytes.len() != KEY_BYTES {
            return Err(format!("a master key has {} bytes instead of {KEY_BYTES}", bytes.len()));
        }
        let fingerprint = || hex(&digest::digest(&digest::SHA256, &bytes).as_ref()[..4]);
        let id = id.map_or_else(fingerprint, str::to_owned);
        if id.is_empty() || id.len() > 64 {
            return Err("a master key id has 1 to 64 characters".to_owned());
        }
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| "a master key cannot be used".to_owned())?;
        Ok(Self { id, key: LessSafeKey::new(key) })
    }
}

/// A ciphertext and the id of the key that made it.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) bytes: Vec<u8>,
}

/// The key ring, checked against the database.
pub(crate) struct Vault {
    ring: KeyRing,
    random: SystemRandom,
}

/// The clear text of a mailbox's sealed credentials.
#[derive(Serialize, Deserialize)]
struct ClearCredentials {
    smtp: ClearLogin,
    imap: ClearLogin,
}

#[derive(Serialize, Deserialize)]
struct ClearLogin {
    username: String,
    password: String,
}

impl Vault {
    /// Proves that each configured key is the one that was used under its id before, and that no needed key is missing.
    /// New keys are registered.
    pub(crate) fn unlock(ring: KeyRing, conn: &mut Conn) -> Result<Self, CoreError> {
        let vault = Self { ring, random: SystemRandom::new() };
        vault.check_keys(conn).map_err(CoreError::from)?;
        Ok(vault)
    }

    fn check_keys(&self, conn: &mut Conn) -> Result<(), TxError> {
        let refuse = |text: String| TxError::Domain(CoreError::Internal(text));
        let known: Vec<(String, Vec<u8>)> =
            master_keys::table.select((master_keys::id, master_keys::check_value)).load(conn)?;
        for (id, check) in &known {
            let Some(key) = self.ring.keys.iter().find(|key| &key.id == id) else {
                let (mailboxes, others) = sealed_with(conn, id)?;
                if mailboxes + others == 0 && known.len() > 1 {
                    continue;
                }
                return Err(refuse(format!(
                    "the master key '{id}' is missing: {mailboxes} mailbox(es) and {others} other secret(s) were sealed with it. Configure the key that this database was made with"
                )));
            };
            if open_with(key, &check_aad(id), check.clone()).as_deref() != Some(CHECK_TEXT) {
                return Err(refuse(format!("the master key '{id}' is not the key that was used under this id before")));
            }
        }
        for key in self.ring.keys.iter().filter(|key| known.iter().all(|(id, _)| id != &key.id)) {
            let row = (
                master_keys::id.eq(&key.id),
                master_keys::check_value.eq(self.seal_with(key, &check_aad(&key.id), CHECK_TEXT)?),
                master_keys::created_at.eq(Timestamp::now().millis()),
            );
            match diesel::insert_into(master_keys::table).values(row).execute(conn) {
                // Another process that starts at the same time registered it: check against that one.
                Err(error) if is_duplicate(&error) => return self.check_keys(conn),
                other => other?,
            };
        }
        Ok(())
    }

    /// Seals both legs' secrets for one mailbox.
    pub(crate) fn seal_credentials(&self, mailbox: MailboxId, credentials: &Credentials) -> Result<Sealed, CoreError> {
        let mut clear = ClearCredentials { smtp: clear(&credentials.smtp), imap: clear(&credentials.imap) };
        let json = serde_json::to_vec(&clear).map(Zeroizing::new);
        clear.smtp.password.zeroize();
        clear.imap.password.zeroize();
        let json = json.map_err(|e| CoreError::Internal(format!("credentials cannot be serialised: {e}")))?;
        self.seal(&mailbox_location(mailbox), &json)
    }

    /// Opens what [`Self::seal_credentials`] made for the same mailbox.
    pub(crate) fn open_credentials(&self, mailbox: MailboxId, sealed: Sealed) -> Result<Credentials, CoreError> {
        let location = mailbox_location(mailbox);
        let key_id = sealed.key_id.clone();
        let json = self.open(&location, sealed)?;
        let clear: ClearCredentials = serde_json::from_slice(&json).map_err(|_| unreadable(&location, &key_id))?;
        let login =
            |clear: ClearLogin| LoginSecret { username: clear.username, password: Password::new(clear.password) };
        Ok(Credentials { smtp: login(clear.smtp), imap: login(clear.imap) })
    }

    /// Seals a secret for one location, such as `provider:66c0ffee12ab34cd56ef7890:password`. It opens only there.
    pub(crate) fn seal(&self, location: &str, secret: &[u8]) -> Result<Sealed, CoreError> {
        let key = self.ring.keys.first().ok_or_else(|| CoreError::Internal("no master key".to_owned()))?;
        Ok(Sealed { key_id: key.id.clone(), bytes: self.seal_with(key, location.as_bytes(), secret)? })
    }

    /// Opens what [`Self::seal`] made for the same location.
    pub(crate) fn open(&self, location: &str, sealed: Sealed) -> Result<Zeroizing<Vec<u8>>, CoreError> {
        let key = self.ring.keys.iter().find(|key| key.id == sealed.key_id);
        let clear = key.and_then(|key| open_with(key, location.as_bytes(), sealed.bytes)).map(Zeroizing::new);
        clear.ok_or_else(|| unreadable(location, &sealed.key_id))
    }

    /// As [`Self::open`], for a secret that is text.
    pub(crate) fn open_password(&self, location: &str, sealed: Sealed) -> Result<Password, CoreError> {
        let key_id = sealed.key_id.clone();
        let bytes = self.open(location, sealed)?;
        std::str::from_utf8(&bytes).map(Password::new).map_err(|_| unreadable(location, &key_id))
    }

    fn seal_with(&self, key: &MasterKey, aad: &[u8], clear: &[u8]) -> Result<Vec<u8>, CoreError> {
        let fault = |_| CoreError::Internal("a secret cannot be sealed".to_owned());
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce).map_err(fault)?;
        let mut body = clear.to_vec();
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body)
            .map_err(fault)?;
        Ok([&nonce[..], &body[..]].concat())
    }
}

/// True when any master key was ever used here.
pub(crate) fn any_key_known(conn: &mut Conn) -> Result<bool, TxError> {
    Ok(master_keys::table.count().get_result::<i64>(conn)? > 0)
}

/// The number of mailboxes, and of other secrets, that only this master key opens.
fn sealed_with(conn: &mut Conn, key_id: &str) -> QueryResult<(i64, i64)> {
    let mailboxes = mailboxes::table.filter(mailboxes::credentials_key_id.eq(key_id)).count().get_result(conn)?;
    let rows: i64 = import_rows::table.filter(import_rows::credentials_key_id.eq(key_id)).count().get_result(conn)?;
    let providers: i64 = providers::table.filter(providers::password_key_id.eq(key_id)).count().get_result(conn)?;
    let domains: i64 =
        sending_domains::table.filter(sending_domains::dkim_key_id.eq(key_id)).count().get_result(conn)?;
    let of_answers = answers::fingerprint_key_id.eq(key_id).or(answers::answer_key_id.eq(key_id).assume_not_null());
    let answers: i64 = answers::table.filter(of_answers).count().get_result(conn)?;
    let of_webhooks =
        webhooks::secret_key_id.eq(key_id).or(webhooks::previous_secret_key_id.eq(key_id).assume_not_null());
    let webhooks: i64 = webhooks::table.filter(of_webhooks).count().get_result(conn)?;
    Ok((mailboxes, rows + providers + domains + answers + webhooks))
}

fn open_with(key: &MasterKey, aad: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_at_mut_checked(NONCE_BYTES)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    key.key.open_in_place(nonce, Aad::from(aad), body).ok().map(|clear| clear.to_vec())
}

fn mailbox_location(mailbox: MailboxId) -> String {
    format!("mailbox:{mailbox}:credentials")
}

fn unreadable(location: &str, key_id: &str) -> CoreError {
    CoreError::Internal(format!("the secret at {location} cannot be opened with master key '{key_id}'"))
}

fn check_aad(key_id: &str) -> Vec<u8> {
    format!("master-key:{key_id}").into_bytes()
}

fn clear(login: &LoginSecret) -> ClearLogin {
    ClearLogin { username: login.username.clone(), password: login.password.expose().to_owned() }
}

/// Lower-case hexadecimal digits, two for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn vault(keys: &str) -> Vault {
        Vault { ring: KeyRing::parse(&SecretString::from(keys)).unwrap(), random: SystemRandom::new() }
    }

    fn credentials() -> Credentials {
        let login = |p: &str| LoginSecret { username: "dana".into(), password: Password::new(p) };
        Credentials { smtp: login("s3cret one"), imap: login("s3cret two") }
    }

    #[test]
    fn opens_only_for_its_own_row_and_key() {
        let one = KeyRing::generate().unwrap();
        let two = KeyRing::generate().unwrap();
        let (one, two) = (one.expose_secret(), two.expose_secret());
        let old = vault(&format!("a:{one}"));
        let id = MailboxId::new();
        let sealed = || old.seal_credentials(id, &credentials()).unwrap();

        assert!(!sealed().bytes.windows(6).any(|w| w == b"s3cret"));
        assert_ne!(sealed().bytes, sealed().bytes, "nonces are random");
        assert_eq!(old.open_credentials(id, sealed()).unwrap(), credentials());
        assert_eq!(vault(&format!("b:{two},a:{one}")).open_credentials(id, sealed()).unwrap(), credentials());

        assert!(old.open_credentials(MailboxId::new(), sealed()).is_err(), "moved to another row");
        assert!(vault(&format!("a:{two}")).open_credentials(id, sealed()).is_err(), "another key");
        assert!(vault(&format!("b:{two}")).open_credentials(id, sealed()).is_err(), "missing key");
        let mut bent = sealed();
        *bent.bytes.last_mut().unwrap() ^= 1;
        assert!(old.open_credentials(id, bent).is_err(), "changed ciphertext");
    }

    #[test]
    fn bad_rings_are_named_without_showing_them() {
        for bad in ["", "AAAA", "not base64!", "a:b:c", &format!("a:{0},a:{0}", STANDARD.encode([7; 32]))] {
            let error = KeyRing::parse(&SecretString::from(bad)).unwrap_err();
            assert!(!error.contains("AAAA") && !error.contains("BwcH"), "{error}");
        }
    }
}
