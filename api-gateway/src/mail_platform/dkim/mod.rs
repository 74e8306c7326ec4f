//! DKIM signatures (RFC 6376): rsa-sha256, relaxed canonicalisation of header and body, over the whole body. The body
//! is hashed as it arrives.

mod canonical;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use canonical::BodyHash;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::ExposeSecret;
use shared_models::domain::Timestamp;
use shared_models::store::DkimSigner;

/// Name of the header field.
pub(super) const SIGNATURE_FIELD: &str = "DKIM-Signature";

/// The signed header fields: those that RFC 6376 section 5.4.1 recommends, those that determine how the body is
/// displayed (section 8.1.3), and those of one-click unsubscription (RFC 8058 section 4).
const SIGNED: [&str; 27] = [
    "from",
    "sender",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "to",
    "cc",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "in-reply-to",
    "references",
    "resent-date",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-message-id",
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
];

/// Upper bound of the signed fields of a message in octets. A list of 1000 recipients takes less than 100 kB.
const MAX_HEADER: usize = 256 * 1024;
/// Upper bound of the number of signed fields; most may occur only once.
const MAX_FIELDS: usize = 100;
/// Length at which the signature is folded, in octets; below the 78 of RFC 5322 section 2.1.1.
const LINE: usize = 72;

/// The signed fields exceed [`MAX_HEADER`] or [`MAX_FIELDS`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// The signed part of a message, while it arrives.
pub(super) struct Unsigned {
    /// Canonical fields, from the top of the header down.
    fields: Vec<(&'static str, Vec<u8>)>,
    size: usize,
    body: BodyHash,
}

impl Unsigned {
    pub(super) fn new() -> Self {
        Self { fields: vec![], size: 0, body: BodyHash::new() }
    }

    /// Adds the next field of the header. `value` is everything after the colon, folded by LF or CR LF.
    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) -> Result<(), TooLarge> {
        let Some(name) = SIGNED.into_iter().find(|signed| signed.as_bytes().eq_ignore_ascii_case(name)) else {
            return Ok(());
        };
        self.size = self.size.saturating_add(value.len());
        if self.size > MAX_HEADER || self.fields.len() == MAX_FIELDS {
            return Err(TooLarge);
        }
        self.fields.push((name, canonical::header(name, value)));
        Ok(())
    }

    /// Adds the next piece of the body, with lines that end in CR LF.
    pub(super) fn body(&mut self, piece: &[u8]) {
        self.body.update(piece);
    }

    /// The value of the field [`SIGNATURE_FIELD`], folded by LF. The field goes before all fields that it signs.
    ///
    /// # Errors
    /// When the private key is not valid PEM.
    pub(super) fn sign(self, signer: &DkimSigner, now: Timestamp) -> Result<String, ErrorStack> {
        let mut names = String::new();
        let mut text = vec![];
        // Several fields of one name are signed from the bottom up (RFC 6376 section 5.4.2).
        for (name, field) in self.fields.iter().rev() {
            list(&mut names, name);
            text.extend_from_slice(field);
            text.extend_from_slice(b"\r\n");
        }
        // Once more than it occurs: a second From: added later breaks the signature (section 5.4).
        list(&mut names, "from");
        let mut value = format!(
            " v=1; a=rsa-sha256; c=relaxed/relaxed; d={};\n\ts={}; t={};\n\tbh={};\n\th={names};\n\tb=",
            signer.domain,
            signer.selector,
            now.millis() / 1000,
            STANDARD.encode(self.body.finish()),
        );
        text.extend(canonical::header(SIGNATURE_FIELD, value.as_bytes()));
        let key = PKey::private_key_from_pem(signer.private_key.expose_secret().as_bytes())?;
        let signature = STANDARD.encode(Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(&text)?);
        for (at, letter) in signature.chars().enumerate() {
            if at > 0 && at % LINE == 0 {
                value.push_str("\n\t");
            }
            value.push(letter);
        }
        Ok(value)
    }
}

/// Appends a name to a list with colons between names.
fn list(names: &mut String, name: &str) {
    if !names.is_empty() {
        names.push(':');
    }
    let line = names.rsplit('\n').next().map_or(0, str::len);
    if line + name.len() > LINE {
        names.push_str("\n\t");
    }
    names.push_str(name);
}
