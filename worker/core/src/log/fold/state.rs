//! What a fold holds of each thing that entries speak of.

use serde::{Deserialize, Serialize};

use super::super::entry::{FileEntry, FileSchema, FileZone, Hold, MessageCounts, RunSummary};
use super::super::layout::ZonePath;
use super::super::names::{CommitId, Digest, LogTime, Sequence};

/// Which file: its published name in its zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// The published name.
    pub path: ZonePath,
}

/// A file that belongs to the zone.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFile {
    /// The entry that added it: what a consumer's position is compared with.
    pub sequence: Sequence,
    /// Effective time of that entry.
    pub time: LogTime,
    /// What the entry says of it.
    pub file: FileEntry,
}

impl LiveFile {
    /// Which file it is.
    pub fn key(&self) -> FileKey {
        FileKey { zone: self.file.zone, path: self.file.path.clone() }
    }
}

/// The topic whose messages the current generation of a RAW zone holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Kafka's id of the cluster.
    pub cluster_id: String,
    /// Kafka's id of the topic.
    pub topic_id: String,
}

/// Where a partition of the topic stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionState {
    /// Kafka's id of the topic.
    pub topic_id: String,
    /// Counts the rewinds of the zone.
    pub generation: i32,
    /// The next offset to fetch.
    pub next: i64,
    /// Where the offsets begin that this generation has read up to `next`; not known of generations that began before
    /// this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<i64>,
    /// What became of all offsets so far, over all generations of this topic id.
    pub counts: MessageCounts,
    /// Newest timestamp of a message since the last rewind, in milliseconds.
    pub max_timestamp: Option<i64>,
    /// Leader epoch of the last message, where Kafka told it; with it the consumer finds a truncated partition.
    pub leader_epoch: Option<i32>,
}

impl PartitionState {
    pub(super) fn at(topic_id: &str, generation: i32, next: i64) -> Self {
        Self {
            topic_id: topic_id.to_owned(),
            generation,
            next,
            begun: Some(next),
            counts: MessageCounts::default(),
            max_timestamp: None,
            leader_epoch: None,
        }
    }

    /// What the generation has read from where it began up to an offset; none of the first, which makes nothing out of date.
    pub(super) fn reading(&self, partition: i32, to: i64) -> Option<Reading> {
        let from = self.begun.filter(|from| self.generation > 0 && *from < to)?;
        Some(Reading { topic_id: self.topic_id.clone(), partition, generation: self.generation, from, to })
    }
}

/// Offsets that a generation after the first has read: what was read of them before is out of date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reading {
    /// Kafka's id of the topic.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// The generation.
    pub generation: i32,
    /// The first offset.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
}

/// What a writer has last done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LastCommit {
    /// Its last entry.
    pub sequence: Sequence,
    /// The commit of that entry.
    pub commit_id: CommitId,
    /// Effective time of that entry.
    pub time: LogTime,
}

/// A rewind that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppliedRewind {
    /// Its entry.
    pub sequence: Sequence,
    /// The generation that it began.
    pub generation: i32,
}

/// A registered consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsumerState {
    /// What users call it.
    pub name: String,
    /// The last entry that it has consumed; -1 before the first.
    pub position: i64,
    /// Effective time at which it registered or last moved on.
    pub advanced_at: LogTime,
}

/// A hold that nobody has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Held {
    /// Its entry.
    pub sequence: Sequence,
    /// Effective time of that entry.
    pub since: LogTime,
    /// The resource under which it was held: another one may go on.
    pub spec_digest: Digest,
    /// What the entry says.
    pub hold: Hold,
}

/// A schema that an entry has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaState {
    /// Its columns, if an entry has told them.
    pub described: Option<FileSchema>,
    /// Live files of the RAW zone with this schema.
    pub live_files: u64,
}

/// A run of the compaction, as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// Entry of the run.
    pub sequence: Sequence,
    /// What it did.
    pub summary: RunSummary,
}

/// What retention has taken off a RAW zone over the whole log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemovedTotals {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the files that held rejects; entries before this was counted are taken for rows.
    #[serde(default)]
    pub rejected_files: u64,
    /// Rows of the others.
    #[serde(default)]
    pub rows: u64,
}
