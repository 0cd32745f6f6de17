//! Entries that add no rows: they steer who may write, from where, and what stays.

use serde::{Deserialize, Serialize};

use super::super::names::{Incarnation, Sequence, ZoneId};
use super::file::RemovedFile;

/// A new generation: reading goes on at other offsets, and what was read stays.
///
/// It is zone-wide: a partition that it does not name keeps its next offset in the new generation. It also names the
/// topic that the new generation reads. Where that is another than before, because the topic was re-created or the
/// cluster is another, no offset of the old one means anything: a partition that is not named then begins at 0 (F9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rewind {
    /// `spec.rewind.nonce`: each is applied once.
    pub nonce: String,
    /// The new generation: that of the zone plus 1.
    pub generation: i32,
    /// Kafka's id of the cluster that is read from now on.
    pub cluster_id: String,
    /// Kafka's id of the topic that is read from now on.
    pub topic_id: String,
    /// Partitions that go on at another offset.
    pub partitions: Vec<PartitionRewind>,
}

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionRewind {
    /// The partition.
    pub partition: i32,
    /// The next offset to fetch.
    pub next: i64,
    /// Offsets between the old and the new place that nobody has read: 0 unless the rewind goes forward.
    pub gaps: u64,
}

/// Consumption stops: the fold says so to every worker, also after a restart (F28).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// The head that the decision looked at: a decision from before a resume does not hold again what it has left.
    pub judged_at: Sequence,
    /// Messages of the window.
    pub messages: u64,
    /// Those of them with at least one reject record.
    pub messages_with_rejects: u64,
    /// What a user is told: the most frequent reasons, with a place where each was seen.
    pub message: String,
}

/// Why consumption stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HoldReason {
    /// More rejects in the window than `spec.rejected` allows.
    RejectedBudgetExceeded,
}

/// Consumption goes on, and the window of the rejected budget begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resume {
    /// What a user asked with; used once. Absent: the writer works by another resource than the one that was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A writer is put out for good: nothing that it has not appended before this counts (F3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fence {
    /// Who; not the writer of the entry, whose incarnation is in the envelope.
    #[serde(rename = "fenced")]
    pub incarnation: Incarnation,
}

/// What a consumer of a RAW zone says in its log, so that removals know of it (F30). Its id is that of its own zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", deny_unknown_fields)]
pub enum Consumer {
    /// It is there, and has consumed nothing yet.
    Register {
        /// Id of its Processed zone.
        id: ZoneId,
        /// What users call it.
        name: String,
    },
    /// It has consumed everything up to this entry.
    Advance {
        /// Id of its Processed zone.
        id: ZoneId,
        /// The last entry that it has consumed.
        position: i64,
    },
    /// It holds nothing any more.
    Leave {
        /// Id of its Processed zone.
        id: ZoneId,
    },
}

impl Consumer {
    /// Whose entry it is.
    pub fn id(&self) -> ZoneId {
        match self {
            Self::Register { id, .. } | Self::Advance { id, .. } | Self::Leave { id } => *id,
        }
    }
}

/// Files leave a RAW zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remove {
    /// The files.
    pub files: Vec<RemovedFile>,
    /// Why.
    pub reason: RemovalReason,
    /// URL of the directory that holds a verified copy of each, named by digest; absent if they were deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
}

/// Why files leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RemovalReason {
    /// They are older than the resource wants them kept.
    Retention,
}
