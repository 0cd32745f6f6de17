//! What a worker says of itself: the contract between the worker's `/status`, a compaction's termination
//! message, and the operator, which alone turns them into a resource's status.

mod shards;
mod work;

use serde::{Deserialize, Serialize};

use crate::compaction_status::{Run, RunBuckets, SourcePosition};
use crate::ingest_status::{Lag, MessageCounts, RetentionStatus, RowCounts};
use crate::shared::ZoneStatus;
use crate::source::{PartitionOffset, StartPosition};

pub use shards::of_shards;
pub use work::{PartitionWork, StuckWork, WorkReport};

/// Answer of a worker on `GET /status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestReport {
    /// Version of the worker, for example 0.1.0.
    pub version: String,
    /// Digest of the projection that the worker runs, `sha256:<hex>`.
    pub spec_digest: String,
    /// What the worker does now.
    pub phase: IngestPhase,
    /// When that began (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_since: Option<String>,
    /// One sentence about the phase: what, where, and the next act.
    pub message: String,
    /// Consumer group.
    pub consumer_group: String,
    /// The RAW zone's log, once it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneStatus>,
    /// Partitions of the topic; 0 until known.
    pub partitions: i32,
    /// Every consumed offset by what became of it, over the whole log.
    pub messages: MessageCounts,
    /// Rows over the whole log.
    pub rows: RowCounts,
    /// What is not yet committed; absent until the end offsets are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// Complete up to here (RFC 3339, UTC); absent until the ends of all partitions are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// Messages with a reject in the window of the budget, in percent; absent until there is a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_percent: Option<String>,
    /// Whether those are more than the budget allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejected_over_budget: bool,
    /// What retention did, and what holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionStatus>,
    /// What is committed and not visible yet, and why; absent when all of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<String>,
    /// Partitions that this worker owns and reads no more, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<StoppedPartition>,
    /// Why this worker has rejected records within the window of the budget, the most frequent reason first. A reason
    /// stands here once, so that the list is short.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject_reasons: Vec<RejectReason>,
    /// What it did lately and what lies before it; absent until there is a measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkReport>,
}

/// How often records were rejected for one reason, and where that can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectReason {
    /// PascalCase reason, for example NoRows.
    pub reason: String,
    /// Reject records.
    pub records: u64,
    /// Topic of one of them.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Most partitions in one answer of a worker: about 100 KiB.
pub const PARTITIONS_PER_ANSWER: usize = 1000;

/// Answer of a worker on `GET /partitions`, or on `GET /partitions?from=1000`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionsReport {
    /// Partitions of the topic; 0 until known.
    pub total: usize,
    /// Those with this number or a higher one, at most [`PARTITIONS_PER_ANSWER`].
    pub partitions: Vec<PartitionReport>,
}

/// How far one partition has been committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionReport {
    /// The partition.
    pub partition: i32,
    /// The next offset that is not committed yet.
    pub next: i64,
    /// The end of the partition, as it was seen last.
    pub end: i64,
    /// Complete up to here (RFC 3339, UTC); absent until something is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_through: Option<String>,
}

/// Query of `GET /rewind-plan`: where a rewind would go. Nothing is written by the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RewindQuestion {
    /// As in spec.rewind.
    pub position: StartPosition,
    /// With position Timestamp, in UTC.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// With position Offsets: `partition:offset`, several of them with commas in between.
    #[serde(default)]
    pub offsets: Option<String>,
}

impl RewindQuestion {
    /// The offsets that the question names.
    ///
    /// # Errors
    /// The part that is none.
    pub fn partition_offsets(&self) -> Result<Vec<PartitionOffset>, String> {
        self.offsets.iter().flat_map(|offsets| offsets.split(',')).map(partition_offset).collect()
    }
}

/// Reads `partition:offset`.
///
/// # Errors
/// What is expected in its place.
pub fn partition_offset(text: &str) -> Result<PartitionOffset, String> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let pair = text.split_once(':').and_then(|(partition, offset)| {
        Some(PartitionOffset { partition: number(partition)?.try_into().ok()?, offset: number(offset)? })
    });
    pair.ok_or_else(|| format!("{text:?} is no position in a partition; write PARTITION:OFFSET such as 0:1044"))
}

/// Answer of a worker on `GET /rewind-plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RewindReport {
    /// Partitions of the topic.
    pub total: usize,
    /// Offsets below the zone's position that would be read again; Kafka may no longer have all of them.
    pub read_again: i64,
    /// Offsets from the zone's position on that would never be read.
    pub skipped: i64,
    /// Partitions whose position would change.
    pub moved: usize,
    /// The first of them, at most [`PARTITIONS_PER_ANSWER`].
    pub moves: Vec<PartitionMove>,
}

/// How a rewind would move one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionMove {
    /// The partition.
    pub partition: i32,
    /// The offset at which the zone stands.
    pub stands_at: i64,
    /// The offset at which it would go on.
    pub goes_to: i64,
}

/// A partition that is read no more although it has messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoppedPartition {
    /// The partition.
    pub partition: i32,
    /// The offset at which it stopped.
    pub offset: i64,
    /// PascalCase reason, for example MessageTooLarge.
    pub reason: String,
    /// What, where, and the next act.
    pub message: String,
}

/// What an ingest worker does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IngestPhase {
    /// It opens the zone and joins the group.
    Starting,
    /// Messages flow, or the topic is silent.
    Ingesting,
    /// More messages are rejected than the budget allows; it stays up, consumes nothing, and waits for a change or a resume.
    Held,
    /// Its consumer group is that of another zone; it stays out and waits.
    GroupShared,
    /// Kafka can't be reached; it waits.
    SourceUnavailable,
    /// The store of the zone can't be reached; it waits.
    StoreUnavailable,
    /// It seals, commits and leaves.
    Draining,
}

impl IngestPhase {
    /// The condition reason of this phase.
    pub fn reason(self) -> &'static str {
        match self {
            IngestPhase::Starting => "Starting",
            IngestPhase::Ingesting => "Ingesting",
            IngestPhase::Held => "RejectedBudgetExceeded",
            IngestPhase::GroupShared => "ConsumerGroupShared",
            IngestPhase::SourceUnavailable => "SourceUnavailable",
            IngestPhase::StoreUnavailable => "StoreUnavailable",
            IngestPhase::Draining => "Draining",
        }
    }
}

/// Termination message of a process that failed: at most 4,096 bytes as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureReport {
    /// PascalCase reason, for example TopicReplaced.
    pub reason: String,
    /// What, where, and the next act.
    pub message: String,
    /// Memory of a process that would have had enough, in bytes, if this one lacked memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_memory: Option<u64>,
}

/// Termination message of a compaction that succeeded: at most 4,096 bytes as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompactionReport {
    /// Version of the worker, for example 0.1.0.
    pub version: String,
    /// The Processed zone's log.
    pub zone: ZoneStatus,
    /// How far the RAW zone has been consumed.
    pub source: SourcePosition,
    /// The buckets that this run was for; absent if it was for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<RunBuckets>,
    /// Every message before it is in the Processed zone, in all of its buckets (RFC 3339, UTC); absent until that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed_through: Option<String>,
    /// The last 5 runs of the zone, newest first; a run without new records adds none. Of a run for some of the buckets
    /// that one alone, or none: the log may have those of many other processes after it.
    pub runs: Vec<Run>,
}
