//! Signatures that the dialects share: an HMAC over the body, and the headers of Standard Webhooks
//! (standardwebhooks.com, version 1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use shared_models::domain::Timestamp;
use shared_models::domain::webhooks::{WebhookJob, WebhookSecret};

/// `sha256=` and the HMAC-SHA256 of the body in hexadecimal. The key is the whole text of the secret.
pub fn of_body(secret: &WebhookSecret, body: &str) -> String {
    let tag = signed(secret.expose().as_bytes(), body.as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// The headers of Standard Webhooks for an event with this id. While a replaced secret is still valid there are two
/// signatures, that of the new secret first; a receiver accepts a post if one of them fits.
pub fn standard_headers(job: &WebhookJob, id: String, now: Timestamp) -> [(&'static str, String); 3] {
    let seconds = now.millis().div_euclid(1000).to_string();
    let secrets = [Some(&job.secret), job.previous_secret.as_ref()];
    let signatures: Vec<String> =
        secrets.into_iter().flatten().map(|secret| standard(secret, &id, &seconds, &job.body)).collect();
    [("webhook-signature", signatures.join(" ")), ("webhook-timestamp", seconds), ("webhook-id", id)]
}

/// The signature of one secret over id, time and body.
fn standard(secret: &WebhookSecret, id: &str, seconds: &str, body: &str) -> String {
    let tag = signed(&standard_key(secret.expose()), format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

/// The key as the published libraries derive it from the text of a secret: they strip `whsec_`, if it is there, and
/// decode the rest as base64, which 64 hexadecimal digits happen to be as well. They refuse a text that does not decode
/// unless it is declared as raw (`format: "raw"`); then its bytes are the key.
fn standard_key(text: &str) -> Vec<u8> {
    let encoded = text.strip_prefix(WebhookSecret::PREFIX).unwrap_or(text);
    STANDARD.decode(encoded).unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn signed(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let secret = WebhookSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, seconds) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let signature = standard(&secret, id, seconds, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// RFC 4231 section 4.3.
    #[test]
    fn the_signature_over_the_body_is_plain_hmac() {
        let signature = of_body(&WebhookSecret::new("Jefe"), "what do ya want for nothing?");
        assert_eq!(signature, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn the_key_is_that_of_the_published_libraries() {
        for (text, key) in [
            ("whsec_AP8=", &[0, 0xff][..]),
            ("AP8=", &[0, 0xff]),
            ("0aff", &[0xd1, 0xa7, 0xdf]),
            ("not base64", b"not base64"),
            ("whsec_not base64", b"whsec_not base64"),
            ("AP8", b"AP8"),
        ] {
            assert_eq!(standard_key(text), key, "{text}");
        }
    }
}
