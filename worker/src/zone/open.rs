//! Opening a zone for writing, and making it where there is none.

use gristmill_core::log::{Digest, Genesis, IdentityPartition, PartitionStart, ZoneId};

use super::{Surroundings, Zone, ZoneError};

/// What an opener takes the zone for; a zone that was made for something else is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A RAW zone of this topic.
    Raw {
        /// Kafka's id of the cluster.
        cluster_id: String,
        /// Name of the topic.
        topic: String,
        /// Kafka's id of the topic.
        topic_id: String,
        /// The consumer group.
        group: String,
    },
    /// A Processed zone of this RAW zone.
    Processed {
        /// The RAW zone.
        raw_zone_id: ZoneId,
        /// Columns that identify a row.
        key: Vec<String>,
        /// Columns that name directories.
        partition_by: Vec<IdentityPartition>,
        /// Number of buckets.
        buckets: u32,
    },
}

/// What was found where a zone is to be opened.
pub enum Opened {
    /// A zone, with everything published that its log names.
    Ready(Zone),
    /// No genesis yet: the caller resolves where to start, then creates it.
    Empty(EmptyZone),
}

/// A place where a zone has an id and no genesis.
pub struct EmptyZone {
    _surroundings: Surroundings,
}

impl Zone {
    /// Opens a zone for writing with a new incarnation.
    ///
    /// Everything that the log names and that is not published yet is published first.
    ///
    /// # Errors
    /// The zone was made for something else than `expected`, the directory holds other things, the log is corrupt or of
    /// another version, a committed file is lost, or the store fails.
    pub async fn open(
        _surroundings: Surroundings,
        _expected: Expected,
        _spec_digest: Digest,
    ) -> Result<Opened, ZoneError> {
        todo!()
    }
}

impl EmptyZone {
    /// Makes it a RAW zone that starts at these offsets. Who loses the race to create it opens the winner's.
    ///
    /// # Errors
    /// As [`Zone::open`].
    pub async fn create_raw(self, _partitions: Vec<PartitionStart>) -> Result<Zone, ZoneError> {
        todo!()
    }

    /// Makes it a Processed zone. Who loses the race to create it opens the winner's.
    ///
    /// # Errors
    /// As [`Zone::open`].
    pub async fn create_processed(self) -> Result<Zone, ZoneError> {
        todo!()
    }
}

#[expect(dead_code)]
fn differs(_genesis: &Genesis) {}
