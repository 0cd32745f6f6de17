//! The termination message of a pod: what its operator reads after the process has ended.

use std::path::{Path, PathBuf};

use clap::Args;
use gristmill_crds::report::{CompactionReport, FailureReport};
use serde::Serialize;

use crate::exit::Failure;

/// Where the kubelet looks by default.
const POD_PATH: &str = "/dev/termination-log";
/// What the kubelet keeps of it.
const LIMIT: usize = 4096;

/// Where the termination message goes.
#[derive(Debug, Clone, Args)]
pub struct TerminationLog {
    /// File for the termination message. In a pod /dev/termination-log, elsewhere none.
    #[arg(long = "termination-log", env = "GRISTMILL_TERMINATION_LOG", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl TerminationLog {
    /// Writes why the process fails.
    pub fn failed(&self, failure: &Failure) {
        self.write(&bounded(failure, None));
    }

    /// Writes why a compaction fails, and the memory of a process that would have had enough if that is what it lacked.
    pub fn compaction_failed(&self, failure: &Failure, needs_memory: Option<u64>) {
        self.write(&bounded(failure, needs_memory));
    }

    /// Writes what a compaction has done.
    pub fn completed(&self, report: &CompactionReport) {
        self.write(&bounded_runs(report.clone()));
    }

    /// Nobody waits for it, so a failure to write is only logged.
    fn write<T: Serialize>(&self, report: &T) {
        let Some(path) = self.path.as_deref().or_else(|| in_pod().then_some(Path::new(POD_PATH))) else { return };
        let text = serde_json::to_string(report).expect("reports have string keys only");
        if let Err(error) = std::fs::write(path, text) {
            tracing::warn!(%error, path = %path.display(), "termination message not written");
        }
    }
}

/// Whether this process runs in a pod.
pub fn in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// The report of a failure, its message cut so that the JSON fits.
fn bounded(failure: &Failure, needs_memory: Option<u64>) -> FailureReport {
    let mut report =
        FailureReport { reason: failure.reason.to_owned(), message: failure.message.clone(), needs_memory };
    while length(&report) > LIMIT {
        let excess = length(&report) - LIMIT;
        // A character may take 6 bytes of JSON, so that what is cut first is never too much.
        let keep = report.message.len().saturating_sub(excess.div_ceil(6));
        report.message.truncate(report.message.floor_char_boundary(keep));
    }
    report
}

/// The report of a compaction, without its oldest runs where the JSON would not fit: the kubelet would cut it anywhere, and
/// the zone's log has them all.
fn bounded_runs(mut report: CompactionReport) -> CompactionReport {
    while length(&report) > LIMIT && report.runs.pop().is_some() {}
    report
}

fn length<T: Serialize>(report: &T) -> usize {
    serde_json::to_string(report).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use gristmill_crds::{Run, RunBuckets, RunCost, RunFiles, RunResult, RunRows, SourcePosition, ZoneStatus};

    use super::*;
    use crate::exit::Exit;

    fn report_of(message: String) -> FailureReport {
        bounded(&Failure { exit: Exit::Bug, reason: "Internal", message }, Some(u64::MAX))
    }

    #[rstest::rstest]
    #[case("a")]
    #[case("\"")]
    #[case("\u{1}")]
    #[case("ü")]
    fn long_message_is_cut_to_what_the_kubelet_keeps(#[case] character: &str) {
        let text = serde_json::to_string(&report_of(character.repeat(5000))).unwrap();
        assert!((LIMIT - 12..=LIMIT).contains(&text.len()), "{} bytes", text.len());
    }

    #[test]
    fn short_message_is_kept_whole() {
        assert_eq!(report_of("no such topic".into()).message, "no such topic");
    }

    /// Numbers as long as they can be; runs are told newest first.
    fn completed(runs: i64) -> CompactionReport {
        const TIME: &str = "2026-11-23T05:14:00.123Z";
        let id = "5f0c2a3e-9d1b-4c8e-8f7a-0123456789ab".to_owned();
        let (read, before) = (i64::MIN, i64::MIN);
        let rows = RunRows {
            read,
            duplicate_in_delta: read,
            duplicate_in_zone: read,
            late: read,
            rejected: read,
            written: read,
        };
        let files = RunFiles { before, after: before, bytes_before: before, bytes_after: before };
        let run = |number: i64| Run {
            sequence: i64::MAX - number,
            // The operator's alone to say, as the CPU of the pods.
            trigger: None,
            start_time: TIME.to_owned(),
            completion_time: TIME.to_owned(),
            result: RunResult::Succeeded,
            rows,
            files,
            buckets: Some(RunBuckets { first: 254, last: 255 }),
            shards: None,
            cost: Some(RunCost { delta_bytes: u64::MAX.to_string(), cpu_milliseconds: i64::MIN }),
            cpu: None,
        };
        CompactionReport {
            version: "10.100.1000-beta.12+build.20261123".to_owned(),
            zone: ZoneStatus {
                id: id.clone(),
                format: i32::MIN,
                sequence: i64::MIN,
                last_commit_time: Some(TIME.to_owned()),
            },
            source: SourcePosition {
                zone: id,
                consumed_sequence: i64::MIN,
                backlog_entries: Some(i64::MIN),
                backlog_bytes: Some(u64::MAX.to_string()),
            },
            buckets: Some(RunBuckets { first: 254, last: 255 }),
            processed_through: Some(TIME.to_owned()),
            runs: (0..runs).map(run).collect(),
        }
    }

    #[test]
    fn five_runs_of_the_largest_numbers_fit_into_what_the_kubelet_keeps() {
        let report = completed(5);
        assert_eq!(bounded_runs(report.clone()), report, "{} bytes", length(&report));
    }

    #[test]
    fn oldest_runs_are_left_out_where_all_do_not_fit() {
        let all = completed(50);
        let CompactionReport { runs, .. } = bounded_runs(all.clone());
        assert!((5..50).contains(&runs.len()), "{} runs", runs.len());
        assert_eq!(runs, all.runs[..runs.len()], "the newest are kept");
        let one_more = CompactionReport { runs: all.runs[..=runs.len()].to_vec(), ..all };
        assert!(length(&one_more) > LIMIT, "no more than needed are left out");
    }
}
