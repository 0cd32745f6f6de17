//! What a run takes: what is new, of all buckets or of some, or all that there is.

use gristmill_core::compact::{Refusal, Shard};
use gristmill_core::log::{BucketSpan, RunKind};

/// What a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// What is new to the buckets of a shard.
    Increment(Shard),
    /// All that RAW holds, for all buckets: the zone is computed anew.
    Rebuild,
}

impl Default for Work {
    fn default() -> Self {
        Self::Increment(Shard::WHOLE)
    }
}

impl Work {
    /// The kind that stands in the log.
    pub fn kind(self) -> RunKind {
        match self {
            Self::Increment(_) => RunKind::Increment,
            Self::Rebuild => RunKind::Rebuild,
        }
    }

    /// Its buckets in a zone of so many; none if they are all.
    ///
    /// # Errors
    /// There are more shards than buckets.
    pub(super) fn part(self, there: u32) -> Result<Option<BucketSpan>, Refusal> {
        match self {
            Self::Increment(shard) if !shard.is_whole() => {
                let buckets = shard.buckets(there)?;
                Ok(Some(BucketSpan { first: buckets.start, last: buckets.end - 1 }))
            }
            Self::Increment(_) | Self::Rebuild => Ok(None),
        }
    }
}
