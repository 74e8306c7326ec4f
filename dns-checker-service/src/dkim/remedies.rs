//! Findings about DKIM keys: what to do in plain words, and the record that puts it right.

use shared_models::domain::diagnosis::known_providers::Operator;
use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode, KnownProvider};

use super::key::KeyError;

pub(super) fn missing(domain: &str, providers: &[&'static KnownProvider]) -> DnsFinding {
    let provider = providers.first();
    let source = provider.map_or("your mail provider", |provider| provider.name);
    let found = DnsFinding::new(
        DnsFindingCode::DkimMissing,
        format!(
            "{domain} has no DKIM key. Turn on DKIM signing at {source} and publish the key shown there. If you do sign already, enter your selector: it is the value after \"s=\" in the DKIM-Signature of a message you have sent."
        ),
    );
    if provider.is_some_and(|provider| provider.operator == Operator::Fastmail) {
        return found.with_record(
            format!("fm1._domainkey.{domain}"),
            "CNAME",
            format!("fm1.{domain}.dkim.fmhosted.com"),
        );
    }
    found
}

pub(super) fn lookup_failed(name: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimLookupFailed,
        format!(
            "{name} could not be looked up just now. Check again in a few minutes; if it stays so, the domain's name servers need attention."
        ),
    )
}

pub(super) fn selector_missing(name: &str, selector: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimSelectorMissing,
        format!(
            "There is no DKIM key at {name}. Publish the key that your mail server or provider shows for the selector \"{selector}\", or correct the selector."
        ),
    )
}

pub(super) fn doubled_name(domain: &str, name: &str, selector: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimSelectorMissing,
        format!(
            "The DKIM key is at {name}.{domain}: your DNS provider adds the domain to the name by itself. Enter only \"{selector}._domainkey\" as the name."
        ),
    )
}

pub(super) fn selector_unknown(parent: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimSelectorUnknown,
        format!(
            "No DKIM key was found at the usual names, but {parent} exists, so there may be one under another name. Enter the selector: it is the value after \"s=\" in the DKIM-Signature of a message you have sent."
        ),
    )
}

pub(super) fn wrong_record(name: &str, selector: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimWrongRecord,
        format!(
            "The text at {name} is not a DKIM key. Replace it by the key that your mail server or provider shows for the selector \"{selector}\"."
        ),
    )
}

pub(super) fn multiple(name: &str, keys: usize) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimMultiple,
        format!(
            "There are {keys} DKIM keys at {name}, and receivers may pick the wrong one. Keep only the key that your mail server signs with."
        ),
    )
}

/// A key that receivers reject.
pub(super) fn unusable(name: &str, error: &KeyError) -> DnsFinding {
    match error {
        KeyError::Revoked => DnsFinding::new(
            DnsFindingCode::DkimRevoked,
            format!(
                "The DKIM key at {name} has been revoked (empty \"p=\"). Create a new key at your mail provider and publish it there."
            ),
        ),
        KeyError::TooShort(bits) => DnsFinding::new(
            DnsFindingCode::DkimKeyTooShort,
            format!(
                "The DKIM key at {name} has only {bits} bits, and receivers do not accept it. Replace it by a 2048-bit key."
            ),
        ),
        KeyError::UnknownType(kind) => DnsFinding::new(
            DnsFindingCode::DkimUnknownKeyType,
            format!(
                "The DKIM key at {name} is of the type \"{kind}\", which receivers do not know. Replace it by an RSA key of 2048 bits."
            ),
        ),
        KeyError::NoUsableHash => DnsFinding::new(
            DnsFindingCode::DkimSha1Only,
            format!(
                "The DKIM key at {name} does not allow SHA-256 (\"h=\"), and receivers accept nothing else. Delete the \"h=\" part, and sign with rsa-sha256."
            ),
        ),
        KeyError::NotForEmail => DnsFinding::new(
            DnsFindingCode::DkimNotForEmail,
            format!("The DKIM key at {name} is not meant for e-mail (\"s=\"). Delete the \"s=\" part."),
        ),
        KeyError::BadKey | KeyError::NotAKey => DnsFinding::new(
            DnsFindingCode::DkimBadKey,
            format!(
                "The DKIM key at {name} cannot be read; it may have been cut off or changed when it was copied. Copy it again as a whole from your mail provider."
            ),
        ),
    }
}

pub(super) fn key_short(name: &str, bits: usize) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimKeyShort,
        format!("The DKIM key at {name} has {bits} bits. Replace it by a 2048-bit key."),
    )
}

pub(super) fn ed25519_only(name: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimEd25519Only,
        format!(
            "The DKIM key at {name} is an Ed25519 key, which many receivers cannot check. Publish an RSA key of 2048 bits under a second selector and sign with both."
        ),
    )
}

pub(super) fn testing(name: &str) -> DnsFinding {
    DnsFinding::new(
        DnsFindingCode::DkimTesting,
        format!("The DKIM key at {name} is in testing mode (\"t=y\"), and receivers may ignore it. Delete \"t=y\"."),
    )
}
