//! `compact --dry-run`: what a run would do, and that nothing is changed by asking.

use std::process::Command;

use gristmill::compact::{Outcome, Part, Report};
use gristmill_core::log::RunSummary;
use serde_json::{Value, json};

use crate::books::book;
use crate::late::lateness;
use crate::warehouse::{Warehouse, counts, documents};

fn summary(report: &Report) -> (i64, i64, RunSummary) {
    let Outcome::Committed { from, to, summary, .. } = &report.outcome else { panic!("there was something new") };
    (*from, *to, summary.clone())
}

fn part(directory: &str, rows: u64) -> Part {
    Part { bucket: 0, directory: directory.to_owned(), rows }
}

#[tokio::test]
async fn first_run_is_told_without_making_the_zone() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").at(0), book("a").titled("new").at(1), book("b").of(2021).at(2)]).await;
    let before = warehouse.tree("").await;

    let preview = warehouse.preview().await;

    assert_eq!(warehouse.tree("").await, before, "no zone, no registration");
    assert_eq!((preview.from, preview.to, preview.delta.files, preview.zone.files), (-1, 1, 1, 0));
    assert_eq!((preview.rows.read, preview.rows.duplicate_in_delta, preview.rows.written), (3, 1, 2));
    assert_eq!(preview.parts, [part("publication_year=2020", 1), part("publication_year=2021", 1)]);
}

#[tokio::test]
async fn preview_says_what_the_run_then_does() {
    let warehouse = Warehouse::in_memory().edited(lateness("Reject"));
    let old = [book("a").at(5), book("b").of(2021).at(6), book("c").at(7), book("e").of(2022).at(8)];
    warehouse.ingest_on(Some(100), old).await;
    warehouse.compact().await;
    let new = [book("a").titled("new").at(9), book("d").of(2023).at(10), book("late").at(1), book("c").at(7)];
    warehouse.ingest_on(Some(120), new).await;
    let before = warehouse.tree("").await;

    let preview = warehouse.preview().await;

    assert_eq!(warehouse.tree("").await, before, "nothing was changed");
    let (from, to, summary) = summary(&warehouse.compact().await);
    assert_eq!((preview.from, preview.to, preview.rows), (from, to, summary.rows));
    assert_eq!((preview.late_before, preview.through), (summary.late_before, summary.through));
    assert_eq!((preview.zone.files, preview.zone.bytes), (summary.files.before, summary.files.bytes_before));
    assert_eq!(preview.parts, [part("publication_year=2020", 1), part("publication_year=2023", 1)]);
    // The file of 2020 is replaced by one, and one of 2023 comes.
    assert_eq!((preview.rewritten.files, preview.rewritten.rows, preview.merged.files), (1, 2, 0));
    assert_eq!(summary.files.after, 4);
}

#[tokio::test]
async fn files_that_would_be_put_together_are_counted() {
    let warehouse = Warehouse::in_memory();
    for run in 0..3 {
        warehouse.ingest([book(&format!("{run}")).at(run)]).await;
        warehouse.compact().await;
    }
    warehouse.ingest([book("3").at(3)]).await;

    let preview = warehouse.preview().await;

    assert_eq!((preview.rewritten.files, preview.merged.files, preview.merged.rows), (0, 3, 3));
    assert_eq!(summary(&warehouse.compact().await).2.files.after, 1);
}

/// Rows that change nothing bring their directory no file: its files are let be (F16, F25).
#[tokio::test]
async fn files_beside_rows_that_change_nothing_are_not_put_together() {
    let warehouse = Warehouse::in_memory();
    for run in 0..3 {
        warehouse.ingest([book(&format!("{run}")).at(run)]).await;
        warehouse.compact().await;
    }
    let files = warehouse.listed_files().await;
    let new = |id: &str, offset| book(id).of(2021).at(offset);
    warehouse.ingest([new("a", 3), new("b", 4), book("0").at(5)]).await;

    let preview = warehouse.preview().await;
    let report = warehouse.compact().await;

    assert_eq!((preview.merged.files, preview.rewritten.files), (0, 0));
    assert_eq!(counts(&report), [3, 0, 1, 2]);
    let after = warehouse.listed_files().await;
    assert!(files.iter().all(|file| after.contains(file)), "{files:?} {after:?}");
}

#[tokio::test]
async fn preview_of_buckets_and_of_a_rebuild_is_what_the_run_does() {
    let warehouse = Warehouse::in_memory().edited(|_, compaction| compaction.spec.processed.buckets = Some(4));
    warehouse.ingest((0..100).map(|number| book(&number.to_string()).at(number))).await;
    let preview = warehouse.preview().await;
    assert_eq!(preview.parts.len(), 4);
    assert_eq!(preview.parts.iter().map(|part| part.rows).sum::<u64>(), 100);
    warehouse.compact().await;
    let nothing = warehouse.preview().await;
    assert_eq!((nothing.delta.files, nothing.parts.len(), nothing.zone.rows), (0, 0, 100));
    let rebuild = warehouse.rebuilding().preview().await;
    assert_eq!((rebuild.delta.rows, rebuild.rewritten.files, rebuild.rows.written), (100, 4, 100));
}

#[tokio::test]
async fn command_prints_the_plan_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a").at(0), book("b").of(2021).at(1)]).await;
    let file = directory.path().join("books.json");
    std::fs::write(&file, documents()).unwrap();
    let before = warehouse.tree("").await;
    let printed = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_gristmill"))
            .args(["compact", "-f", file.to_str().unwrap(), "--local", directory.path().to_str().unwrap(), "--dry-run"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };

    let object: Value = serde_json::from_str(&printed(&["--json"])).unwrap();
    assert_eq!(
        (&object["dry_run"], &object["from_sequence"], &object["to_sequence"]),
        (&true.into(), &(-1).into(), &1.into())
    );
    assert_eq!(object["partitions"][1], json!({"bucket": 0, "directory": "publication_year=2021", "rows": 1}));
    let text = printed(&[]);
    assert!(text.contains("2 rows to read = 2 to write") && text.contains("publication_year=2020"), "{text}");
    assert_eq!(warehouse.tree("").await, before);
}
