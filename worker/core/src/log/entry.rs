//! The body of an entry: what one commit says.
//!
//! Field names and order are those of the JSON; `wire` adds the envelope. A kind that this version does not know is
//! refused when it is read, so an older worker never skips what a newer one has decided.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::layout::ZonePath;
use super::names::{CommitId, Digest, Incarnation, LogTime, ZoneId};

/// One entry of the log. Its sequence is the name of its slot and nowhere else (F6).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Identity of this commit.
    pub commit_id: CommitId,
    /// The process that wrote it.
    pub incarnation: Incarnation,
    /// Clock of the writer when it prepared the entry.
    pub time: LogTime,
    /// Digest of the resource that the writer worked by.
    pub spec_digest: Digest,
    /// What it says.
    pub kind: Kind,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// The first entry: what the zone is for.
    Genesis(Genesis),
    /// Files and the progress that they stand for, in one act.
    Data(Data),
}

impl Kind {
    /// The name of the kind as the JSON has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "Genesis",
            Self::Data(_) => "Data",
        }
    }
}

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

impl PartitionRange {
    /// What became of the offsets of the range.
    pub fn counts(&self) -> MessageCounts {
        let Self { accepted, rejected, tombstones, absent, gaps, .. } = *self;
        MessageCounts { accepted, rejected, tombstones, absent, gaps }
    }
}

/// What became of offsets; the identity says that nothing else can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
}

/// Rows of a run by what became of them.
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
}

/// Live files of the zone around a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunFiles {
    /// Live files before.
    pub before: u64,
    /// Live files after.
    pub after: u64,
}

/// The directory that a file's path is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FileZone {
    /// The RAW zone's own.
    Raw,
    /// `<raw>_rejected`, whose files are entries of RAW's log.
    Rejected,
    /// The Processed zone's own.
    Processed,
}

/// A file that an entry adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileEntry {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// Its published name.
    pub path: ZonePath,
    /// Its name before publication, relative to the directory of the log's zone.
    pub staged: ZonePath,
    /// Rows in it.
    pub rows: u64,
    /// Its length; a file of another length is never published.
    pub bytes: u64,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Id of the schema that it was written with.
    pub schema: String,
    /// Of a Processed file: the one bucket whose keys it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// Of a Processed file: the value of each partition column, which the file itself does not repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Vec<PartitionValue>>,
}

/// The value of a partition column for a whole file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionValue {
    /// The column.
    pub column: String,
    /// Its value, with its type.
    pub value: TypedValue,
}

/// A value of a type that can name a directory; the inner `None` is null.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", deny_unknown_fields)]
pub enum TypedValue {
    /// Text.
    String(Option<String>),
    /// A 32-bit integer.
    Int32(Option<i32>),
    /// A 64-bit integer.
    Int64(Option<i64>),
    /// True or false.
    Boolean(Option<bool>),
    /// A day.
    Date(Option<NaiveDate>),
}

/// A file that an entry removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemovedFile {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// Its published name.
    pub path: ZonePath,
}
