//! The buckets that the keys of a zone are spread over. No file spans buckets, and each has a position of its own, so that
//! several processes can share a run.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::str::FromStr;

use super::key::KeyHash;
use super::plan::Refusal;

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

/// One of several equal parts of the buckets of a zone: what one process of several takes.
///
/// It is told by its number and not by its buckets, so that each pod of an Indexed Job has the same arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// All buckets.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether it is all buckets of any zone.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Its buckets in a zone of so many: in the order of their numbers, and of two shards one has at most one more.
    ///
    /// # Errors
    /// There are more shards than buckets.
    pub fn buckets(self, there: u32) -> Result<Range<u32>, Refusal> {
        let Self { index, count } = self;
        if count > there {
            return Err(Refusal::TooManyShards { shard: self, there });
        }
        let begin = |index: u32| {
            let bucket = u64::from(index) * u64::from(there) / u64::from(count);
            u32::try_from(bucket).expect("it is no greater than their number")
        };
        Ok(begin(index)..begin(index + 1))
    }
}

impl Display for Shard {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shard; write INDEX/COUNT with INDEX from 0 and below COUNT, for example 0/3")]
pub struct InvalidShard(String);

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            Some(_) | None => Err(InvalidShard(text.to_owned())),
        }
    }
}
