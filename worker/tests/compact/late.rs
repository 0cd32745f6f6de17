//! Rows that come too late: merged, or rejected to a directory beside the zone.

use std::process::Command;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use gristmill::compact::{Outcome, Report};
use gristmill_core::log::RunRows;
use gristmill_crds::{HourlyCompaction, StreamIngest};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::books::{Book, book};
use crate::crashes::{Fate, run_dying_at};
use crate::warehouse::{Warehouse, assert_unique};

/// What the documents of these tests allow.
pub(crate) const ALLOWED_DAYS: i64 = 30;

/// The day on which a book was seen: every 20 days one, by its offset.
pub(crate) fn seen_on(book: &Book) -> i64 {
    book.offset * 20
}

/// Gives the documents a column with the day, and this policy.
pub(crate) fn lateness(policy: &str) -> impl FnOnce(&mut StreamIngest, &mut HourlyCompaction) {
    let lateness = json!({"column": "seen_at", "allowed": format!("{ALLOWED_DAYS}d"), "policy": policy});
    move |ingest, compaction| {
        let column = json!({"name": "seen_at", "path": "seen_at", "type": "Timestamp"});
        ingest.spec.record.columns.push(serde_json::from_value(column).unwrap());
        compaction.spec.lateness = Some(serde_json::from_value(lateness).unwrap());
    }
}

/// Where a late row came from: partition, offset, index in its message, generation.
pub(crate) type Place = (i32, i64, i32, i32);

/// The places of the reject records in a file.
pub(crate) fn places(bytes: Bytes) -> Vec<Place> {
    let mut places = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let number = |name: &str, row| batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(row);
        let offsets = batch.column_by_name("kafka_offset").unwrap().as_primitive::<Int64Type>();
        let reasons = batch.column_by_name("reason").unwrap().as_string::<i32>();
        for row in 0..batch.num_rows() {
            assert_eq!(reasons.value(row), "Late");
            let [partition, index, generation] =
                ["kafka_partition", "record_index", "generation"].map(|name| number(name, row));
            places.push((partition, offsets.value(row), index, generation));
        }
    }
    places
}

/// A zone that was processed through day 100, and new rows of which the one of day 60 is late and that of day 80 is not.
async fn before_the_run(policy: &str) -> Warehouse {
    filled(Warehouse::in_memory().edited(lateness(policy))).await
}

async fn filled(warehouse: Warehouse) -> Warehouse {
    warehouse.ingest_on(Some(100), [book("a").at(5), book("old").at(0)]).await;
    warehouse.compact().await;
    let rows = [book("b").at(4), book("late").at(3), book("a").titled("new").at(7), book("old").titled("x").at(1)];
    warehouse.ingest_on(Some(140), rows).await;
    warehouse
}

fn rows(report: &Report) -> (RunRows, Option<String>) {
    let Outcome::Committed { summary, .. } = &report.outcome else { panic!("there was something new") };
    (summary.rows, summary.late_before.map(|limit| limit.to_string()))
}

#[tokio::test]
async fn late_row_is_merged_and_counted_unless_the_resource_rejects_it() {
    let warehouse = before_the_run("Merge").await;
    let (rows, limit) = rows(&warehouse.compact().await);
    assert_eq!((rows.read, rows.late, rows.rejected, rows.written), (4, 2, 0, 4));
    assert_eq!(limit.as_deref(), Some("1970-03-12T00:00:00.000Z"), "day 100 less 30");
    assert!(warehouse.rejected().await.is_empty());
}

#[tokio::test]
async fn late_row_that_is_rejected_takes_no_part_and_stands_beside_the_zone() {
    let warehouse = before_the_run("Reject").await;
    let (rows, limit) = rows(&warehouse.compact().await);
    assert_eq!((rows.read, rows.late, rows.rejected, rows.written), (4, 2, 2, 2));
    assert_eq!(limit.as_deref(), Some("1970-03-12T00:00:00.000Z"));
    assert_eq!(warehouse.rows().await, ["a new 2020", "b untitled 2020", "old untitled 2020"]);
    assert_eq!(warehouse.rejected().await, [(0, 1, 0, 0), (0, 3, 0, 0)]);
}

#[tokio::test]
async fn no_row_is_late_before_the_zone_has_come_anywhere() {
    let warehouse = Warehouse::in_memory().edited(lateness("Reject"));
    warehouse.ingest_on(Some(1000), [book("a").at(0), book("b").at(9)]).await;
    let (rows, limit) = rows(&warehouse.compact().await);
    assert_eq!((rows.late, rows.rejected, rows.written, limit), (0, 0, 2, None));
}

#[tokio::test]
async fn run_of_which_every_row_is_late_commits_rejects_alone() {
    let warehouse = Warehouse::in_memory().edited(lateness("Reject"));
    warehouse.ingest_on(Some(1000), [book("a").at(50)]).await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    warehouse.ingest_on(Some(1001), (0..20_000).map(|number| Book { index: number, ..book("late").at(3) })).await;
    let (rows, _) = rows(&warehouse.compact().await);
    assert_eq!((rows.read, rows.rejected, rows.written), (20_000, 20_000, 0));
    assert_eq!(warehouse.listed_files().await, files);
    assert_eq!(warehouse.rejected().await.len(), 20_000);
}

/// A text that zstd makes little of.
fn noise(seed: i64) -> String {
    let mut state = u64::try_from(seed).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap())
    };
    (0..2000).map(|_| letter()).filter(|letter| !"\"\\".contains(*letter)).collect()
}

/// The encoder's estimate of a row group in progress is several times what it comes to.
#[tokio::test]
async fn files_of_late_rows_are_closed_by_their_real_length() {
    let small = |ingest: &mut StreamIngest, compaction: &mut HourlyCompaction| {
        lateness("Reject")(ingest, compaction);
        compaction.spec.processed.files = Some(serde_json::from_value(json!({"targetSize": "1Mi"})).unwrap());
    };
    let warehouse = Warehouse::in_memory().edited(small);
    warehouse.ingest_on(Some(1000), [book("a").at(50)]).await;
    warehouse.compact().await;
    let late = (0..3000).map(|number| Book { index: number, ..book("late").titled(&noise(number.into())).at(3) });
    warehouse.ingest_on(Some(1001), late).await;

    let (rows, _) = rows(&warehouse.compact().await);

    assert_eq!(rows.rejected, 3000);
    assert_eq!(warehouse.rejected().await.len(), 3000);
    let mut lengths = Vec::new();
    for file in warehouse.tree("processed_rejected").await.1 {
        lengths.push(warehouse.store.length(&file).await.unwrap().unwrap());
    }
    lengths.sort_unstable();
    assert!(lengths.len() >= 4, "{lengths:?}");
    // The last one has what is left.
    let (target, full) = (1 << 20, &lengths[1..]);
    assert!(full.iter().all(|length| (target / 10 * 8..target / 10 * 13).contains(length)), "{lengths:?}");
}

#[tokio::test]
async fn rows_of_a_rewind_that_are_rejected_as_late_are_warned_of() {
    let warehouse = Warehouse::in_memory().edited(lateness("Reject"));
    warehouse.ingest_on(Some(1000), [book("a").at(50), book("b").titled("wrong").at(3)]).await;
    assert_eq!(warehouse.compact().await.warning, None);
    warehouse.ingest_on(Some(1001), [book("c").at(2)]).await;
    assert_eq!(warehouse.compact().await.warning, None, "late, and no rewind");
    warehouse.rewind("again", 0).await;
    warehouse.ingest_on(Some(1001), [book("b").titled("right").at(3).generation(1)]).await;

    let warning = warehouse.compact().await.warning.unwrap();

    for part in ["1 rows were rejected as late", "processed_rejected", "policy to Merge", "--rebuild"] {
        assert!(warning.contains(part), "no {part:?} in {warning}");
    }
    assert!(warehouse.rows().await.contains(&"b wrong 2020".to_owned()));
}

/// A late row belongs to a bucket that the run takes, and to none once it is rejected.
#[tokio::test]
async fn late_rows_of_several_buckets_are_rejected_together_also_where_nothing_fits_into_memory() {
    let buckets = |ingest: &mut StreamIngest, compaction: &mut HourlyCompaction| {
        lateness("Reject")(ingest, compaction);
        compaction.spec.processed.buckets = Some(4);
    };
    let warehouse = Warehouse::in_memory().edited(buckets).spilling();
    warehouse.ingest_on(Some(1000), (0..50).map(|number| book(&number.to_string()).at(50))).await;
    warehouse.compact().await;
    let late = (0..40).map(|number| Book { index: number, ..book(&format!("late {number}")).at(3) });
    let in_time = (0..40).map(|number| Book { index: number, ..book(&format!("new {number}")).at(60) });
    warehouse.ingest_on(Some(1001), late.chain(in_time)).await;
    let (rows, _) = rows(&warehouse.compact().await);
    assert_eq!((rows.read, rows.late, rows.rejected, rows.written), (80, 40, 40, 40));
    assert_eq!(warehouse.rejected().await.len(), 40);
    assert_eq!(warehouse.rows().await.len(), 90);
}

#[tokio::test]
async fn run_that_dies_anywhere_leaves_each_late_row_once() {
    for fate in [Fate::DiesBefore, Fate::DiesAfter] {
        for fatal in 0.. {
            let warehouse = before_the_run("Reject").await;
            let died = run_dying_at(&warehouse, fatal, fate).await.is_err();
            assert_unique(&warehouse.listed().await);
            let seen = warehouse.listed_rejected().await;
            assert!(seen.is_empty() || seen == [(0, 1, 0, 0), (0, 3, 0, 0)], "{seen:?}, dead at {fatal}");

            warehouse.compact().await;

            assert_eq!(warehouse.rejected().await, [(0, 1, 0, 0), (0, 3, 0, 0)], "dead at {fatal}");
            assert_eq!(warehouse.rows().await, ["a new 2020", "b untitled 2020", "old untitled 2020"]);
            if !died {
                assert!(fatal > 50, "the run took only {fatal} operations");
                break;
            }
        }
    }
}

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gristmill")).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn rejected_command_counts_and_shows_late_rows() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = filled(Warehouse::on_disk(directory.path()).edited(lateness("Reject"))).await;
    warehouse.compact().await;
    let zone = directory.path().join("processed");
    let zone = zone.to_str().unwrap();
    let counts: Value = serde_json::from_str(&printed(&["rejected", "ls", zone, "--json"])).unwrap();
    assert_eq!(
        (&counts["count"], &counts["reason"], &counts["column"]),
        (&2.into(), &"Late".into(), &"seen_at".into())
    );
    let row: Value = serde_json::from_str(&printed(&["rejected", "show", zone, "books/0/3", "--payload"])).unwrap();
    assert_eq!((&row["record_id"], &row["publication_year"]), (&"late".into(), &2020.into()));
    assert!(printed(&["inspect", zone]).contains("late rows 2 in 1 files of rejects"));
}
