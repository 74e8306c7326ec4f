#![allow(clippy::unwrap_used)]
use openssl::pkey::Public;
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use secrecy::SecretString;

use super::*;

/// Signed by dkimpy 1.1.8, another implementation, with a key that was thrown away. Its lines end in CR LF.
const SIGNED_ELSEWHERE: &str = include_str!("signed.eml");
/// The public half, as it is published.
const ITS_KEY: &str = include_str!("signed.pub");

/// The fields of a message with what is behind their colons, and its body.
fn parts(message: &str) -> (Vec<(&str, &str)>, &str) {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let mut fields = vec![];
    let mut rest = header;
    while !rest.is_empty() {
        let end = rest.match_indices("\r\n").find(|(at, _)| !rest[at + 2..].starts_with([' ', '\t']));
        let (field, behind) = end.map_or((rest, ""), |(at, _)| (&rest[..at], &rest[at + 2..]));
        fields.push(field.split_once(':').unwrap());
        rest = behind;
    }
    (fields, body)
}

/// True if the first signature is valid, verified as a receiver does it (RFC 6376 section 6.1.3).
fn is_valid(message: &str, key: &PKey<Public>) -> bool {
    let (fields, body) = parts(message);
    let (_, signature) = fields.iter().find(|(name, _)| *name == SIGNATURE_FIELD).unwrap();
    let tag = |name: &str| -> String {
        let tags = signature.split(';').map(|tag| tag.trim().split_once('=').unwrap());
        let value = tags.into_iter().find(|(tag, _)| *tag == name).unwrap().1;
        value.split_whitespace().collect()
    };
    let mut hash = BodyHash::new();
    hash.update(body.as_bytes());
    if STANDARD.encode(hash.finish()) != tag("bh") {
        return false;
    }
    let mut left: Vec<_> = fields.iter().filter(|(name, _)| *name != SIGNATURE_FIELD).collect();
    let mut text = vec![];
    for name in tag("h").split(':') {
        if let Some(at) = left.iter().rposition(|(field, _)| field.trim().eq_ignore_ascii_case(name)) {
            text.extend(canonical::header(name, left.remove(at).1.as_bytes()));
            text.extend(b"\r\n");
        }
    }
    let unsigned = &signature[..signature.rfind("b=").unwrap() + 2];
    text.extend(canonical::header(SIGNATURE_FIELD, unsigned.as_bytes()));
    let signature = STANDARD.decode(tag("b")).unwrap();
    Verifier::new(MessageDigest::sha256(), key).unwrap().verify_oneshot(&signature, &text).unwrap()
}

fn signer() -> (DkimSigner, PKey<Public>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let private = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let (domain, selector) = ("acme.example".to_owned(), "mm12345678".to_owned());
    let public = PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap();
    (DkimSigner { domain, selector, private_key: SecretString::from(private) }, public)
}

/// Prepends a signature to the message. It is made from fields folded by LF and from pieces of the body, which is the
/// form in which Postfix passes them to a milter.
fn signed(message: &str, signer: &DkimSigner) -> String {
    let (fields, body) = parts(message);
    let mut unsigned = Unsigned::new();
    for (name, value) in fields {
        unsigned.header(name.as_bytes(), value.replace("\r\n", "\n").as_bytes()).unwrap();
    }
    body.as_bytes().chunks(7).for_each(|piece| unsigned.body(piece));
    let value = unsigned.sign(signer, Timestamp::from_millis(1_800_000_000_999)).unwrap();
    format!("{SIGNATURE_FIELD}:{}\r\n{message}", value.replace('\n', "\r\n"))
}

#[test]
fn the_signature_of_another_implementation_is_understood() {
    let message = SIGNED_ELSEWHERE.replace('\n', "\r\n");
    let key = PKey::public_key_from_der(&STANDARD.decode(ITS_KEY.trim()).unwrap()).unwrap();
    assert!(is_valid(&message, &key));
    for (is, was) in [("Hallo", "Hello"), ("ben@evil", "ben@other"), ("\r\nSubject: a", "\r\nSubject:")] {
        let changed = message.replacen(was, is, 1);
        assert!(changed != message && !is_valid(&changed, &key), "{was}");
    }
}

#[test]
fn a_signature_holds_until_something_is_changed() {
    let (signer, key) = signer();
    let message = "Received: from x\r\nFrom: Kim <kim@acme.example>\r\nto: a@b.example,\r\n\tc@d.example\r\n\
        Subject:  two  \r\nX-Other: x\r\nTo: e@f.example\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n\
        hello \r\n\r\n";
    let message = signed(message, &signer);
    assert!(is_valid(&message, &key), "{message}");
    assert!(
        message.starts_with(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=acme.example;\r\n\ts=mm12345678; t=1800000000;"
        ),
        "{message}"
    );
    assert!(message.contains("h=list-unsubscribe-post:to:subject:to:from:from;\r\n"), "{message}");
    assert!(message.lines().all(|line| line.len() < 100), "{message}");
    for (was, is, holds) in [
        ("hello \r\n\r\n", "hello\t\r\n", true),
        ("X-Other: x", "X-Other: y", true),
        ("Received: from x\r\n", "", true),
        ("Subject:  two  ", "SUBJECT:\r\n two", true),
        ("Subject:  two", "Subject: three", false),
        ("e@f.example", "e@g.example", false),
        ("To: e@f.example\r\n", "", false),
        ("hello", "hallo", false),
        ("X-Other: x", "From: ceo@acme.example", false),
        ("t=1800000000", "t=1800000001", false),
    ] {
        let changed = message.replacen(was, is, 1);
        assert_ne!(changed, message);
        assert_eq!(is_valid(&changed, &key), holds, "{was}");
    }
}

#[test]
fn all_that_may_be_signed_fits() {
    let (signer, key) = signer();
    let fields: String = SIGNED.iter().map(|name| format!("{name}: {}\r\n", "x y ".repeat(600))).collect();
    let message = signed(&format!("{fields}\r\n"), &signer);
    assert!(is_valid(&message, &key));
    let signature = message.split_once("\r\nfrom:").unwrap().0;
    assert!(signature.lines().all(|line| line.len() < 100), "{signature}");
}

#[test]
fn a_header_that_is_too_large_is_not_kept() {
    let mut unsigned = Unsigned::new();
    assert_eq!(unsigned.header(b"X-Large", &vec![b'x'; MAX_HEADER + 1]), Ok(()));
    assert_eq!(unsigned.header(b"To", &vec![b'x'; MAX_HEADER]), Ok(()));
    assert_eq!(unsigned.header(b"CC", b"x"), Err(TooLarge));
    let mut unsigned = Unsigned::new();
    assert!((0..MAX_FIELDS).all(|_| unsigned.header(b"to", b"").is_ok()));
    assert_eq!(unsigned.header(b"to", b""), Err(TooLarge));
}

#[test]
fn what_is_no_key_signs_nothing() {
    let (signer, _) = signer();
    let signer = DkimSigner { private_key: SecretString::from("sesame"), ..signer };
    let error = Unsigned::new().sign(&signer, Timestamp::from_millis(0)).unwrap_err();
    assert!(!error.to_string().contains("sesame"), "{error}");
}
