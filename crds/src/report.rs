//! What a worker says of itself: the contract between the worker's `/status`, a compaction's termination
//! message, and the operator, which alone turns them into a resource's status.

use serde::{Deserialize, Serialize};

use crate::compaction_status::{Run, SourcePosition};
use crate::ingest_status::{Lag, MessageCounts, RetentionStatus, RowCounts};
use crate::shared::ZoneStatus;

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
    /// What retention did, and what holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionStatus>,
    /// What is committed and not visible yet, and why; absent when all of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<String>,
    /// Partitions that this worker owns and reads no more, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<StoppedPartition>,
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
    /// Every message before it is in the Processed zone (RFC 3339, UTC); absent until that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed_through: Option<String>,
    /// The last 5 runs of the zone, newest first; a run without new records adds none.
    pub runs: Vec<Run>,
}
