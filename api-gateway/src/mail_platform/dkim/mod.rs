//! Signatures of mail (DKIM, RFC 6376): rsa-sha256, relaxed canonicalisation of header and body, over all of the
//! body.

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

/// Name of the header field that a signature is.
pub(super) const SIGNATURE_FIELD: &str = "DKIM-Signature";

/// What is signed of a header: what RFC 6376 section 5.4.1 recommends, what tells how the body is to be read (section
/// 8.1.3 says why), and what makes up a one-click unsubscription (RFC 8058 section 4).
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

/// Octets that the signed part of a header may have. A list of 1000 recipients takes less than 100 kB.
const MAX_HEADER: usize = 256 * 1024;
/// Fields that it may have; most have their place only once.
const MAX_FIELDS: usize = 100;
/// Octets in a line of a signature, more or less (RFC 5322 section 2.1.1).
const LINE: usize = 72;

/// The signed part of the header is larger than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// What there is to be signed of a message.
pub(super) struct Unsigned {
    /// The fields in canonical form, from the top of the message to its end.
    fields: Vec<(&'static str, Vec<u8>)>,
    size: usize,
    body: BodyHash,
}

impl Unsigned {
    pub(super) fn new() -> Self {
        Self { fields: vec![], size: 0, body: BodyHash::new() }
    }

    /// The next field of the header. `value` is everything behind the colon, folded by LF or CR LF.
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

    /// The next piece of the body, with lines that end in CR LF.
    pub(super) fn body(&mut self, piece: &[u8]) {
        self.body.update(piece);
    }

    /// The value of the field [`SIGNATURE_FIELD`], folded by LF, to be put in front of all that it signs.
    ///
    /// # Errors
    /// When the key is none.
    pub(super) fn sign(self, signer: &DkimSigner, now: Timestamp) -> Result<String, ErrorStack> {
        let mut names = String::new();
        let mut text = vec![];
        // Of several fields of a name the last one is signed first (RFC 6376 section 5.4.2).
        for (name, field) in self.fields.iter().rev() {
            list(&mut names, name);
            text.extend_from_slice(field);
            text.extend_from_slice(b"\r\n");
        }
        // Once more than there is one, so that nobody can add another (section 5.4).
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

/// Adds a name to a list with colons between them.
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
