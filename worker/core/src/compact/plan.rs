//! The plan of a run: which files are read, from the facts of two logs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bucket::{Bucket, Shard};
use crate::log::{BucketSpan, FileZone, Fold, Genesis, LiveFile, LogTime, RemovedTotals, Sequence, ZoneId};

/// Position before everything.
const NOTHING: i64 = -1;

/// What there is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// The RAW zone has no file that the Processed zone has not consumed.
    NothingNew {
        /// How far the RAW zone has been consumed.
        position: i64,
    },
    /// There are new files.
    Run(RunPlan),
}

/// The files of a run, and the buckets that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPlan {
    /// The RAW zone.
    pub raw_zone: ZoneId,
    /// The position before of each bucket of the run. They differ where a run of some of them failed.
    pub buckets: BTreeMap<Bucket, i64>,
    /// The position after of all of them: RAW's head when the plan was made.
    pub to: i64,
    /// RAW files to read, oldest first: those that at least one bucket has not consumed.
    pub delta: Vec<LiveFile>,
    /// Live files of the buckets in the Processed zone: those that hold a key of the delta may have to be rewritten.
    pub zone: Vec<LiveFile>,
    /// Up to when all buckets of the run had every message before it: what lateness is measured against.
    pub processed_through: Option<LogTime>,
    /// Up to when they have after it.
    pub through: Option<LogTime>,
    /// What it replaces whole, if it computes the zone anew.
    pub rebuild: Option<Rebuild>,
}

/// What a run replaces that computes a zone anew: it reads RAW from its beginning and nothing of the zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuild {
    /// The position of each bucket before, as the log has it.
    pub positions: BTreeMap<Bucket, i64>,
    /// Every live file of the zone, those of late rows included.
    pub replaced: Vec<LiveFile>,
}

impl RunPlan {
    /// Whether the Processed zone still is as the plan found it: its buckets stand where they stood, and the files that it
    /// may replace are live.
    pub fn stands(&self, processed: &Fold) -> bool {
        let positions = self.rebuild.as_ref().map_or(&self.buckets, |rebuild| &rebuild.positions);
        let replaced = self.rebuild.iter().flat_map(|rebuild| &rebuild.replaced);
        let is_live = |live: &LiveFile| processed.live().get(&live.key()) == Some(live);
        positions.iter().all(|(Bucket(bucket), position)| processed.positions().get(bucket) == Some(position))
            && self.zone.iter().chain(replaced).all(is_live)
    }

    /// The least position before: files of entries up to it are consumed by all buckets of the run.
    pub fn from(&self) -> i64 {
        self.buckets.values().copied().min().unwrap_or(self.to)
    }

    /// Its buckets; none if they are all that the zone has.
    pub fn span(&self, there: u32) -> Option<BucketSpan> {
        let numbers = || self.buckets.keys().map(|Bucket(bucket)| *bucket);
        let (first, last) = (numbers().min()?, numbers().max()?);
        (first > 0 || last + 1 < there).then_some(BucketSpan { first, last })
    }

    /// Whether a row of this bucket in a file of this entry belongs to the run. It does not if the bucket is another
    /// run's, or has consumed the entry.
    pub fn takes(&self, bucket: Bucket, sequence: Sequence) -> bool {
        self.buckets.get(&bucket).is_some_and(|position| *position < sequence.position())
    }
}

/// Why a run would be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The source is no RAW zone.
    #[error("the source is a Processed zone; name the path of a RAW zone in spec.raw.path of the StreamIngest")]
    NotRaw,
    /// The Processed zone was made from another RAW zone (F29).
    #[error(
        "the Processed zone belongs to RAW zone {expected}, and RAW zone {found} stands in its place; use a new processed.path"
    )]
    OtherRawZone {
        /// The RAW zone that the Processed zone was made from.
        expected: String,
        /// The RAW zone at hand.
        found: ZoneId,
    },
    /// The zone has no such buckets.
    #[error("the Processed zone has {there} buckets, numbered from 0; {} to {} were asked for", asked.start, asked.end.saturating_sub(1))]
    NoSuchBuckets {
        /// Buckets of the run.
        asked: Range<u32>,
        /// How many there are.
        there: usize,
    },
    /// A shard would have no bucket.
    #[error(
        "shard {shard} can't be: the Processed zone has {there} buckets, and no more shards; processed.buckets says how many"
    )]
    TooManyShards {
        /// The shard.
        shard: Shard,
        /// Buckets of the zone.
        there: u32,
    },
    /// RAW no longer holds all that the zone was made from.
    #[error(
        "the zone can't be computed anew: retention has removed {files} files{} from RAW, and what stands in the zone of their rows would be lost; leave the zone as it is, and give a new HourlyCompaction its own processed.path for what RAW still holds{}",
        rows.map(|rows| format!(" with {rows} rows")).unwrap_or_default(),
        since.map(|since| format!(" (committed since {since})")).unwrap_or_default()
    )]
    RowsAreGone {
        /// RAW files that were removed.
        files: u64,
        /// Their rows, if they were counted.
        rows: Option<u64>,
        /// When the oldest file was committed that is left.
        since: Option<LogTime>,
    },
    /// The Processed zone has consumed more than there is.
    #[error(
        "the Processed zone has consumed RAW up to entry {position}, and RAW ends at entry {head}: RAW was put back to an earlier state; restore it, or use a new processed.path"
    )]
    Ahead {
        /// How far RAW has been consumed.
        position: i64,
        /// RAW's last entry.
        head: i64,
    },
}

/// Plans a run of some buckets: what RAW's log names and they have not consumed (rule 21).
///
/// # Errors
/// The two zones do not belong together, or the zone has no such buckets.
pub fn plan_run(raw: &Fold, processed: &Fold, buckets: Range<u32>) -> Result<Plan, Refusal> {
    let positions = positions(raw, processed, &buckets)?;
    let to = raw.head().position();
    let from = positions.values().copied().min().unwrap_or(to);
    let delta: Vec<LiveFile> = raw.added_after(FileZone::Raw, from).into_iter().cloned().collect();
    if delta.is_empty() {
        return Ok(Plan::NothingNew { position: from });
    }
    let of_run = |live: &&LiveFile| {
        live.file.zone == FileZone::Processed && live.file.bucket.is_some_and(|bucket| buckets.contains(&bucket))
    };
    let before = through_before(raw, processed, &buckets);
    Ok(Plan::Run(RunPlan {
        raw_zone: raw.zone_id(),
        buckets: positions,
        to,
        delta,
        zone: processed.live().values().filter(of_run).cloned().collect(),
        processed_through: before,
        through: through_after(raw, from, before),
        rebuild: None,
    }))
}

/// Plans a run that computes the whole zone anew from all that RAW holds (F22). As in a first run no row is late: rows that
/// were rejected as late come back with the others.
///
/// # Errors
/// As [`plan_run`]; or RAW no longer holds all that the zone was made from.
pub fn plan_rebuild(raw: &Fold, processed: &Fold, buckets: u32) -> Result<Plan, Refusal> {
    let positions = positions(raw, processed, &(0..buckets))?;
    let RemovedTotals { files, bytes: _, rejected_files, rows } = raw.removed();
    let delta: Vec<LiveFile> = raw.added_after(FileZone::Raw, NOTHING).into_iter().cloned().collect();
    if files > rejected_files {
        let since = delta.first().map(|live| live.time);
        let rows = Some(rows).filter(|rows| *rows > 0);
        return Err(Refusal::RowsAreGone { files: files - rejected_files, rows, since });
    }
    let to = raw.head().position();
    let from = positions.values().copied().min().unwrap_or(to);
    let replaced: Vec<LiveFile> = processed.live().values().cloned().collect();
    if delta.is_empty() && replaced.is_empty() {
        return Ok(Plan::NothingNew { position: from });
    }
    Ok(Plan::Run(RunPlan {
        raw_zone: raw.zone_id(),
        buckets: positions.keys().map(|bucket| (*bucket, NOTHING)).collect(),
        to,
        delta,
        zone: Vec::new(),
        processed_through: None,
        through: through_after(raw, from, through_before(raw, processed, &(0..buckets))),
        rebuild: Some(Rebuild { positions, replaced }),
    }))
}

/// The position of each of these buckets, if the two zones belong together.
fn positions(raw: &Fold, processed: &Fold, buckets: &Range<u32>) -> Result<BTreeMap<Bucket, i64>, Refusal> {
    let Genesis::Raw(_) = raw.genesis() else { return Err(Refusal::NotRaw) };
    let raw_zone = raw.zone_id();
    match processed.genesis() {
        Genesis::Processed(genesis) if genesis.raw_zone_id == raw_zone => {}
        Genesis::Processed(genesis) => {
            return Err(Refusal::OtherRawZone { expected: genesis.raw_zone_id.to_string(), found: raw_zone });
        }
        Genesis::Raw(_) => return Err(Refusal::OtherRawZone { expected: "none".to_owned(), found: raw_zone }),
    }
    let there = processed.positions();
    let positions: BTreeMap<Bucket, i64> =
        there.range(buckets.clone()).map(|(bucket, position)| (Bucket(*bucket), *position)).collect();
    if positions.is_empty() || positions.len() != buckets.len() {
        return Err(Refusal::NoSuchBuckets { asked: buckets.clone(), there: there.len() });
    }
    let head = raw.head().position();
    match positions.values().copied().max().filter(|position| *position > head) {
        Some(position) => Err(Refusal::Ahead { position, head }),
        None => Ok(positions),
    }
}

/// Up to when all these buckets have every message; none if that can't be said of one.
fn through_before(raw: &Fold, processed: &Fold, buckets: &Range<u32>) -> Option<LogTime> {
    let through = buckets.clone().map(|bucket| processed.processed_through().get(&bucket).copied()).min().flatten();
    through.map(|through| through.min(raw.effective_time()))
}

/// Up to when everything that RAW's log names is complete: the least of the partitions' newest timestamps. It says nothing
/// while a partition has none.
///
/// Producers say what they like. A message of the year 2099 would make every row late from then on, so a time ahead of the
/// log's own counts as that.
pub fn complete_through(raw: &Fold) -> Option<LogTime> {
    let newest = raw.partitions().values().map(|partition| partition.max_timestamp).min().flatten();
    newest.and_then(LogTime::from_milliseconds).map(|newest| newest.min(raw.effective_time()))
}

/// Up to when a run has everything. It does not fall, but by a rewind that the run takes with it.
fn through_after(raw: &Fold, from: i64, before: Option<LogTime>) -> Option<LogTime> {
    let committed = complete_through(raw);
    let rewound = raw.rewinds().values().any(|rewind| rewind.sequence.position() > from);
    if rewound { committed } else { committed.max(before) }
}
