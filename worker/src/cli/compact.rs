//! `gristmill compact`: one run of an HourlyCompaction, now.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gristmill_core::log::{RunRows, RunSummary};
use gristmill_crds::plan::CompactionPlan;
use serde::Serialize;

use super::print;
use super::resources::hadoop_of;
use super::zone::duration;
use crate::compact::{self, Budget, Options, Outcome, Report, Zones};
use crate::documents::Documents;
use crate::exit::Failure;
use crate::local::local_compaction;
use crate::memory::Memory;
use crate::secrets::Secrets;
use crate::termination::TerminationLog;

/// Moves what is new in a RAW zone to its Processed zone, once. Without new rows it changes nothing.
#[derive(Debug, Args)]
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
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    json: bool,
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
    #[command(flatten)]
    termination: TerminationLog,
}

/// Runs the compaction. How it ends stands in the termination message too.
pub(super) async fn run(args: CompactArgs) -> Result<(), Failure> {
    match compact(&args).await {
        Ok(report) => {
            args.termination.write(&report.ledger);
            print(&(if args.json { json(&report) } else { sentences(&report) } + "\n"))
        }
        Err(failure) => {
            args.termination.failed(&failure);
            Err(failure)
        }
    }
}

async fn compact(args: &CompactArgs) -> Result<Report, Failure> {
    let (plan, secrets) = plan(args)?;
    let access = hadoop_of(&plan.processed_path, plan.hadoop.as_ref(), &secrets)?;
    let zones = Zones::of(&plan, &access, args.wait)?;
    Ok(compact::run(&plan, &zones, &options(args)?).await?)
}

fn options(args: &CompactArgs) -> Result<Options, Failure> {
    let budget = Budget::of(Memory::of_argument(&args.memory)?);
    let usual = Options::default();
    let spill_directory = args.spill_dir.clone().unwrap_or(usual.spill_directory);
    Ok(Options { budget, spill_directory, ..usual })
}

fn plan(args: &CompactArgs) -> Result<(CompactionPlan, Secrets), Failure> {
    let documents = Documents::read(&args.files)?;
    let plan = documents.compaction_plan(args.name.as_deref())?;
    let secrets = Secrets::of(&documents, args.secrets_dir.clone());
    let plan = match &args.local {
        Some(directory) => local_compaction(plan, directory)?,
        None => plan,
    };
    Ok((plan, secrets))
}

/// The keys that scripts rely on.
#[derive(Serialize)]
struct JsonReport<'r> {
    result: &'static str,
    zone: &'r str,
    source_zone: &'r str,
    sequence: i64,
    from_sequence: i64,
    to_sequence: i64,
    rows: JsonRows,
    files: JsonFiles,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_time: Option<String>,
}

#[derive(Default, Serialize)]
struct JsonRows {
    read: u64,
    duplicate_in_delta: u64,
    duplicate_in_zone: u64,
    late: u64,
    rejected: u64,
    written: u64,
}

#[derive(Serialize)]
struct JsonFiles {
    before: u64,
    after: u64,
}

/// One object with the keys that scripts rely on.
pub(super) fn json(report: &Report) -> String {
    let consumed = report.ledger.source.consumed_sequence;
    let without_run = JsonReport {
        result: "nothing_new",
        zone: &report.processed,
        source_zone: &report.raw,
        sequence: report.ledger.zone.sequence,
        from_sequence: consumed,
        to_sequence: consumed,
        rows: JsonRows::default(),
        files: JsonFiles { before: report.files, after: report.files },
        start_time: None,
        completion_time: None,
    };
    let object = match &report.outcome {
        Outcome::NothingNew => without_run,
        Outcome::Committed { sequence, from, to, summary } => {
            let RunSummary { start_time, completion_time, rows, files, late_before: _, cost: _ } = summary;
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = *rows;
            JsonReport {
                result: "succeeded",
                sequence: sequence.position(),
                from_sequence: *from,
                to_sequence: *to,
                rows: JsonRows { read, duplicate_in_delta, duplicate_in_zone, late, rejected, written },
                files: JsonFiles { before: files.before, after: files.after },
                start_time: Some(start_time.to_string()),
                completion_time: Some(completion_time.to_string()),
                ..without_run
            }
        }
    };
    serde_json::to_string(&object).expect("numbers and names are JSON")
}

/// The same for a person.
pub(super) fn sentences(report: &Report) -> String {
    let Report { outcome, raw, processed, files: _, ledger } = report;
    match outcome {
        Outcome::NothingNew => {
            let position = ledger.source.consumed_sequence;
            format!("Nothing new in {raw} since entry {position}; {processed} is unchanged.")
        }
        Outcome::Committed { sequence, from, to, summary } => {
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = summary.rows;
            let refused = if rejected > 0 { format!(" + {rejected} rejected as late") } else { String::new() };
            let merged =
                if late > rejected { format!(" {} of them were late.", late - rejected) } else { String::new() };
            format!(
                "Compacted entries {} to {to} of {raw} into {processed}, entry {sequence}.\n\
                 {read} rows read = {written} written + {duplicate_in_delta} duplicates among them \
                 + {duplicate_in_zone} that the zone already had{refused}; files {} -> {}.{merged}",
                from + 1,
                summary.files.before,
                summary.files.after
            )
        }
    }
}
