//! What a zone is for.

use serde::{Deserialize, Serialize};

use super::super::names::ZoneId;

/// What a zone is for; never changed, and compared with what an opener expects.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "zoneKind")]
pub enum Genesis {
    /// A zone of rows as they came.
    Raw(RawGenesis),
    /// A zone of rows that are unique by key.
    Processed(ProcessedGenesis),
}

/// What a RAW zone lands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawGenesis {
    /// The zone's own id, equal to that of `_log/zone.json`.
    pub zone_id: ZoneId,
    /// Kafka's id of the cluster.
    pub cluster_id: String,
    /// Name of the topic.
    pub topic: String,
    /// Kafka's id of the topic: a re-created topic has another.
    pub topic_id: String,
    /// The consumer group.
    pub group: String,
    /// Where each partition that existed begins; `startFrom` is resolved here once (F10). A partition that appears
    /// later starts at 0.
    pub partitions: Vec<PartitionStart>,
}

/// First offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionStart {
    /// The partition.
    pub partition: i32,
    /// Offset of the first message that belongs to the zone.
    pub start_offset: i64,
}

/// What a Processed zone is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessedGenesis {
    /// The zone's own id, equal to that of `_log/zone.json`.
    pub zone_id: ZoneId,
    /// The RAW zone whose rows it holds.
    pub raw_zone_id: ZoneId,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// Columns that name the directories, outermost first.
    pub partition_by: Vec<IdentityPartition>,
    /// Number of buckets that keys are spread over.
    pub buckets: u32,
}

/// A column that names a level of directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityPartition {
    /// The column.
    pub column: String,
    /// How its value becomes a name.
    pub transform: Transform,
}

/// How a column's value becomes a directory name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transform {
    /// The value itself.
    Identity,
}
