//! The buckets that the keys of a zone are spread over. No file spans buckets, and each has a position of its own, so that
//! several processes can share a run.

use super::key::KeyHash;

/// A part of the keys of a zone, numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub u32);

impl Bucket {
    /// The bucket of a key in a zone of this many buckets: the low 64 bits of its hash, modulo their number.
    ///
    /// Part of the zone's contract: the number of buckets is fixed by genesis, and the hash is keyed by the zone's id.
    pub fn of(key: KeyHash, buckets: u32) -> Self {
        let KeyHash(hash) = key;
        let low = u64::try_from(hash & u128::from(u64::MAX)).expect("64 bits remain");
        let bucket = low % u64::from(buckets.max(1));
        Self(u32::try_from(bucket).expect("it is below a u32"))
    }
}
