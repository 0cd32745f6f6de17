//! Data entries: files, and the progress that they stand for.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::super::names::{LogTime, ZoneId};
use super::file::{FileEntry, RemovedFile};
use super::schema::FileSchema;

/// Files and the progress that they stand for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// Of a RAW zone.
    Raw(RawData),
    /// Of a Processed zone.
    Processed(ProcessedData),
}

/// Offsets that are done, and the files that hold their rows and rejects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawData {
    /// One range per partition that advanced.
    pub partitions: Vec<PartitionRange>,
    /// Files of the RAW zone and of its rejects; none if all messages were tombstones or absent.
    pub added: Vec<FileEntry>,
    /// Always empty: a RAW file never leaves by a data entry.
    pub removed: Vec<RemovedFile>,
    /// The columns of schemas that no entry has described yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<FileSchema>,
}

/// Offsets of one partition and what became of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionRange {
    /// The partition.
    pub partition: i32,
    /// Kafka's id of the topic.
    pub topic_id: String,
    /// Counts the rewinds of the zone; 0 before the first.
    pub generation: i32,
    /// Leader epoch of the last message, where Kafka told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
    /// First offset of the range.
    pub from: i64,
    /// The next offset to fetch: not the last one plus 1, since Kafka leaves holes (F8).
    pub to: i64,
    /// Messages of which at least one row was written.
    pub accepted: u64,
    /// Those of the accepted with at least one reject record: the rejected budget counts them beside the rejected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted_with_rejects: u64,
    /// Messages of which no row was written.
    pub rejected: u64,
    /// Messages with a null value.
    pub tombstones: u64,
    /// Offsets that Kafka did not deliver: compacted away, control records, aborted transactions.
    pub absent: u64,
    /// Offsets that were lost before they were read.
    pub gaps: u64,
    /// Newest timestamp of a message of the range, in milliseconds; absent if none had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_timestamp: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl PartitionRange {
    /// What became of the offsets of the range.
    pub fn counts(&self) -> MessageCounts {
        let Self { accepted, rejected, tombstones, absent, gaps, .. } = *self;
        MessageCounts { accepted, rejected, tombstones, absent, gaps }
    }
}

/// What became of offsets; the identity says that nothing else can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessageCounts {
    /// Messages of which at least one row was written.
    pub accepted: u64,
    /// Messages of which no row was written.
    pub rejected: u64,
    /// Messages with a null value.
    pub tombstones: u64,
    /// Offsets that Kafka did not deliver.
    pub absent: u64,
    /// Offsets that were lost before they were read.
    pub gaps: u64,
}

impl MessageCounts {
    /// All offsets: the right side of `to - from = accepted + rejected + tombstones + absent + gaps`.
    ///
    /// `None` if the sum is no number of offsets, which only a forged entry can reach.
    pub fn offsets(&self) -> Option<u64> {
        let Self { accepted, rejected, tombstones, absent, gaps } = *self;
        [rejected, tombstones, absent, gaps].iter().try_fold(accepted, |sum, part| sum.checked_add(*part))
    }

    /// Adds what another range counted. Only forged entries reach the end of the numbers, where the sum stays.
    pub fn add(&mut self, other: Self) {
        let Self { accepted, rejected, tombstones, absent, gaps } = other;
        self.accepted = self.accepted.saturating_add(accepted);
        self.rejected = self.rejected.saturating_add(rejected);
        self.tombstones = self.tombstones.saturating_add(tombstones);
        self.absent = self.absent.saturating_add(absent);
        self.gaps = self.gaps.saturating_add(gaps);
    }
}

/// Rows of RAW files that are now in the Processed zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessedData {
    /// The RAW zone that was read.
    pub raw_zone_id: ZoneId,
    /// How far each bucket has come; a run that finds nothing new appends no entry.
    pub buckets: Vec<BucketRange>,
    /// Files of rows that are new or replace others.
    pub added: Vec<FileEntry>,
    /// Files whose rows are in the added ones.
    pub removed: Vec<RemovedFile>,
    /// What the run did.
    pub run: RunSummary,
}

/// RAW sequences that a bucket has consumed: those above `from_seq` up to `to_seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BucketRange {
    /// The bucket, from 0.
    pub bucket: u32,
    /// The position before: -1 if nothing was consumed.
    pub from_seq: i64,
    /// The position after.
    pub to_seq: i64,
    /// Every message before it is in this bucket, unless a producer's clock goes back; absent until that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed_through: Option<LogTime>,
}

/// What a run did: the ledger that the resource's status shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunSummary {
    /// When it began.
    pub start_time: LogTime,
    /// When its outputs were complete, just before the commit.
    pub completion_time: LogTime,
    /// Rows by what became of them.
    pub rows: RunRows,
    /// Live files around it.
    pub files: RunFiles,
    /// Rows whose time lies before it were late; absent if no row could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_before: Option<LogTime>,
    /// What it took; absent in runs of versions that did not measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<RunCost>,
    /// Whether it took what was new, or computed the zone anew.
    #[serde(default, skip_serializing_if = "RunKind::is_increment")]
    pub kind: RunKind,
    /// Every message before it is in the buckets of the run; absent until that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<LogTime>,
    /// The buckets that it was for; absent if it was for all. Rows, files and late rows are those of its buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<BucketSpan>,
}

/// Some of the buckets of a zone that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BucketSpan {
    /// The first one.
    pub first: u32,
    /// The last one.
    pub last: u32,
}

impl Display for BucketSpan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(formatter, "bucket {first}") } else { write!(formatter, "buckets {first} to {last}") }
    }
}

impl RunSummary {
    /// How long it took to its commit.
    pub fn seconds(&self) -> f64 {
        let took = self.completion_time.utc() - self.start_time.utc();
        took.as_seconds_f64().max(0.0)
    }
}

/// What a run reads and replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunKind {
    /// It read what was new in RAW, and replaced the files that hold rows of the same keys.
    #[default]
    Increment,
    /// It read all of RAW, and replaced all files.
    Rebuild,
}

impl RunKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_increment(&self) -> bool {
        *self == Self::Increment
    }
}

/// What a run took of its machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunCost {
    /// Bytes of the RAW files that were new to it.
    pub delta_bytes: u64,
    /// CPU time of the process, in milliseconds.
    pub cpu_milliseconds: u64,
    /// Most memory that the process held, in bytes.
    pub peak_memory: u64,
}

impl RunCost {
    /// Bytes of new RAW files for each second of CPU time; none for a run that took no time that could be measured.
    pub fn bytes_per_core_second(&self) -> Option<u64> {
        let bytes = u128::from(self.delta_bytes) * 1000;
        bytes.checked_div(u128::from(self.cpu_milliseconds)).map(|rate| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

/// Rows of a run by what became of them: `read = duplicate_in_delta + duplicate_in_zone + rejected + written`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRows {
    /// Rows read from new RAW files.
    pub read: u64,
    /// Rows that lost against another row of the same run.
    pub duplicate_in_delta: u64,
    /// Rows that lost against a row of the zone, or equal it in all columns.
    pub duplicate_in_zone: u64,
    /// Rows written that were not in the zone before, or replace one.
    pub written: u64,
    /// Rows read that were late, whatever became of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late: u64,
    /// Of the late rows those that were rejected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected: u64,
}

/// Live files of the run's buckets around it; rejects do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunFiles {
    /// Live files before.
    pub before: u64,
    /// Live files after.
    pub after: u64,
    /// Their bytes before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_before: u64,
    /// Their bytes after.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_after: u64,
}
