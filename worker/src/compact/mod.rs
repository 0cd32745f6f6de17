//! A run of the compaction: what is new in RAW moves on to the Processed zone, unique by key.
//!
//! ```text
//! open both zones ─▶ plan ─▶ attempt ─▶ compatible: the zone's files go on in today's columns, or nothing is written
//!                 pass 1 ─▶ scan: keys of the delta, keys of the zone's files that may hold them, by ranges of their hash
//!                           settling: who wins, range by range (pure) ─▶ contest: equal rows change nothing
//!                 pass 2 ─▶ rewrite: winners and the rest of replaced files ─▶ sorting (runs) ─▶ output
//!                           dropped: columns that only files have stay with the rows that have values in them
//!                           late: rows that come too late, if they are rejected ─▶ files beside the zone
//!                        ─▶ append outputs and position as one entry ─▶ publish
//! ```
//!
//! A crash before the append leaves nothing that a reader sees; after it, the next run's opening finishes publication.
//! The memory is shared out before the work begins ([`Budget`]): rows that take part are 64 bytes each and go to a local
//! file by ranges of their key when they are too many, so do rows that are written, in sorted runs. A bit for each row
//! says what pass 1 has decided. Decoding, sorting and encoding run on as many threads as there are processors.

mod attempt;
mod budget;
mod compatible;
mod consumer;
mod contest;
mod dropped;
mod error;
mod filter;
mod fullness;
mod gate;
mod groups;
mod known;
mod late;
mod marks;
mod merging;
mod order;
mod output;
mod places;
mod preview;
mod progress;
mod ranges;
mod report;
mod rewrite;
mod row_bytes;
mod runs;
mod scan;
mod selection;
mod settling;
mod sort_key;
mod sorting;
mod spill;
mod usage;
mod work;

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::compact::{Plan, Refusal, plan_rebuild, plan_run};
use gristmill_core::log::{Digest, Fold};
use gristmill_crds::plan::CompactionPlan;
use tracing::{info, warn};

pub use budget::Budget;
pub use error::Error;
pub use preview::{Part, Preview, Size, preview};
pub use progress::{Phase, Progress, Step};
pub use report::{Outcome, Report};
pub use spill::SpillError;
pub use work::Work;

use attempt::{Attempt, Compaction, attempt};

use crate::exit::Failure;
use crate::parquet_file;
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::zone::{Expected, Opened, Surroundings, Zone, ZoneReader};

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
    /// Who else works in the process.
    pub process: ProcessUse,
    /// What a run takes.
    pub work: Work,
    /// What a run does now, for those who watch it.
    pub progress: Progress,
}

/// Who works in the process of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessUse {
    /// The run alone: what the process takes is what the run takes, and stands in its summary.
    Alone,
    /// Ingests beside it. Linux counts CPU time by process and by thread, and both kinds of work share the threads, so
    /// that nobody could tell the run's part: its summary says nothing of its cost.
    Shared,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            row_group_bytes: parquet_file::Layout::default().row_group_bytes,
            budget: Budget::default(),
            spill_directory: std::env::temp_dir(),
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
            open_files: OPEN_FILES,
            process: ProcessUse::Alone,
            work: Work::default(),
            progress: Progress::default(),
        }
    }
}

/// Compacts what is new.
///
/// # Guarantees
/// Outputs and position are committed as one entry or not at all. A run that finds nothing new changes nothing. Runs of
/// different buckets at once all commit: the entry of one leaves that of the others valid.
///
/// # Errors
/// The zones do not belong together or to this plan, a file is lost or damaged, or a store fails.
pub async fn run(plan: &CompactionPlan, zones: &Zones, options: &Options) -> Result<Report, Error> {
    let part = options.work.part(plan.buckets).map_err(Error::Refused)?;
    let (mut raw, mut zone) = open_registered(plan, zones).await?;
    for _ in 0..MAX_ATTEMPTS {
        // After the Processed zone was folded: whatever position it has, RAW's log is read at least that far.
        raw.refresh().await.map_err(Error::Zone)?;
        let mut plan_of_run = planned(plan, raw.fold(), zone.fold(), options.work).map_err(Error::Refused)?;
        // Only for a run that is not refused: a mark must not bring RAW's log past a position that it is behind.
        let is_rebuild = options.work == Work::Rebuild && matches!(plan_of_run, Plan::Run(_));
        if is_rebuild && !moves_on(raw.fold(), zone.fold()) {
            consumer::mark(plan, &raw, &zone).await?;
            raw.refresh().await.map_err(Error::Zone)?;
            if !moves_on(raw.fold(), zone.fold()) {
                continue;
            }
            plan_of_run = planned(plan, raw.fold(), zone.fold(), options.work).map_err(Error::Refused)?;
        }
        let Plan::Run(run) = plan_of_run else {
            consumer::advance(plan, &raw, &zone).await;
            let report = Report::new(Outcome::NothingNew, part, &raw, &zone);
            zone.close().await;
            return Ok(report);
        };
        let attempted = attempt(plan, &run, &raw, &mut zone, options).await;
        if run.rebuild.is_some() && attempted.as_ref().is_err_and(Error::is_lost_file) {
            // The register holds nothing back for a run that begins anew: retention may have taken a file meanwhile.
            raw.refresh().await.map_err(Error::Zone)?;
            planned(plan, raw.fold(), zone.fold(), options.work).map_err(Error::Refused)?;
        }
        match attempted? {
            Attempt::Committed(outcome) => {
                consumer::advance(plan, &raw, &zone).await;
                upkeep(&mut zone).await;
                let report = Report::new(outcome, part, &raw, &zone);
                if let Some(warning) = &report.warning {
                    warn!("{warning}");
                }
                zone.close().await;
                return Ok(report);
            }
            Attempt::Overtaken => info!("another run has committed, starting again from its position"),
        }
    }
    Err(Error::Contended { zone: zones.processed.url().to_string(), attempts: MAX_ATTEMPTS })
}

/// Enters the Processed zone, which is made where there is none, in RAW's register of consumers, and reads nothing: from
/// then on no row leaves RAW that no run has read.
///
/// # Errors
/// As [`run`]; a RAW zone that is not there yet is `NotAZone`.
pub async fn register(plan: &CompactionPlan, zones: &Zones) -> Result<(), Error> {
    let (_, zone) = open_registered(plan, zones).await?;
    zone.close().await;
    Ok(())
}

/// Both zones, the Processed one in RAW's register.
async fn open_registered(plan: &CompactionPlan, zones: &Zones) -> Result<(ZoneReader, Zone), Error> {
    let raw = ZoneReader::open(zones.raw.clone()).await.map_err(Error::Zone)?;
    let zone = open_processed(plan, zones, &raw).await?;
    consumer::register(plan, &raw, &zone).await?;
    Ok((raw, zone))
}

/// What there is to do.
fn planned(plan: &CompactionPlan, raw: &Fold, zone: &Fold, work: Work) -> Result<Plan, Refusal> {
    match work {
        Work::Increment(shard) => plan_run(raw, zone, shard.buckets(plan.buckets)?),
        Work::Rebuild => plan_rebuild(raw, zone, plan.buckets),
    }
}

/// Whether a run that computes the zone anew moves each position on. One that did not would leave valid what a run at once
/// has planned from the files before: rows could then stand twice.
fn moves_on(raw: &Fold, zone: &Fold) -> bool {
    zone.positions().values().all(|position| *position < raw.head().position())
}

/// Upkeep is not what the run is judged by: what it leaves undone the next one does.
async fn upkeep(zone: &mut Zone) {
    if let Err(error) = zone.maintain().await {
        warn!(%error, "upkeep of the Processed zone is left to the next run");
    }
}

/// What the zone must be for.
fn expected(plan: &CompactionPlan, raw: &ZoneReader) -> Expected {
    Expected::Processed {
        raw_zone_id: raw.fold().zone_id(),
        key: plan.key.clone(),
        partition_by: plan.partition_by.clone(),
        buckets: plan.buckets,
        keep: plan.keep,
        order_by: plan.order_by.clone(),
    }
}

async fn open_processed(plan: &CompactionPlan, zones: &Zones, raw: &ZoneReader) -> Result<Zone, Error> {
    let digest: Digest = plan.spec_digest.parse().expect("a plan's digest is one");
    match Zone::open(zones.processed.clone(), expected(plan, raw), digest).await.map_err(Error::Zone)? {
        Opened::Ready(zone) => Ok(zone),
        Opened::Empty(empty) => empty.create_processed().await.map_err(Error::Zone),
    }
}
