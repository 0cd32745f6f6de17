//! `gristmill compact`: one run of an HourlyCompaction, now; or what it would do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use gristmill_core::compact::Shard;
use gristmill_crds::plan::CompactionPlan;

use super::progress::{Bar, ProgressMode};
use super::resources::hadoop_of;
use super::zone::duration;
use super::{compacted, previewed, print};
use crate::compact::{self, Budget, Options, Report, Work, Zones};
use crate::documents::Documents;
use crate::exit::{Exit, Failure};
use crate::local::local_compaction;
use crate::memory::Memory;
use crate::secrets::Secrets;
use crate::termination::TerminationLog;

/// Moves what is new in a RAW zone to its Processed zone, once. Without new rows it changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CompactArgs {
    /// File with the HourlyCompaction and its StreamIngest; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Name of the HourlyCompaction, if the files hold several.
    #[arg(long)]
    name: Option<String>,
    /// Folder of the Secrets and ConfigMaps that the files do not hold: DIR/NAME/KEY, as a pod has them mounted.
    #[arg(long, value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
    /// Take the zones of DIR/NAME/raw and DIR/NAME/processed.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Print what the run would do and change nothing: new files, rows by what would become of them, directories, files to
    /// rewrite or to put together, positions, the limit of lateness. It reads the keys as the run does.
    #[arg(long)]
    dry_run: bool,
    /// Compute the whole zone anew from all that RAW holds, and replace every file in one entry. It retracts what a rewind
    /// with other rules has left behind. Refused where retention has removed files from RAW.
    #[arg(long)]
    rebuild: bool,
    /// Compact one of COUNT equal parts of the zone's buckets, INDEX from 0: with 8 buckets 0/3 has 0 and 1, 1/3 has 2 to 4.
    ///
    /// Each part commits outputs and positions on its own, so that processes on several machines share the work, and one
    /// that failed is run again alone. COUNT may be another one in each run, at most processed.buckets. In an Indexed Job it
    /// is $(JOB_COMPLETION_INDEX)/COUNT.
    #[arg(long, env = "GRISTMILL_SHARD", value_name = "INDEX/COUNT", conflicts_with = "rebuild")]
    shard: Option<Shard>,
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    json: bool,
    /// Write the summary of the run as one JSON object into this file; - is standard output, in place of sentences.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    summary: Option<PathBuf>,
    /// How long an operation waits for a store that is away, for example 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    wait: Duration,
    /// Memory of this process in bytes or as 256Mi; what does not fit goes to local disk for the time of the run.
    #[arg(long, env = "GRISTMILL_MEMORY", default_value = "256Mi")]
    memory: String,
    /// Directory for what does not fit into memory, about the size of the new rows. Default: the system's one for temporary
    /// files. Nothing stays there, however the run ends.
    #[arg(long, env = "GRISTMILL_SPILL_DIR", value_name = "DIR")]
    spill_dir: Option<PathBuf>,
    /// Draw a progress bar on a terminal, in place of a log line a phase.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: ProgressMode,
    #[command(flatten)]
    termination: TerminationLog,
}

const EXAMPLES: &str = "\
Examples:
  gristmill compact -f books.yaml --local /tmp/books --dry-run
  gristmill compact -f books.yaml --local /tmp/books --summary summary.json
  gristmill compact -f books.yaml --shard 0/3
  gristmill compact -f books.yaml --rebuild";

impl CompactArgs {
    /// Whether a bar is drawn.
    pub(super) fn draws(&self, text_log: bool) -> bool {
        self.progress.draws(text_log)
    }

    /// What is said of the memory of the process.
    pub(super) fn memory(&self) -> &str {
        &self.memory
    }

    /// Whether JSON takes the place of sentences.
    fn prints_json(&self) -> bool {
        self.json || self.summary.as_deref() == Some(Path::new("-"))
    }
}

/// Runs the compaction. How it ends stands in the termination message too.
pub(super) async fn run(args: CompactArgs, with_bar: bool) -> Result<(), Failure> {
    if args.dry_run {
        return preview(&args, with_bar).await;
    }
    match compact(&args, with_bar).await {
        Ok(report) => {
            args.termination.completed(&report.ledger);
            if let Some(file) = args.summary.as_deref().filter(|file| *file != Path::new("-")) {
                write_summary(file, &report)?;
            }
            let text = if args.prints_json() { compacted::json(&report) } else { compacted::sentences(&report) };
            print(&(text + "\n"))
        }
        Err(Unfinished { failure, needs_memory }) => {
            args.termination.compaction_failed(&failure, needs_memory);
            Err(failure)
        }
    }
}

/// Why there was no run.
struct Unfinished {
    failure: Failure,
    /// Memory of a process that could do it, if that is what this one lacked.
    needs_memory: Option<u64>,
}

impl From<Failure> for Unfinished {
    fn from(failure: Failure) -> Self {
        Self { failure, needs_memory: None }
    }
}

impl From<compact::Error> for Unfinished {
    fn from(error: compact::Error) -> Self {
        Self { needs_memory: error.needs_memory(), failure: error.into() }
    }
}

async fn compact(args: &CompactArgs, with_bar: bool) -> Result<Report, Unfinished> {
    let (plan, zones, options) = arrange(args).await?;
    let _bar = with_bar.then(|| Bar::begin(options.progress.subscribe()));
    Ok(compact::run(&plan, &zones, &options).await?)
}

async fn preview(args: &CompactArgs, with_bar: bool) -> Result<(), Failure> {
    let (plan, zones, options) = arrange(args).await?;
    let bar = with_bar.then(|| Bar::begin(options.progress.subscribe()));
    let preview = compact::preview(&plan, &zones, &options).await?;
    drop(bar);
    print(&(if args.json { previewed::json(&preview) + "\n" } else { previewed::text(&preview) }))
}

async fn arrange(args: &CompactArgs) -> Result<(CompactionPlan, Zones, Options), Failure> {
    let (plan, secrets) = plan(args).await?;
    let access = hadoop_of(&plan.processed_path, plan.hadoop.as_ref(), &secrets)?;
    let zones = Zones::of(&plan, &access, args.wait)?;
    Ok((plan, zones, options(args)?))
}

fn write_summary(file: &Path, report: &Report) -> Result<(), Failure> {
    std::fs::write(file, compacted::json(report) + "\n").map_err(|error| Failure {
        exit: Exit::Store,
        reason: "StoreDenied",
        message: format!(
            "the run is committed, and --summary {} can't be written: {error}; `gristmill inspect --json` of the zone has it",
            file.display()
        ),
    })
}

fn options(args: &CompactArgs) -> Result<Options, Failure> {
    let budget = Budget::of(Memory::of_argument(&args.memory)?);
    let usual = Options::default();
    let spill_directory = args.spill_dir.clone().unwrap_or(usual.spill_directory);
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let work = if args.rebuild { Work::Rebuild } else { Work::Increment(shard) };
    Ok(Options { budget, spill_directory, work, ..usual })
}

async fn plan(args: &CompactArgs) -> Result<(CompactionPlan, Secrets), Failure> {
    let documents = Documents::read(&args.files)?;
    let plan = documents.compaction_plan(args.name.as_deref())?;
    let secrets = Secrets::of(&documents, args.secrets_dir.clone());
    let plan = match &args.local {
        Some(directory) => local_compaction(plan, directory).await?,
        None => plan,
    };
    Ok((plan, secrets))
}
