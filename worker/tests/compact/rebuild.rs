//! `compact --rebuild`: the zone computed anew from all that RAW holds, in one entry.

use std::process::Command;

use gristmill::compact::{Error, Outcome, Report};
use gristmill::exit::{Exit, Failure};
use gristmill_core::log::RunKind;
use serde_json::Value;

use crate::books::{Book, book};
use crate::crashes::{Fate, run_dying_at};
use crate::late::lateness;
use crate::warehouse::{Warehouse, assert_unique, counts, documents};

fn is_rebuild(report: &Report) -> bool {
    matches!(&report.outcome, Outcome::Committed { summary, .. } if summary.kind == RunKind::Rebuild)
}

/// Two runs, the second of which replaced a row.
async fn with_two_runs() -> Warehouse {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").titled("old").at(0), book("b").of(2021).at(1)]).await;
    warehouse.compact().await;
    warehouse.ingest([book("a").titled("new").at(2), book("c").at(3)]).await;
    warehouse.compact().await;
    warehouse
}

const TWO_RUNS: [&str; 3] = ["a new 2020", "b untitled 2021", "c untitled 2020"];

#[tokio::test]
async fn zone_computed_anew_has_the_same_rows_in_other_files() {
    let warehouse = with_two_runs().await;
    let files = warehouse.listed_files().await;

    let report = warehouse.rebuilding().compact().await;

    assert!(is_rebuild(&report));
    assert_eq!(counts(&report), [4, 1, 0, 3]);
    assert_eq!(warehouse.rows().await, TWO_RUNS);
    assert!(warehouse.listed_files().await.iter().all(|file| !files.contains(file)), "every file is new");
    assert_eq!(report.ledger.runs[0].files.before as usize, files.len());
    assert_eq!(report.ledger.runs[0].cost, None, "the next run does not read all of RAW");
    assert!(report.ledger.runs[1].cost.is_some());
    assert_eq!(warehouse.compact().await.outcome, Outcome::NothingNew, "its position is RAW's head");
    warehouse.ingest([book("b").titled("newer").at(9)]).await;
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["a new 2020", "b newer 2020", "c untitled 2020"]);
}

#[tokio::test]
async fn rebuild_that_dies_anywhere_leaves_the_old_zone_or_the_new_one() {
    for fate in [Fate::DiesBefore, Fate::DiesAfter] {
        for fatal in 0.. {
            let warehouse = with_two_runs().await;
            let died = run_dying_at(&warehouse.rebuilding(), fatal, fate).await.is_err();
            assert_unique(&warehouse.listed().await);
            let live: Vec<String> = warehouse.live().await.iter().map(Book::summary).collect();
            assert_eq!(live, TWO_RUNS, "a reader of the log sees all rows, dead at {fatal}");

            warehouse.rebuilding().compact().await;

            assert_eq!(warehouse.rows().await, TWO_RUNS, "dead at {fatal}");
            if !died {
                assert!(fatal > 50, "the run took only {fatal} operations");
                break;
            }
        }
    }
}

#[tokio::test]
async fn of_a_run_and_a_rebuild_at_once_both_end_and_rows_stay_unique() {
    let warehouse = with_two_runs().await;
    warehouse.ingest([book("a").titled("newest").at(4), book("d").at(5)]).await;
    let anew = warehouse.rebuilding();
    drop(tokio::join!(warehouse.compact(), anew.compact()));
    assert_eq!(warehouse.rows().await, ["a newest 2020", "b untitled 2021", "c untitled 2020", "d untitled 2020"]);
}

/// A run that was planned before a rebuild has read files that the rebuild replaces: it must not commit. So a rebuild moves
/// the position on even where RAW has nothing new.
#[tokio::test]
async fn rebuild_without_anything_new_moves_the_position_on() {
    let warehouse = with_two_runs().await;
    for _ in 0..3 {
        let before = warehouse.position().await;
        warehouse.rebuilding().compact().await;
        assert!(warehouse.position().await > before);
    }
    assert_eq!(warehouse.rows().await, TWO_RUNS);
}

#[tokio::test]
async fn rows_that_were_rejected_as_late_come_back() {
    let warehouse = Warehouse::in_memory().edited(lateness("Reject"));
    warehouse.ingest_on(Some(1000), [book("a").at(50)]).await;
    warehouse.compact().await;
    warehouse.ingest_on(Some(1001), [book("late").at(3)]).await;
    warehouse.compact().await;
    assert_eq!(warehouse.rejected().await.len(), 1);

    warehouse.rebuilding().compact().await;

    assert_eq!(warehouse.rows().await, ["a untitled 2020", "late untitled 2020"]);
    assert!(warehouse.rejected().await.is_empty(), "it stands in the zone");
}

/// Schedule 33 of the protocol. Offset 0 is read again under other rules; its key is another one then, that of offset 1 is
/// rejected, and offset 2 has not been reached yet.
#[tokio::test]
async fn what_a_rewind_with_other_rules_leaves_behind_goes() {
    let warehouse = Warehouse::in_memory();
    for (id, offset) in [(" a", 0), ("b", 1), ("c", 2)] {
        warehouse.ingest([book(id).at(offset)]).await;
    }
    warehouse.compact().await;
    warehouse.rewind("rules", 0).await;
    warehouse.ingest([book("a").at(0).generation(1)]).await;
    warehouse.ingest_nothing().await;
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await.len(), 4, "a run adds and updates by key, it retracts nothing");

    let report = warehouse.rebuilding().compact().await;

    assert_eq!(counts(&report), [4, 2, 0, 2]);
    assert_eq!(warehouse.rows().await, ["a untitled 2020", "c untitled 2020"]);
}

#[tokio::test]
async fn zone_of_which_raw_has_lost_rows_is_left_as_it_is() {
    let warehouse = with_two_runs().await;
    warehouse.remove_oldest_of_raw().await;
    let before = warehouse.tree("processed").await;

    let error = warehouse.rebuilding().try_compact().await.unwrap_err();

    assert!(matches!(error, Error::Refused(_)), "{error}");
    let failure = Failure::from(error);
    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "RowsAreGone"));
    assert!(failure.message.contains("1 files with 2 rows") && failure.message.contains("processed.path"), "{failure}");
    assert_eq!(warehouse.tree("processed").await, before);
    assert_eq!(warehouse.rows().await, TWO_RUNS);
}

#[tokio::test]
async fn dropped_column_that_a_run_keeps_for_its_rows_goes_with_a_rebuild() {
    let ordered = |_: &mut gristmill_crds::StreamIngest, compaction: &mut gristmill_crds::HourlyCompaction| {
        compaction.spec.deduplication.order_by.clear();
    };
    let warehouse = Warehouse::in_memory().edited(ordered);
    warehouse.ingest([book("a").rated(1.0).at(0)]).await;
    warehouse.compact().await;
    let narrow = warehouse.edited(|_, compaction| {
        compaction.spec.deduplication.order_by.clear();
        compaction.spec.columns = vec!["record_id".into(), "title".into(), "publication_year".into()];
    });
    narrow.ingest([book("b").at(1)]).await;
    narrow.compact().await;
    let has_rating = async || {
        let files = narrow.listed_files().await;
        let mut columns = Vec::new();
        for file in &files {
            columns.extend(narrow.columns_of(file).await);
        }
        columns.contains(&"rating".to_owned())
    };
    assert!(has_rating().await);

    narrow.rebuilding().compact().await;

    assert!(!has_rating().await);
}

#[tokio::test]
async fn command_says_that_the_zone_was_computed_anew() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a").at(0), book("a").titled("new").at(1)]).await;
    warehouse.compact().await;
    let file = directory.path().join("books.json");
    std::fs::write(&file, documents()).unwrap();
    let summary = directory.path().join("summary.json");
    let output = Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(["compact", "-f", file.to_str().unwrap(), "--local", directory.path().to_str().unwrap(), "--rebuild"])
        .args(["--summary", summary.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("Computed anew from entries 0 to "));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("phase done") && log.contains("reading keys"), "a log line a phase: {log}");
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    assert_eq!((&summary["kind"], &summary["rows"]["written"]), (&"Rebuild".into(), &1.into()));
    for key in ["peak_memory", "cpu_seconds", "delta_bytes"] {
        assert!(summary["cost"][key].is_number(), "{key} of {summary}");
    }
    assert!(summary["seconds"].is_number() && summary["files"]["bytes_before"].is_number(), "{summary}");
    let zone = directory.path().join("books/processed");
    let inspect =
        Command::new(env!("CARGO_BIN_EXE_gristmill")).args(["inspect", zone.to_str().unwrap()]).output().unwrap();
    let table = String::from_utf8(inspect.stdout).unwrap();
    assert!(table.contains("duplicate") && table.contains("* computed the zone anew"), "{table}");
}
