//! A run of the compaction: what is new in RAW moves on to the Processed zone, unique by key.
//!
//! ```text
//! open both zones ─▶ plan ─▶ compatible: the zone's files go on in today's columns, or nothing is written
//!                         ─▶ scan: keys of the delta, keys of the zone's files that may hold them
//!                            settle (pure) ─▶ contest: equal rows change nothing
//!                            rewrite: winners and the rest of replaced files, one partition value after the other
//!                    ─▶ append outputs and position as one entry ─▶ publish
//! ```
//!
//! A crash before the append leaves nothing that a reader sees; after it, the next run's opening finishes publication.
//! Of the delta, pass 1 holds key hash, rank and key of every row; pass 2 the rows that are written. Of the zone, the rank
//! of rows that the delta has too, and one partition value's replaced files at a time.

mod compatible;
mod contest;
mod error;
mod filter;
mod report;
mod rewrite;
mod scan;
mod selection;

use std::time::Duration;

use gristmill_core::compact::{ContenderReader, KeyHasher, Layout, Plan, RowAddress, RunPlan, plan_run, settle};
use gristmill_core::log::{
    BucketRange, Data, Digest, FileEntry, FileZone, IdentityPartition, LogTime, ProcessedData, RemovedFile, RunFiles,
    RunRows, RunSummary, Transform,
};
use gristmill_crds::plan::CompactionPlan;
use tracing::{info, warn};

pub use error::Error;
pub use report::{Outcome, Report};

use crate::exit::Failure;
use crate::parquet_file;
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::zone::{Appended, Expected, Opened, Surroundings, Zone, ZoneReader};

/// Runs of others that a run gives way to before it gives up. A CronJob forbids overlap, so that one is rare.
const MAX_ATTEMPTS: u32 = 5;

/// A closed Parquet file has about this size, unless its partition value has fewer rows.
const TARGET_BYTES: u64 = 256 << 20;

/// Where a run reads and writes.
#[derive(Clone)]
pub struct Zones {
    /// The RAW zone; it is only read.
    pub raw: Surroundings,
    /// The Processed zone.
    pub processed: Surroundings,
}

impl Zones {
    /// The zones of a plan; each operation waits so long for a store that is away.
    ///
    /// # Errors
    /// A path is not the URL of a zone, or a client can't be configured.
    pub fn of(plan: &CompactionPlan, access: &HadoopAccess, patience: Duration) -> Result<Self, Failure> {
        let raw = surroundings(&plan.ingest.raw_path, access)?;
        let processed = surroundings(&plan.processed_path, access)?;
        Ok(Self { raw: raw.with_patience(patience), processed: processed.with_patience(patience) })
    }
}

fn surroundings(path: &str, access: &HadoopAccess) -> Result<Surroundings, Failure> {
    let url: ZoneUrl = path.parse()?;
    let store = store::open(&url, access)?;
    Ok(Surroundings::of_process(store, url))
}

/// How a run lays out what it writes.
#[derive(Debug, Clone)]
pub struct Options {
    /// An output is closed at this size and another begun.
    pub target_bytes: u64,
    /// A row group is complete at this encoded size.
    pub row_group_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { target_bytes: TARGET_BYTES, row_group_bytes: parquet_file::Layout::default().row_group_bytes }
    }
}

/// Compacts what is new.
///
/// # Guarantees
/// Outputs and position are committed as one entry or not at all. A run that finds nothing new changes nothing.
///
/// # Errors
/// The zones do not belong together or to this plan, a file is lost or damaged, or a store fails.
pub async fn run(plan: &CompactionPlan, zones: &Zones, options: &Options) -> Result<Report, Error> {
    let mut raw = ZoneReader::open(zones.raw.clone()).await.map_err(Error::Zone)?;
    let mut zone = open_processed(plan, zones, &raw).await?;
    for _ in 0..MAX_ATTEMPTS {
        // After the Processed zone was folded: whatever position it has, RAW's log is read at least that far.
        raw.refresh().await.map_err(Error::Zone)?;
        let Plan::Run(run) = plan_run(raw.fold(), zone.fold()).map_err(Error::Refused)? else {
            return Ok(Report::new(Outcome::NothingNew, &raw, &zone));
        };
        match attempt(plan, &run, &raw, &mut zone, options).await? {
            Attempt::Committed(outcome) => {
                upkeep(&mut zone).await;
                return Ok(Report::new(outcome, &raw, &zone));
            }
            Attempt::Overtaken => info!("another run has committed, starting again from its position"),
        }
    }
    Err(Error::Contended { zone: zones.processed.url().to_string(), attempts: MAX_ATTEMPTS })
}

/// Upkeep is not what the run is judged by: what it leaves undone the next one does.
async fn upkeep(zone: &mut Zone) {
    if let Err(error) = zone.maintain().await {
        warn!(%error, "upkeep of the Processed zone is left to the next run");
    }
}

async fn open_processed(plan: &CompactionPlan, zones: &Zones, raw: &ZoneReader) -> Result<Zone, Error> {
    let identity = |column: &String| IdentityPartition { column: column.clone(), transform: Transform::Identity };
    let expected = Expected::Processed {
        raw_zone_id: raw.fold().zone_id(),
        key: plan.key.clone(),
        partition_by: plan.partition_by.iter().map(identity).collect(),
        buckets: 1,
    };
    let digest: Digest = plan.spec_digest.parse().expect("a plan's digest is one");
    match Zone::open(zones.processed.clone(), expected, digest).await.map_err(Error::Zone)? {
        Opened::Ready(zone) => Ok(zone),
        Opened::Empty(empty) => empty.create_processed().await.map_err(Error::Zone),
    }
}

/// What became of one try.
enum Attempt {
    Committed(Outcome),
    /// Another run moved the zone on: positions or files are not those that this try began with.
    Overtaken,
}

async fn attempt(
    plan: &CompactionPlan,
    run: &RunPlan,
    raw: &ZoneReader,
    zone: &mut Zone,
    options: &Options,
) -> Result<Attempt, Error> {
    let before = zone.fold().head();
    let start = zone.reader().surroundings().now();
    let compaction =
        Compaction { run, raw, layout: Layout::new(&plan.ingest.record.columns, &plan.partition_by), plan, options };
    let data = match compaction.produce(zone, start).await {
        Ok(data) => data,
        Err(error) => {
            // Best effort: what stays is garbage that no entry names.
            drop(zone.discard_staged().await);
            // Another run may have retired a file while it was read here.
            zone.refresh().await.map_err(Error::Zone)?;
            return if error.is_lost_file() && zone.fold().head() > before {
                Ok(Attempt::Overtaken)
            } else {
                Err(error)
            };
        }
    };
    let summary = data.run.clone();
    match zone.append(Data::Processed(data)).await.map_err(Error::Zone)? {
        Appended::Won(sequence) => {
            zone.publish(sequence).await.map_err(Error::Zone)?;
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written } = summary.rows;
            info!(%sequence, read, duplicate_in_delta, duplicate_in_zone, written, "committed run");
            Ok(Attempt::Committed(Outcome::Committed { sequence, from: run.from, to: run.to, summary }))
        }
        Appended::Lost(_) => {
            zone.discard_staged().await.map_err(Error::Zone)?;
            Ok(Attempt::Overtaken)
        }
    }
}

/// One try of a run: its facts.
struct Compaction<'r> {
    plan: &'r CompactionPlan,
    run: &'r RunPlan,
    raw: &'r ZoneReader,
    layout: Layout,
    options: &'r Options,
}

/// What is written and what is replaced.
struct Decided {
    /// Rows of the delta that are written.
    winners: Vec<RowAddress>,
    /// Rows of the zone that they replace.
    replaced: Vec<RowAddress>,
    rows: RunRows,
}

impl Compaction<'_> {
    /// Everything up to the commit.
    async fn produce(&self, zone: &mut Zone, start_time: LogTime) -> Result<ProcessedData, Error> {
        compatible::check(&self.layout, zone.reader(), &self.run.zone).await?;
        let decided = self.decide(zone.reader()).await?;
        let rewrite = rewrite::Rewrite { compaction: self, decided: &decided };
        let (added, removed) = rewrite.write(zone).await?;
        let before = self.run.zone.len() as u64;
        let files = RunFiles { before, after: before + added.len() as u64 - removed.len() as u64 };
        let completion_time = zone.reader().surroundings().now();
        Ok(self.entry(added, removed, RunSummary { start_time, completion_time, rows: decided.rows, files }))
    }

    /// Pass 1: which rows of the delta are written, and which of the zone leave.
    async fn decide(&self, zone: &ZoneReader) -> Result<Decided, Error> {
        let hasher = KeyHasher::new(zone.fold().zone_id());
        let CompactionPlan { key, order_by, .. } = self.plan;
        let reader = ContenderReader::try_new(hasher, key, order_by, self.layout.rows())
            .map_err(|source| Error::Column { path: zone.surroundings().url().to_string(), source })?;
        let mut scan = scan::Scan::new(self, reader)?;
        scan.delta().await?;
        let read = scan.contenders.len() as u64;
        scan.zone(zone).await?;
        let settled = settle(&mut scan.contenders);
        drop(scan);
        let unequal = contest::unequal(self, zone, &settled.contested).await?;
        let equal = (settled.contested.len() - unequal.len()) as u64;
        let mut winners = settled.new;
        winners.extend(unequal.iter().map(|contest| contest.delta));
        let rows = RunRows {
            read,
            duplicate_in_delta: settled.duplicate_in_delta,
            duplicate_in_zone: settled.duplicate_in_zone + equal,
            written: winners.len() as u64,
        };
        Ok(Decided { winners, replaced: unequal.iter().map(|contest| contest.zone).collect(), rows })
    }

    fn entry(&self, added: Vec<FileEntry>, removed: Vec<FileEntry>, run: RunSummary) -> ProcessedData {
        let RunPlan { raw_zone, bucket, from, to, delta: _, zone: _ } = self.run;
        let removed = removed.into_iter().map(|file| RemovedFile { zone: FileZone::Processed, path: file.path });
        ProcessedData {
            raw_zone_id: *raw_zone,
            buckets: vec![BucketRange { bucket: *bucket, from_seq: *from, to_seq: *to }],
            added,
            removed: removed.collect(),
            run,
        }
    }
}
