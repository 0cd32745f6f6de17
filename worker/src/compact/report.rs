//! What a run says of itself: to a person, to a script, and to the operator.

use gristmill_core::compact::complete_through;
use gristmill_core::log::{
    AppliedRewind, BucketSpan, FORMAT, FileZone, Fold, Genesis, LogTime, Run, RunCost, RunFiles, RunKind, RunRows,
    RunSummary, Sequence,
};
use gristmill_crds::compaction_status::{self, RunBuckets, RunResult, SourcePosition};
use gristmill_crds::report::CompactionReport;
use gristmill_crds::shared::ZoneStatus;

use crate::store::ZoneUrl;
use crate::zone::{Zone, ZoneReader};

/// Runs of a report: a termination message has room for 4,096 bytes.
const REPORTED_RUNS: usize = 5;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// RAW has no file that was not consumed before; nothing was changed.
    NothingNew,
    /// Outputs and position are committed and published.
    Committed {
        /// The run's entry.
        sequence: Sequence,
        /// RAW's position before.
        from: i64,
        /// RAW's position after.
        to: i64,
        /// Rows and files.
        summary: RunSummary,
    },
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// The buckets that the run was for; none if for all.
    pub buckets: Option<BucketSpan>,
    /// URL of the RAW zone.
    pub raw: String,
    /// URL of the Processed zone.
    pub processed: String,
    /// Live files of the Processed zone; rejects do not count.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What somebody should look at, although the run has done what it should.
    pub warning: Option<String>,
    /// RAW's log has every message before it; none until each partition has had one with a time.
    pub watermark: Option<LogTime>,
    /// The Processed zone and its last runs.
    pub ledger: CompactionReport,
}

impl Report {
    pub(super) fn new(outcome: Outcome, buckets: Option<BucketSpan>, raw: &ZoneReader, zone: &Zone) -> Self {
        let warning = rejected_in_a_rewind(&outcome, raw.fold(), zone.reader().surroundings().url());
        let of_part = buckets.is_some().then_some(&outcome);
        let ledger = ledger(zone.fold(), raw.fold(), buckets, of_part);
        let files = || zone.fold().live().values().filter(|live| live.file.zone == FileZone::Processed);
        Self {
            outcome,
            buckets,
            warning,
            raw: raw.surroundings().url().to_string(),
            processed: zone.reader().surroundings().url().to_string(),
            files: files().count() as u64,
            bytes: files().map(|live| live.file.bytes).sum(),
            watermark: complete_through(raw.fold()),
            ledger,
        }
    }
}

/// A rewind is done to put rows right, and a rule of lateness may have kept the better ones out.
fn rejected_in_a_rewind(outcome: &Outcome, raw: &Fold, zone: &ZoneUrl) -> Option<String> {
    let Outcome::Committed { from, to, summary, sequence: _ } = outcome else { return None };
    let is_of_run = |rewind: &AppliedRewind| (*from + 1..=*to).contains(&rewind.sequence.position());
    let rejected = summary.rows.rejected;
    (rejected > 0 && raw.rewinds().values().any(is_of_run)).then(|| {
        format!(
            "{rejected} rows were rejected as late in a run over a rewind: where the rewind has put rows right, the zone keeps the old ones, and {} has the new; to take them over, set spec.lateness.policy to Merge and run `gristmill compact --rebuild`",
            zone.rejected()
        )
    })
}

/// What the log of a Processed zone says of its runs, and RAW's of what they have not read. `of_part` is how the run ended
/// if it was for some of the buckets: it tells of itself alone.
fn ledger(fold: &Fold, raw: &Fold, buckets: Option<BucketSpan>, of_part: Option<&Outcome>) -> CompactionReport {
    let consumed = fold.positions().values().copied().min().unwrap_or(-1);
    let source_zone = match fold.genesis() {
        Genesis::Processed(genesis) => genesis.raw_zone_id.to_string(),
        Genesis::Raw(_) => String::new(),
    };
    CompactionReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        zone: ZoneStatus {
            id: fold.zone_id().to_string(),
            format: i32::try_from(FORMAT).unwrap_or(i32::MAX),
            sequence: fold.head().position(),
            last_commit_time: Some(fold.effective_time().to_string()),
        },
        source: SourcePosition {
            zone: source_zone,
            consumed_sequence: consumed,
            backlog_entries: Some((raw.head().position() - consumed).max(0)),
            backlog_bytes: Some(
                raw.added_after(FileZone::Raw, consumed).iter().map(|live| live.file.bytes).sum::<u64>().to_string(),
            ),
        },
        buckets: buckets.map(reported_buckets),
        processed_through: fold.all_processed_through().map(|time| time.to_string()),
        runs: match of_part {
            None => fold.runs().take(REPORTED_RUNS).map(reported).collect(),
            Some(Outcome::NothingNew) => Vec::new(),
            Some(Outcome::Committed { sequence, .. }) => {
                fold.runs().filter(|run| run.sequence == *sequence).map(reported).collect()
            }
        },
    }
}

fn reported_buckets(BucketSpan { first, last }: BucketSpan) -> RunBuckets {
    // A zone has 256 at the most.
    let number = |bucket: u32| i32::try_from(bucket).unwrap_or(i32::MAX);
    RunBuckets { first: number(first), last: number(last) }
}

fn reported(run: &Run) -> compaction_status::Run {
    let Run { sequence, summary } = run;
    let RunSummary { start_time, completion_time, rows, files, cost, kind, buckets, late_before: _, through: _ } =
        summary;
    let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = *rows;
    let RunFiles { before, after, bytes_before, bytes_after } = *files;
    // The API's integers are signed; no count of rows reaches their end.
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    compaction_status::Run {
        sequence: sequence.position(),
        // Known to the operator, which sees the Job.
        trigger: None,
        start_time: start_time.to_string(),
        completion_time: completion_time.to_string(),
        result: RunResult::Succeeded,
        rows: compaction_status::RunRows {
            read: signed(read),
            duplicate_in_delta: signed(duplicate_in_delta),
            duplicate_in_zone: signed(duplicate_in_zone),
            late: signed(late),
            rejected: signed(rejected),
            written: signed(written),
        },
        files: compaction_status::RunFiles {
            before: signed(before),
            after: signed(after),
            bytes_before: signed(bytes_before),
            bytes_after: signed(bytes_after),
        },
        buckets: buckets.map(reported_buckets),
        // Known to the operator, which sees the pods.
        shards: None,
        // The next run is no such: it does not read all of RAW again.
        cost: cost.filter(|_| *kind == RunKind::Increment).map(reported_cost),
        cpu: None,
    }
}

fn reported_cost(RunCost { delta_bytes, cpu_milliseconds, peak_memory: _ }: RunCost) -> compaction_status::RunCost {
    compaction_status::RunCost {
        delta_bytes: delta_bytes.to_string(),
        cpu_milliseconds: i64::try_from(cpu_milliseconds).unwrap_or(i64::MAX),
    }
}
