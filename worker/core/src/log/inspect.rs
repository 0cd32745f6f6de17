//! What `gristmill inspect --json` says of a zone; the JSON is snake_case, one object.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::{BucketSpan, FileZone, Genesis, MessageCounts, RunFiles, RunKind, RunRows, RunSummary};
use super::fold::{ConsumerState, Fold, Held, Run};
use super::names::{LogTime, ZoneId};

/// The facts of one zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Inspection {
    /// Of a RAW zone.
    Raw(RawInspection),
    /// Of a Processed zone.
    Processed(ProcessedInspection),
}

/// The facts of a RAW zone. Messages are counted over the whole log, rows and files are those of live files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RawInspection {
    /// The zone's id.
    pub zone: String,
    /// `Raw`.
    pub kind: &'static str,
    /// The last slot.
    pub head_sequence: u64,
    /// Accepted, rejected and tombstones together.
    pub messages: u64,
    /// Messages of which at least one row was written.
    pub accepted_messages: u64,
    /// Messages of which no row was written.
    pub rejected_messages: u64,
    /// Messages with a null value.
    pub tombstones: u64,
    /// Offsets that Kafka did not deliver.
    pub absent: u64,
    /// Offsets that were lost before they were read.
    pub gaps: u64,
    /// Rows of live files.
    pub rows: u64,
    /// Reject records of live files.
    pub rejected_rows: u64,
    /// Live files of rows.
    pub files: u64,
    /// Live files of rejects.
    pub rejected_files: u64,
    /// Bytes of all live files.
    pub bytes: u64,
    /// Where each partition stands, by topic.
    pub offsets: BTreeMap<String, BTreeMap<i32, PartitionOffset>>,
    /// Registered consumers, by id.
    pub consumers: Vec<ConsumerFacts>,
    /// Why consumption stops, if it does.
    pub held: Option<HoldFacts>,
}

/// The facts of a hold that nobody has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldFacts {
    /// Its entry.
    pub sequence: u64,
    /// Since when.
    pub since: LogTime,
    /// Why.
    pub message: String,
}

/// The facts of a registered consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsumerFacts {
    /// Id of its Processed zone.
    pub id: String,
    /// What users call it.
    pub name: String,
    /// The last entry that it has consumed; -1 before the first.
    pub position: i64,
    /// When it registered or last moved on.
    pub advanced_at: LogTime,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartitionOffset {
    /// Counts the rewinds.
    pub generation: i32,
    /// The next offset to fetch.
    pub next: i64,
}

/// The facts of a Processed zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessedInspection {
    /// The zone's id.
    pub zone: String,
    /// `Processed`.
    pub kind: &'static str,
    /// The last slot.
    pub head_sequence: u64,
    /// Id of the RAW zone that it consumes.
    pub source_zone: String,
    /// The last RAW sequence that each bucket has consumed; -1 before the first run.
    pub positions: BTreeMap<u32, i64>,
    /// Up to when every message is in the zone; null until that can be said.
    pub processed_through: Option<LogTime>,
    /// Rows of live files.
    pub rows: u64,
    /// Live files.
    pub files: u64,
    /// Bytes of live files.
    pub bytes: u64,
    /// Late rows of live files of rejects.
    pub rejected_rows: u64,
    /// Live files of rejects.
    pub rejected_files: u64,
    /// The last runs, newest first.
    pub runs: Vec<RunFacts>,
}

/// The facts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFacts {
    /// Its entry.
    pub sequence: u64,
    /// When it began.
    pub start_time: LogTime,
    /// When its outputs were complete.
    pub completion_time: LogTime,
    /// `Increment`, or `Rebuild` of a run that computed the zone anew.
    pub kind: RunKind,
    /// Rows by what became of them.
    pub rows: RowFacts,
    /// Live files around it.
    pub files: FileFacts,
    /// Rows whose time lies before it were late; null if no row could be.
    pub late_before: Option<LogTime>,
    /// Every message before it is in the zone after the run; null until that can be said.
    pub through: Option<LogTime>,
    /// The buckets that it was for; null if it was for all. Its figures are those of its buckets.
    pub buckets: Option<BucketSpan>,
    /// What it took; null if it was not measured.
    pub cost: Option<CostFacts>,
}

/// Rows of a run by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RowFacts {
    /// Rows read from new RAW files.
    pub read: u64,
    /// Rows that lost against another row of the same run.
    pub duplicate_in_delta: u64,
    /// Rows that lost against a row of the zone.
    pub duplicate_in_zone: u64,
    /// Rows written.
    pub written: u64,
    /// Rows that were late, whatever became of them.
    pub late: u64,
    /// Late rows that were rejected.
    pub rejected: u64,
}

/// Live files around a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
}

/// What a run took of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CostFacts {
    /// Bytes of the RAW files that were new to it.
    pub delta_bytes: u64,
    /// CPU time of the process, in milliseconds.
    pub cpu_milliseconds: u64,
    /// Most memory that the process held, in bytes.
    pub peak_memory: u64,
    /// Bytes of new RAW files for each second of CPU time.
    pub bytes_per_core_second: Option<u64>,
}

/// Says what a fold knows.
pub fn inspect(fold: &Fold) -> Inspection {
    match fold.genesis() {
        Genesis::Raw(genesis) => {
            let MessageCounts { accepted, rejected, tombstones, absent, gaps } = fold.totals();
            let (data, rejects) = (live_totals(fold, FileZone::Raw), live_totals(fold, FileZone::Rejected));
            Inspection::Raw(RawInspection {
                zone: genesis.zone_id.to_string(),
                kind: "Raw",
                head_sequence: fold.head().0,
                messages: accepted + rejected + tombstones,
                accepted_messages: accepted,
                rejected_messages: rejected,
                tombstones,
                absent,
                gaps,
                rows: data.rows,
                rejected_rows: rejects.rows,
                files: data.files,
                rejected_files: rejects.files,
                bytes: data.bytes + rejects.bytes,
                offsets: BTreeMap::from([(genesis.topic.clone(), offsets(fold))]),
                consumers: fold.consumers().iter().map(consumer_facts).collect(),
                held: fold.held().map(hold_facts),
            })
        }
        Genesis::Processed(genesis) => {
            let LiveTotals { rows, files, bytes } = live_totals(fold, FileZone::Processed);
            let rejects = live_totals(fold, FileZone::Rejected);
            Inspection::Processed(ProcessedInspection {
                zone: genesis.zone_id.to_string(),
                kind: "Processed",
                head_sequence: fold.head().0,
                source_zone: genesis.raw_zone_id.to_string(),
                positions: fold.positions().clone(),
                processed_through: fold.all_processed_through(),
                rows,
                files,
                bytes,
                rejected_rows: rejects.rows,
                rejected_files: rejects.files,
                runs: fold.runs().map(run_facts).collect(),
            })
        }
    }
}

struct LiveTotals {
    rows: u64,
    files: u64,
    bytes: u64,
}

fn live_totals(fold: &Fold, zone: FileZone) -> LiveTotals {
    let mut totals = LiveTotals { rows: 0, files: 0, bytes: 0 };
    for live in fold.live().values().filter(|live| live.file.zone == zone) {
        totals.rows += live.file.rows;
        totals.files += 1;
        totals.bytes += live.file.bytes;
    }
    totals
}

fn offsets(fold: &Fold) -> BTreeMap<i32, PartitionOffset> {
    let offset = |(partition, state): (&i32, &super::PartitionState)| {
        (*partition, PartitionOffset { generation: state.generation, next: state.next })
    };
    fold.partitions().iter().map(offset).collect()
}

fn consumer_facts((id, state): (&ZoneId, &ConsumerState)) -> ConsumerFacts {
    let ConsumerState { name, position, advanced_at } = state;
    ConsumerFacts { id: id.to_string(), name: name.clone(), position: *position, advanced_at: *advanced_at }
}

fn hold_facts(held: &Held) -> HoldFacts {
    HoldFacts { sequence: held.sequence.0, since: held.since, message: held.hold.message.clone() }
}

fn run_facts(run: &Run) -> RunFacts {
    let RunSummary { start_time, completion_time, rows, files, late_before, cost, kind, through, buckets } =
        &run.summary;
    let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = *rows;
    let RunFiles { before, after, bytes_before, bytes_after } = *files;
    RunFacts {
        sequence: run.sequence.0,
        start_time: *start_time,
        completion_time: *completion_time,
        kind: *kind,
        rows: RowFacts { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected },
        files: FileFacts { before, after, bytes_before, bytes_after },
        late_before: *late_before,
        through: *through,
        buckets: *buckets,
        cost: cost.as_ref().map(|cost| CostFacts {
            delta_bytes: cost.delta_bytes,
            cpu_milliseconds: cost.cpu_milliseconds,
            peak_memory: cost.peak_memory,
            bytes_per_core_second: cost.bytes_per_core_second(),
        }),
    }
}
