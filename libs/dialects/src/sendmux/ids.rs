//! Ids in this dialect: a prefix that names the kind of thing, `cl`, and 23 lower-case letters and
//! digits. These have room for 118 bits, of which ours take 96. The rest are a checksum of them and of
//! the prefix. It exposes an id made elsewhere, or a domain's in the place of a mailbox's, without a database query.

use std::fmt::Write;

use shared_models::domain::{
    ApiKeyId, CoreError, CredentialId, DomainId, HostedMailboxId, LimitIncreaseId, SendingAccountId, WebhookDeliveryId,
    WebhookEventId, WebhookId, WorkspaceId,
};
use uuid::Uuid;

const LEAD: &str = "cl";
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Digits after the lead.
const LENGTH: usize = 23;
/// 36^23 is more than 2^118.
const CHECKSUM_BITS: u32 = 22;

/// A kind of thing that has an id here.
pub(super) trait PublicId: Copy {
    /// Prefix of its ids. Must never change: clients keep the ids.
    const PREFIX: &'static str;
    fn to_bytes(self) -> [u8; 12];
    fn from_bytes(bytes: [u8; 12]) -> Self;
}

macro_rules! public_ids {
    ($($(#[$doc:meta])* $module:ident: $name:ident = $prefix:literal, $kind:literal;)+) => { $(
        impl PublicId for $name {
            const PREFIX: &'static str = $prefix;
            fn to_bytes(self) -> [u8; 12] {
                $name::to_bytes(self)
            }
            fn from_bytes(bytes: [u8; 12]) -> Self {
                $name::from_bytes(bytes)
            }
        }

        $(#[$doc])*
        pub(in crate::sendmux) mod $module {
            use super::*;

            /// The form of the id that clients see.
            pub(in crate::sendmux) fn encode(id: $name) -> String {
                super::encode(id)
            }

            /// The reverse of [`encode`].
            ///
            /// # Errors
            /// `NotFound` for what was never given to a thing of this kind.
            #[allow(dead_code, reason = "not every id comes back")]
            pub(in crate::sendmux) fn decode(text: &str) -> Result<$name, CoreError> {
                super::decode(text).ok_or(CoreError::NotFound($kind))
            }
        }
    )+ };
}

public_ids! {
    team: WorkspaceId = "team_", "team";
    /// The key of a team; the same prefix as that of a mailbox's credential.
    api_key: ApiKeyId = "smx_", "key";
    mailbox: HostedMailboxId = "mbx_", "mailbox";
    credential: CredentialId = "smx_", "key";
    domain: DomainId = "mdom_", "domain";
    provider: SendingAccountId = "dprov_", "provider";
    limit_increase: LimitIncreaseId = "trir_", "request";
    webhook: WebhookId = "whk_", "webhook";
    webhook_event: WebhookEventId = "evt_", "event";
    webhook_delivery: WebhookDeliveryId = "whda_", "delivery";
}

/// A new id for a request.
pub(super) fn request() -> String {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&Uuid::now_v7().as_bytes()[..12]);
    spell("req_", number(bytes) << CHECKSUM_BITS)
}

/// The form of an id that clients see.
pub(super) fn encode<I: PublicId>(id: I) -> String {
    let bytes = id.to_bytes();
    spell(I::PREFIX, number(bytes) << CHECKSUM_BITS | checksum(I::PREFIX, bytes))
}

/// The reverse of [`encode`]; `None` for what was never given to a thing of this kind.
pub(super) fn decode<I: PublicId>(text: &str) -> Option<I> {
    let digits = text.strip_prefix(I::PREFIX)?.strip_prefix(LEAD)?.as_bytes();
    if digits.len() != LENGTH {
        return None;
    }
    let number = digits.iter().try_fold(0_u128, |number, byte| {
        let digit = DIGITS.iter().position(|digit| digit == byte)?;
        Some(number * 36 + digit as u128)
    })?;
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&(number >> CHECKSUM_BITS).to_be_bytes()[4..]);
    let id = I::from_bytes(bytes);
    (encode(id) == text).then_some(id)
}

fn number(bytes: [u8; 12]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn spell(prefix: &str, mut number: u128) -> String {
    let mut digits = [b'0'; LENGTH];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    let mut text = String::with_capacity(prefix.len() + LEAD.len() + LENGTH);
    // Writing to a string does not fail.
    let _ = write!(text, "{prefix}{LEAD}{}", String::from_utf8_lossy(&digits));
    text
}

/// FNV-1a, folded. It keeps accidents apart, not attackers: what an id opens is the key's affair.
fn checksum(prefix: &str, id: [u8; 12]) -> u128 {
    let hash =
        prefix.as_bytes().iter().chain(&id).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    u128::from((hash ^ hash >> CHECKSUM_BITS ^ hash >> (2 * CHECKSUM_BITS)) & ((1 << CHECKSUM_BITS) - 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    const BYTES: [u8; 12] = [0x66, 0xc0, 0xff, 0xee, 0x12, 0xab, 0x34, 0xcd, 0x56, 0xef, 0x78, 0x90];

    fn is_well_formed(prefix: &str, text: &str) -> bool {
        let tail = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("cl")).unwrap_or_default();
        tail.len() == 23 && tail.bytes().all(|byte| DIGITS.contains(&byte))
    }

    #[test]
    fn every_id_survives() {
        let edges = [[0; 12], [0xff; 12], [0x55; 12]].map(DomainId::from_bytes);
        for id in edges.into_iter().chain((0..10_000).map(|_| DomainId::new())) {
            let text = domain::encode(id);
            assert!(is_well_formed("mdom_", &text), "{text}");
            assert_eq!(domain::decode(&text).unwrap(), id);
        }
    }

    /// Clients keep these for years.
    #[test]
    fn the_spelling_never_changes() {
        assert_eq!(mailbox::encode(HostedMailboxId::from_bytes(BYTES)), "mbx_cl7p63lcwun09r1txtaa1d8ve");
        assert_eq!(domain::encode(DomainId::from_bytes(BYTES)), "mdom_cl7p63lcwun09r1txtaa15zr1");
        assert_eq!(provider::encode(SendingAccountId::from_bytes(BYTES)), "dprov_cl7p63lcwun09r1txtaa27yyo");
        assert_eq!(webhook::encode(WebhookId::from_bytes(BYTES)), "whk_cl7p63lcwun09r1txtaa2n9x0");
        assert_eq!(team::encode(WorkspaceId::from_bytes(BYTES)), "team_cl7p63lcwun09r1txtaa0zq1h");
    }

    #[test]
    fn a_thing_is_no_other_thing() {
        for _ in 0..1_000 {
            let bytes = DomainId::new().to_bytes();
            let text = domain::encode(DomainId::from_bytes(bytes));
            let renamed = |prefix| text.replace("mdom_", prefix);
            assert!(provider::decode(&text).is_err() && provider::decode(&renamed("dprov_")).is_err());
            assert!(mailbox::decode(&renamed("mbx_")).is_err() && webhook::decode(&renamed("whk_")).is_err());
        }
    }

    #[test]
    fn what_was_made_elsewhere_is_unknown() {
        let text = domain::encode(DomainId::from_bytes(BYTES));
        for at in "mdom_cl".len()..text.len() {
            for digit in DIGITS.map(char::from) {
                let mut altered = text.clone();
                altered.replace_range(at..=at, &digit.to_string());
                assert_eq!(domain::decode(&altered).is_ok(), altered == text, "{altered}");
            }
        }
        for bad in [
            "",
            "mdom_",
            "mdom_cl",
            "mdom_clzzzzzzzzzzzzzzzzzzzzzzz",
            "mdom_cl00000000000000000000000",
            "mdom_clm9xk2p0000008l5h3f7q1ab",
            &text.to_uppercase(),
            &text[5..],
            &format!("{text}0"),
            &format!(" {text}"),
            &text[..text.len() - 1],
            "mdom_clüüüüüüüüüüüüüüüüüüüüüüü",
        ] {
            let error = domain::decode(bad).unwrap_err();
            assert!(matches!(error, CoreError::NotFound("domain")), "{bad}");
        }
    }

    #[test]
    fn no_two_requests_have_the_same_id() {
        let ids: BTreeSet<String> = (0..10_000).map(|_| request()).collect();
        assert!(ids.len() == 10_000 && ids.iter().all(|id| is_well_formed("req_", id)));
    }
}
