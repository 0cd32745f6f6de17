//! The runs of a Processed zone as a table of at most 100 columns, newest first.

use gristmill_core::log::{LogTime, RunFacts, RunKind};

/// The table; nothing where there was no run.
pub(super) fn ledger(runs: &[RunFacts]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "{:>6}  {:<16} {:>7} {:>9} {:>9} {:>9} {:>6} {:>5} {:>6}  through\n",
        "run", "began", "seconds", "read", "written", "duplicate", "late", "files", "bytes"
    );
    for run in runs {
        text += &line(run);
    }
    if runs.iter().any(|run| run.kind == RunKind::Rebuild) {
        text += "* computed the zone anew\n";
    }
    if runs.iter().any(|run| run.buckets.is_some()) {
        text += "/ some of the buckets only; --json has which\n";
    }
    text
}

fn line(run: &RunFacts) -> String {
    let seconds = (run.completion_time.utc() - run.start_time.utc()).as_seconds_f64().max(0.0);
    let seconds = if seconds < 99_999.0 { format!("{seconds:.1}") } else { format!("{seconds:.0}") };
    let mark = match run.kind {
        RunKind::Rebuild => "*",
        RunKind::Increment if run.buckets.is_some() => "/",
        RunKind::Increment => " ",
    };
    let rows = &run.rows;
    let line = format!(
        "{:>6}{mark} {:<16} {seconds:>7} {:>9} {:>9} {:>9} {:>6} {:>5} {:>6}  {:<16}",
        run.sequence,
        minute(run.start_time),
        short(rows.read, 9),
        short(rows.written, 9),
        short(rows.duplicate_in_delta + rows.duplicate_in_zone, 9),
        short(rows.late, 6),
        short(run.files.after, 5),
        short(run.files.bytes_after, 6),
        run.through.map_or_else(|| "-".to_owned(), minute),
    );
    line.trim_end().to_owned() + "\n"
}

fn minute(time: LogTime) -> String {
    time.utc().format("%Y-%m-%d %H:%M").to_string()
}

/// A number in so many columns: whole if it fits, else in thousands, millions and so on.
fn short(number: u64, columns: usize) -> String {
    let whole = number.to_string();
    if whole.len() <= columns {
        return whole;
    }
    let mut scaled = number as f64;
    for unit in ["k", "M", "G", "T", "P", "E"] {
        scaled /= 1000.0;
        if scaled < 1000.0 {
            return if scaled < 100.0 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") };
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use gristmill_core::log::{FileFacts, RowFacts};

    use super::*;

    fn run(sequence: u64, read: u64, kind: RunKind) -> RunFacts {
        let time = |text: &str| text.parse().expect("a time");
        RunFacts {
            sequence,
            start_time: time("2026-11-23T05:05:03.000Z"),
            completion_time: time("2026-11-23T05:06:12.400Z"),
            kind,
            rows: RowFacts {
                read,
                duplicate_in_delta: 310,
                duplicate_in_zone: 44,
                written: read - 354,
                late: 7,
                rejected: 0,
            },
            files: FileFacts { before: 41, after: 38, bytes_before: 1, bytes_after: 183_500_800 },
            late_before: None,
            through: (kind == RunKind::Increment).then(|| time("2026-11-23T04:58:40.000Z")),
            buckets: None,
            cost: None,
        }
    }

    #[test]
    fn runs_are_told_in_100_columns() {
        let runs = [run(212, 91_200, RunKind::Increment), run(211, 60_123_456_789, RunKind::Rebuild)];
        let table = ledger(&runs);
        insta::assert_snapshot!(table, @r"
           run  began            seconds      read   written duplicate   late files  bytes  through
           212  2026-11-23 05:05    69.4     91200     90846       354      7    38   184M  2026-11-23 04:58
           211* 2026-11-23 05:05    69.4     60.1G     60.1G       354      7    38   184M  -
        * computed the zone anew
        ");
        assert!(table.lines().all(|line| line.len() <= 100), "{table}");
        assert_eq!(ledger(&[]), "");
    }

    #[test]
    fn number_fits_whatever_it_is() {
        for number in [0, 999, 999_999, 1_000_000, 99_949_999, 999_999_999, 999_999_999_999, u64::MAX] {
            assert!(short(number, 5).len() <= 5, "{}", short(number, 5));
        }
    }
}
