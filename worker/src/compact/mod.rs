//! A run of the compaction: what is new in RAW moves on to the Processed zone, unique by key.
//!
//! ```text
//! open both zones ─▶ plan ─▶ compatible: the zone's files go on in today's columns, or nothing is written
//!                 pass 1 ─▶ scan: keys of the delta, keys of the zone's files that may hold them, by ranges of their hash
//!                           settling: who wins, range by range (pure) ─▶ contest: equal rows change nothing
//!                 pass 2 ─▶ rewrite: winners and the rest of replaced files ─▶ sorting (runs) ─▶ output
//!                        ─▶ append outputs and position as one entry ─▶ publish
//! ```
//!
//! A crash before the append leaves nothing that a reader sees; after it, the next run's opening finishes publication.
//! The memory is shared out before the work begins ([`Budget`]): rows that take part are 64 bytes each and go to a local
//! file by ranges of their key when they are too many, so do rows that are written, in sorted runs. A bit for each row
//! says what pass 1 has decided. Decoding, sorting and encoding run on as many threads as there are processors.

mod budget;
mod compatible;
mod consumer;
mod contest;
mod distinct;
mod error;
mod filter;
mod gate;
mod groups;
mod known;
mod marks;
mod merging;
mod order;
mod output;
mod places;
mod ranges;
mod report;
mod rewrite;
mod row_bytes;
mod runs;
mod scan;
mod selection;
mod settling;
mod sorting;
mod spill;
mod unsupported;
mod usage;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::compact::{Bucket, LateRule, Layout, Plan, RunPlan, plan_run};
use gristmill_core::log::{
    BucketRange, Data, Digest, FileEntry, FileZone, LogTime, ProcessedData, RemovedFile, RunFiles, RunRows, RunSummary,
};
use gristmill_crds::plan::CompactionPlan;
use tracing::{info, warn};

pub use budget::Budget;
pub use error::Error;
pub use report::{Outcome, Report};
pub use spill::SpillError;

use spill::Spill;
use usage::Usage;

use crate::exit::Failure;
use crate::parquet_file;
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::zone::{Appended, Expected, Opened, Surroundings, Zone, ZoneReader};

/// Runs of others that a run gives way to before it gives up. A CronJob forbids overlap, so that one is rare.
const MAX_ATTEMPTS: u32 = 5;

/// Where a run reads and writes.
#[derive(Clone)]
pub struct Zones {
    /// The RAW zone; nothing is written but how far the compaction has come.
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

/// Outputs that are open at a time, if there is memory for them: closing one takes HDFS half a second, nearly all of it
/// waiting.
const OPEN_FILES: usize = 16;

/// How a run works, whatever its resource says.
#[derive(Debug, Clone)]
pub struct Options {
    /// A row group is complete at this encoded size, or earlier where memory is short.
    pub row_group_bytes: usize,
    /// How the memory is shared out.
    pub budget: Budget,
    /// Directory for what does not fit into memory.
    pub spill_directory: PathBuf,
    /// Threads that decode, sort and encode, at least one.
    pub threads: usize,
    /// Outputs that are open at a time, at least one.
    pub open_files: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            row_group_bytes: parquet_file::Layout::default().row_group_bytes,
            budget: Budget::default(),
            spill_directory: std::env::temp_dir(),
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
            open_files: OPEN_FILES,
        }
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
    unsupported::refuse(plan)?;
    let mut raw = ZoneReader::open(zones.raw.clone()).await.map_err(Error::Zone)?;
    let mut zone = open_processed(plan, zones, &raw).await?;
    consumer::register(plan, zones, &raw, &zone).await?;
    for _ in 0..MAX_ATTEMPTS {
        // After the Processed zone was folded: whatever position it has, RAW's log is read at least that far.
        raw.refresh().await.map_err(Error::Zone)?;
        let Plan::Run(run) = plan_run(raw.fold(), zone.fold(), 0..plan.buckets).map_err(Error::Refused)? else {
            consumer::advance(plan, zones, &raw, &zone).await;
            return Ok(Report::new(Outcome::NothingNew, &raw, &zone));
        };
        match attempt(plan, &run, &raw, &mut zone, options).await? {
            Attempt::Committed(outcome) => {
                consumer::advance(plan, zones, &raw, &zone).await;
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
    let expected = Expected::Processed {
        raw_zone_id: raw.fold().zone_id(),
        key: plan.key.clone(),
        partition_by: plan.partition_by.clone(),
        buckets: plan.buckets,
        keep: plan.keep,
        order_by: plan.order_by.clone(),
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
    let layout = Layout::new(&plan.columns, &plan.partition_by);
    let spill = Arc::new(Spill::new(&options.spill_directory));
    let compaction = Compaction { run, raw, layout, plan, options, spill };
    let data = match compaction.produce(zone, start).await {
        Ok(data) => data,
        Err(error) => {
            // Best effort: what stays is garbage that no entry names.
            drop(zone.discard_staged().await);
            // Another run may have retired a file while it was read here.
            if let Err(second) = zone.refresh().await {
                warn!(error = %second, "the zone can't be read again after the error that ends this run");
                return Err(error);
            }
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
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late: _, rejected: _ } = summary.rows;
            info!(%sequence, read, duplicate_in_delta, duplicate_in_zone, written, "committed run");
            Ok(Attempt::Committed(Outcome::Committed { sequence, from: run.from(), to: run.to, summary }))
        }
        Appended::Lost(_) => {
            zone.discard_staged().await.map_err(Error::Zone)?;
            if zone.fold().is_fenced(zone.incarnation()) {
                // It slept so long that another took it for dead; under its old incarnation it would lose for ever.
                zone.renew_incarnation().map_err(Error::Zone)?;
            }
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
    spill: Arc<Spill>,
}

impl Compaction<'_> {
    /// Everything up to the commit.
    async fn produce(&self, zone: &mut Zone, start_time: LogTime) -> Result<ProcessedData, Error> {
        let usage = Usage::begin();
        compatible::check(&self.layout, zone.reader(), &self.run.zone).await?;
        let decided = settling::decide(self, zone.reader()).await?;
        let rows = decided.rows;
        let (added, removed) = rewrite::rewrite(self, zone, decided).await?;
        let before = self.run.zone.len() as u64;
        let bytes = |files: &[FileEntry]| files.iter().map(|file| file.bytes).sum::<u64>();
        let bytes_before = self.run.zone.iter().map(|live| live.file.bytes).sum::<u64>();
        let files = RunFiles {
            before,
            after: before + added.len() as u64 - removed.len() as u64,
            bytes_before,
            bytes_after: bytes_before + bytes(&added) - bytes(&removed),
        };
        let completion_time = zone.reader().surroundings().now();
        let late_before = self.late_rule().map(|rule| rule.limit());
        let delta_bytes = self.run.delta.iter().map(|live| live.file.bytes).sum();
        let cost = usage.and_then(|usage| usage.cost(delta_bytes));
        let summary = RunSummary { start_time, completion_time, rows, files, late_before, cost };
        Ok(self.entry(added, removed, summary))
    }

    /// Which rows are late in this run.
    fn late_rule(&self) -> Option<LateRule> {
        LateRule::of(self.plan.lateness.as_ref(), self.run.processed_through)
    }

    fn entry(&self, added: Vec<FileEntry>, removed: Vec<FileEntry>, run: RunSummary) -> ProcessedData {
        let RunPlan { raw_zone, buckets, to, delta: _, zone: _, processed_through: _, through } = self.run;
        let range = |(Bucket(bucket), from): (&Bucket, &i64)| BucketRange {
            bucket: *bucket,
            from_seq: *from,
            to_seq: *to,
            processed_through: *through,
        };
        let removed = removed.into_iter().map(|file| RemovedFile { zone: FileZone::Processed, path: file.path });
        ProcessedData {
            raw_zone_id: *raw_zone,
            buckets: buckets.iter().map(range).collect(),
            added,
            removed: removed.collect(),
            run,
        }
    }
}
