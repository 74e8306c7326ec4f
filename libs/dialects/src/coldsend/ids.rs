//! Ids in this dialect are UUIDs in the form of version 4 (RFC 9562 section 5.4). Of the 122 bits that
//! the form leaves free, ours take 96. The rest are a checksum of them and of the kind of thing. It exposes a UUID
//! made elsewhere, or a job's in the place of an inbox's, without a database query.

use shared_models::domain::{DeletionId, ImportId, MailboxId};
use uuid::Uuid;

const CHECKSUM_BITS: u32 = 26;

/// A kind of thing that has an id here.
pub(super) trait Identified: Sized {
    /// Goes into the checksum. Never to be changed: clients keep the ids.
    const KIND: u8;
    fn to_bytes(self) -> [u8; 12];
    fn from_bytes(bytes: [u8; 12]) -> Self;
}

macro_rules! identified {
    ($($name:ident = $kind:literal),+) => { $(
        impl Identified for $name {
            const KIND: u8 = $kind;
            fn to_bytes(self) -> [u8; 12] {
                $name::to_bytes(self)
            }
            fn from_bytes(bytes: [u8; 12]) -> Self {
                $name::from_bytes(bytes)
            }
        }
    )+ };
}

identified!(MailboxId = b'm', ImportId = b'i', DeletionId = b'd');

/// The reverse of [`to_uuid`]; `None` for a UUID that was never given to a thing of this kind.
pub(super) fn from_uuid<I: Identified>(uuid: Uuid) -> Option<I> {
    let bits = uuid.as_u128();
    let free = (bits >> 80) << 74 | (bits >> 64 & 0xfff) << 62 | (bits & (u128::MAX >> 66));
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&(free >> CHECKSUM_BITS).to_be_bytes()[4..]);
    let id = I::from_bytes(bytes);
    (to_uuid(I::from_bytes(bytes)) == uuid).then_some(id)
}

/// The form of an id that clients see.
pub(super) fn to_uuid<I: Identified>(id: I) -> Uuid {
    let bytes = id.to_bytes();
    let number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let free = number << CHECKSUM_BITS | u128::from(checksum(I::KIND, bytes));
    let (first, second, third) = (free >> 74, free >> 62 & 0xfff, free & (u128::MAX >> 66));
    Uuid::from_u128(first << 80 | 4 << 76 | second << 64 | 0b10 << 62 | third)
}

/// FNV-1a, folded. It keeps accidents apart, not attackers: what an id opens is the key's affair.
fn checksum(kind: u8, id: [u8; 12]) -> u64 {
    let hash = [kind]
        .iter()
        .chain(&id)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ hash >> CHECKSUM_BITS ^ hash >> (2 * CHECKSUM_BITS)) & ((1 << CHECKSUM_BITS) - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use uuid::{Variant, Version};

    use super::*;

    #[test]
    fn every_id_survives_and_looks_like_version_4() {
        let edges = [[0; 12], [0xff; 12], [0x55; 12]].map(MailboxId::from_bytes);
        for id in edges.into_iter().chain((0..10_000).map(|_| MailboxId::new())) {
            let uuid = to_uuid(id);
            assert_eq!((uuid.get_version(), uuid.get_variant()), (Some(Version::Random), Variant::RFC4122), "{uuid}");
            assert_eq!(from_uuid(uuid), Some(id));
        }
    }

    /// Clients keep these for years.
    #[test]
    fn the_spelling_never_changes() {
        fn shown<I: Identified>(id: I) -> String {
            to_uuid(id).to_string()
        }
        let bytes = [0x66, 0xc0, 0xff, 0xee, 0x12, 0xab, 0x34, 0xcd, 0x56, 0xef, 0x78, 0x90];
        assert_eq!(shown(MailboxId::from_bytes(bytes)), "66c0ffee-12ab-434c-b55b-bde2413cfaa2");
        assert_eq!(shown(ImportId::from_bytes(bytes)), "66c0ffee-12ab-434c-b55b-bde242ef9a30");
        assert_eq!(shown(DeletionId::from_bytes(bytes)), "66c0ffee-12ab-434c-b55b-bde240475413");
    }

    #[test]
    fn a_job_is_no_inbox_and_an_import_no_deletion() {
        for _ in 0..1_000 {
            let bytes = MailboxId::new().to_bytes();
            let import = to_uuid(ImportId::from_bytes(bytes));
            assert_eq!((from_uuid::<MailboxId>(import), from_uuid::<DeletionId>(import)), (None, None));
            assert!(from_uuid::<ImportId>(import).is_some());
        }
    }

    #[test]
    fn what_was_made_elsewhere_is_unknown() {
        assert!((0..10_000).all(|_| from_uuid::<MailboxId>(Uuid::new_v4()).is_none()));
        let id = to_uuid(MailboxId::new());
        for bit in 0..128 {
            assert_eq!(from_uuid::<MailboxId>(Uuid::from_u128(id.as_u128() ^ 1 << bit)), None, "bit {bit}");
        }
        assert_eq!((from_uuid::<MailboxId>(Uuid::nil()), from_uuid::<MailboxId>(Uuid::max())), (None, None));
    }
}
