//! What a run has done, for a script and for a person.

use gristmill_core::log::{BucketSpan, LogTime, RunCost, RunFiles, RunKind, RunRows, RunSummary};
use serde::Serialize;

use crate::compact::{Outcome, Report};

/// The keys that scripts rely on.
#[derive(Serialize)]
struct JsonReport<'r> {
    result: &'static str,
    kind: RunKind,
    /// Null if the run was for all.
    buckets: Option<BucketSpan>,
    zone: &'r str,
    source_zone: &'r str,
    sequence: i64,
    from_sequence: i64,
    to_sequence: i64,
    rows: JsonRows,
    files: JsonFiles,
    late_before: Option<LogTime>,
    processed_through: Option<&'r str>,
    watermark: Option<LogTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_time: Option<String>,
    seconds: Option<f64>,
    cost: Option<JsonCost>,
    warning: Option<&'r str>,
}

/// Rows of a run, done or to be done.
#[derive(Default, Serialize)]
pub(super) struct JsonRows {
    read: u64,
    duplicate_in_delta: u64,
    duplicate_in_zone: u64,
    late: u64,
    rejected: u64,
    written: u64,
}

impl From<RunRows> for JsonRows {
    fn from(RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected }: RunRows) -> Self {
        Self { read, duplicate_in_delta, duplicate_in_zone, late, rejected, written }
    }
}

#[derive(Default, Serialize)]
struct JsonFiles {
    before: u64,
    after: u64,
    bytes_before: u64,
    bytes_after: u64,
}

#[derive(Serialize)]
struct JsonCost {
    delta_bytes: u64,
    cpu_seconds: f64,
    peak_memory: u64,
    bytes_per_core_second: Option<u64>,
}

/// One object with the keys that scripts rely on.
pub(super) fn json(report: &Report) -> String {
    let consumed = report.ledger.source.consumed_sequence;
    let (before, bytes_before) = (report.files, report.bytes);
    let without_run = JsonReport {
        result: "nothing_new",
        kind: RunKind::Increment,
        buckets: report.buckets,
        zone: &report.processed,
        source_zone: &report.raw,
        sequence: report.ledger.zone.sequence,
        from_sequence: consumed,
        to_sequence: consumed,
        rows: JsonRows::default(),
        files: JsonFiles { before, after: before, bytes_before, bytes_after: bytes_before },
        late_before: None,
        processed_through: report.ledger.processed_through.as_deref(),
        watermark: report.watermark,
        start_time: None,
        completion_time: None,
        seconds: None,
        cost: None,
        warning: report.warning.as_deref(),
    };
    let object = match &report.outcome {
        Outcome::NothingNew => without_run,
        Outcome::Committed { sequence, from, to, summary } => {
            let RunSummary { start_time, completion_time, rows, files, late_before, cost, kind, .. } = summary;
            let RunFiles { before, after, bytes_before, bytes_after } = *files;
            JsonReport {
                result: "succeeded",
                kind: *kind,
                sequence: sequence.position(),
                from_sequence: *from,
                to_sequence: *to,
                rows: (*rows).into(),
                files: JsonFiles { before, after, bytes_before, bytes_after },
                late_before: *late_before,
                start_time: Some(start_time.to_string()),
                completion_time: Some(completion_time.to_string()),
                seconds: Some(summary.seconds()),
                cost: cost.as_ref().map(json_cost),
                ..without_run
            }
        }
    };
    serde_json::to_string(&object).expect("numbers and names are JSON")
}

fn json_cost(cost: &RunCost) -> JsonCost {
    let RunCost { delta_bytes, cpu_milliseconds, peak_memory } = *cost;
    let cpu_seconds = cpu_milliseconds as f64 / 1000.0;
    JsonCost { delta_bytes, cpu_seconds, peak_memory, bytes_per_core_second: cost.bytes_per_core_second() }
}

/// The same for a person.
pub(super) fn sentences(report: &Report) -> String {
    let Report { outcome, buckets, warning, raw, processed, files: _, bytes: _, watermark: _, ledger } = report;
    let part = buckets.map_or_else(String::new, |buckets| format!(" ({buckets})"));
    let warning = warning.as_ref().map_or_else(String::new, |warning| format!("\nWarning: {warning}."));
    match outcome {
        Outcome::NothingNew => {
            let position = ledger.source.consumed_sequence;
            match buckets {
                Some(buckets) => format!("Nothing new in {raw} for {buckets} of {processed}, which is unchanged."),
                None => format!("Nothing new in {raw} since entry {position}; {processed} is unchanged."),
            }
        }
        Outcome::Committed { sequence, from, to, summary } => {
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = summary.rows;
            let refused = if rejected > 0 { format!(" + {rejected} rejected as late") } else { String::new() };
            let merged =
                if late > rejected { format!(" {} of them were late.", late - rejected) } else { String::new() };
            let act = match summary.kind {
                RunKind::Increment => "Compacted entries",
                RunKind::Rebuild => "Computed anew from entries",
            };
            format!(
                "{act} {} to {to} of {raw} into {processed}{part}, entry {sequence}.\n\
                 {read} rows read = {written} written + {duplicate_in_delta} duplicates among them \
                 + {duplicate_in_zone} that the zone already had{refused}; files {} -> {}.{merged}\n{}{warning}",
                from + 1,
                summary.files.before,
                summary.files.after,
                took(summary, ledger.processed_through.as_deref())
            )
        }
    }
}

/// What a run took, and how far the zone is complete.
fn took(summary: &RunSummary, processed_through: Option<&str>) -> String {
    let cost = summary.cost.map_or_else(String::new, |cost| {
        let rate = cost
            .bytes_per_core_second()
            .map_or_else(String::new, |rate| format!(", {:.1} MB/s a core", rate as f64 / 1e6));
        format!(", {:.1} s of CPU{rate}, at most {} MiB", cost.cpu_milliseconds as f64 / 1000.0, cost.peak_memory >> 20)
    });
    let limit = summary.late_before.map_or_else(String::new, |limit| format!(" Rows before {limit} were late."));
    let through = processed_through.map_or_else(String::new, |time| format!(" The zone is processed through {time}."));
    format!("{:.1} s{cost}.{limit}{through}", summary.seconds())
}
