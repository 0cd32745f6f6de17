//! What a zone is for.

use gristmill_crds::{Keep, PartitionField};
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
    /// What names the directories, outermost first.
    pub partition_by: Vec<PartitionField>,
    /// Number of buckets that keys are spread over.
    pub buckets: u32,
    /// Which row of a key stays. Zones that do not say it were made when there was only one answer.
    #[serde(default)]
    pub keep: Keep,
    /// Columns that decide which row of a key is the latest; absent in zones that were made before it was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_by: Option<Vec<String>>,
}
