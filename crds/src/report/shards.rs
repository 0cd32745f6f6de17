//! The reports of the pods that shared a run, as one. Pure.

use crate::compaction_status::{Run, RunCost, RunFiles, RunResult, RunRows};
use crate::report::CompactionReport;

/// What several pods say of the run that they shared: one run, and the zone as the last of them saw it. None of no report.
///
/// A pod that found nothing new to its buckets adds nothing; if all did, there is no run.
pub fn of_shards(reports: &[CompactionReport]) -> Option<CompactionReport> {
    let last = reports.iter().max_by_key(|report| report.zone.sequence)?;
    Some(CompactionReport { buckets: None, runs: run_of(reports).into_iter().collect(), ..last.clone() })
}

fn run_of(reports: &[CompactionReport]) -> Option<Run> {
    let runs: Vec<&Run> = reports.iter().filter_map(own_run).collect();
    let last = runs.iter().max_by_key(|run| run.sequence)?;
    // Times of one form, so that texts are in the order of the times.
    let start_time = runs.iter().map(|run| &run.start_time).min()?;
    let completion_time = runs.iter().map(|run| &run.completion_time).max()?;
    Some(Run {
        sequence: last.sequence,
        trigger: None,
        start_time: start_time.clone(),
        completion_time: completion_time.clone(),
        result: RunResult::Succeeded,
        rows: rows(&runs),
        files: files(&runs),
        buckets: None,
        shards: i32::try_from(reports.len()).ok(),
        cost: cost(&runs),
        cpu: None,
    })
}

/// The run of a pod that was for some of the buckets. A version that does not name the buckets of a run tells of others too.
fn own_run(report: &CompactionReport) -> Option<&Run> {
    report.runs.first().filter(|run| run.buckets.is_some() && run.buckets == report.buckets)
}

fn rows(runs: &[&Run]) -> RunRows {
    let sum = |count: fn(&RunRows) -> i64| total(runs.iter().map(|run| count(&run.rows)));
    RunRows {
        read: sum(|rows| rows.read),
        duplicate_in_delta: sum(|rows| rows.duplicate_in_delta),
        duplicate_in_zone: sum(|rows| rows.duplicate_in_zone),
        late: sum(|rows| rows.late),
        rejected: sum(|rows| rows.rejected),
        written: sum(|rows| rows.written),
    }
}

fn files(runs: &[&Run]) -> RunFiles {
    let sum = |count: fn(&RunFiles) -> i64| total(runs.iter().map(|run| count(&run.files)));
    RunFiles {
        before: sum(|files| files.before),
        after: sum(|files| files.after),
        bytes_before: sum(|files| files.bytes_before),
        bytes_after: sum(|files| files.bytes_after),
    }
}

fn total(counts: impl Iterator<Item = i64>) -> i64 {
    counts.fold(0, i64::saturating_add)
}

/// CPU time of all of them. Each reads the keys of all that is new, so that its bytes count once.
fn cost(runs: &[&Run]) -> Option<RunCost> {
    let costs: Vec<&RunCost> = runs.iter().map(|run| run.cost.as_ref()).collect::<Option<_>>()?;
    let bytes = costs.iter().filter_map(|cost| cost.delta_bytes.parse::<u64>().ok()).max()?;
    let cpu_milliseconds = total(costs.iter().map(|cost| cost.cpu_milliseconds));
    Some(RunCost { delta_bytes: bytes.to_string(), cpu_milliseconds })
}
