//! Runs of some of the buckets: one after the other, at once, and again where one has died (F33).

use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use gristmill::compact::{Error, Outcome, Report};
use gristmill::exit::{Exit, Failure};
use gristmill::store::{FileWriter, Listed, Store, StoreError, StorePath};
use gristmill::zone::Removal;
use gristmill_core::log::BucketSpan;
use gristmill_crds::{ColumnType, HourlyCompaction, StreamIngest};
use serde_json::Value;

use crate::books::book;
use crate::crashes::{Fate, run_dying_at};
use crate::late::lateness;
use crate::schemas::with_shelf;
use crate::warehouse::{Warehouse, assert_unique, counts, documents};

fn four_buckets(_: &mut StreamIngest, compaction: &mut HourlyCompaction) {
    compaction.spec.processed.buckets = Some(4);
}

/// A zone of four buckets that has 40 books, and new ones of which half replace one of those.
async fn before_the_run() -> Warehouse {
    let warehouse = Warehouse::in_memory().edited(four_buckets);
    warehouse.ingest((0..40).map(|number| book(&number.to_string()).of(2020 + (number % 3) as i32).at(number))).await;
    warehouse.compact().await;
    warehouse.ingest((20..60).map(|number| book(&number.to_string()).titled("new").at(100 + number))).await;
    warehouse
}

/// What one run over all buckets makes of it.
async fn by_one_run() -> Vec<String> {
    let warehouse = before_the_run().await;
    warehouse.compact().await;
    warehouse.rows().await
}

fn part(report: &Report) -> Option<BucketSpan> {
    let Outcome::Committed { summary, .. } = &report.outcome else { panic!("there was something new") };
    assert_eq!(summary.buckets, report.buckets, "the log tells the buckets of the run too");
    summary.buckets
}

#[tokio::test]
async fn shards_together_do_what_one_run_does() {
    let warehouse = before_the_run().await;
    let preview = warehouse.shard(0, 2).preview().await;

    let first = warehouse.shard(0, 2).compact().await;

    assert_eq!(part(&first), Some(BucketSpan { first: 0, last: 1 }));
    assert_eq!((preview.buckets, preview.rows.written), (first.buckets, counts(&first)[3]));
    assert!(preview.parts.iter().all(|part| part.bucket < 2) && !preview.parts.is_empty());
    let second = warehouse.shard(1, 2).compact().await;
    assert_eq!(part(&second), Some(BucketSpan { first: 2, last: 3 }));
    let bytes = [&first, &second].map(|report| {
        let [run] = report.ledger.runs.as_slice() else { panic!("a shard tells of itself alone") };
        assert_eq!(run.buckets, report.ledger.buckets);
        run.cost.as_ref().expect("the run is alone in its process").delta_bytes.clone()
    });
    assert_eq!(bytes[0], bytes[1], "both have read the keys of all that is new");
    assert_eq!(counts(&first)[0] + counts(&second)[0], 40, "each row was read for one of them");
    assert!(counts(&first)[3] > 0 && counts(&second)[3] > 0);
    assert_eq!(warehouse.rows().await, by_one_run().await);
    assert_eq!(warehouse.compact().await.outcome, Outcome::NothingNew);
}

#[tokio::test]
async fn run_over_all_takes_what_a_shard_has_left() {
    let warehouse = before_the_run().await;
    warehouse.shard(0, 3).compact().await;
    let rest = warehouse.compact().await;
    assert_eq!(part(&rest), None);
    assert!(counts(&rest)[0] < 40, "the rows of the shard are done");
    assert_eq!(warehouse.rows().await, by_one_run().await);
}

#[tokio::test]
async fn schedule_46_of_one_shard_run_twice_at_once_one_commits() {
    let warehouse = before_the_run().await;
    let shard = warehouse.shard(1, 3);

    let (first, second) = tokio::join!(shard.compact(), shard.compact());

    let committed = |report: &&Report| report.outcome != Outcome::NothingNew;
    assert_eq!([&first, &second].into_iter().filter(committed).count(), 1);
    let (before, after) = (warehouse.shard(0, 3), warehouse.shard(2, 3));
    tokio::join!(before.compact(), after.compact());
    assert_eq!(warehouse.rows().await, by_one_run().await);
}

/// When the other runs come.
#[derive(Clone, Copy, PartialEq)]
enum Moment {
    /// Just before the first output is written.
    FirstOutput,
    /// Just before the entry takes its slot.
    Slot,
}

/// A store in which other runs come once, in the middle of a run.
struct Overtaking {
    inner: Arc<dyn Store>,
    moment: Moment,
    others: Mutex<Vec<Warehouse>>,
    /// Data files of RAW that were read after it.
    read_again: AtomicUsize,
}

impl Overtaking {
    fn come(&self, moment: Moment) {
        let others = if moment == self.moment { std::mem::take(&mut *self.others.lock().unwrap()) } else { Vec::new() };
        if others.is_empty() {
            return;
        }
        // A thread of their own, since a runtime can't wait inside another.
        let run = |others: Vec<Warehouse>| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            others.iter().for_each(|other| drop(runtime.block_on(other.compact())));
        };
        std::thread::spawn(move || run(others)).join().unwrap();
    }

    fn count(&self, path: &StorePath) {
        let is_data = path.as_str().contains("/raw/") && path.as_str().ends_with(".parquet");
        if is_data && self.others.lock().unwrap().is_empty() {
            self.read_again.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Store for Overtaking {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        if path.as_str().contains("/processed/_staging/") {
            self.come(Moment::FirstOutput);
        }
        self.inner.create(path).await
    }
    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        if to.as_str().contains("/processed/_log/") {
            self.come(Moment::Slot);
        }
        self.inner.rename(from, to).await
    }
    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.count(path);
        self.inner.read(path).await
    }
    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.count(path);
        self.inner.read_range(path, range).await
    }
    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        self.inner.length(path).await
    }
    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.inner.modified(path).await
    }
    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(directory).await
    }
    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        self.inner.create_directories(directory).await
    }
    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        self.inner.delete(path).await
    }
}

/// How a run ends in which others come, and how often it reads RAW after that.
async fn overtaken(run: &Warehouse, moment: Moment, by: &[Warehouse]) -> (Result<Report, Error>, usize) {
    let others = Mutex::new(by.to_vec());
    let store = Arc::new(Overtaking { inner: Arc::clone(&run.store), moment, others, read_again: AtomicUsize::new(0) });
    let report = run.with_store(Arc::clone(&store) as Arc<dyn Store>).try_compact().await;
    assert!(store.others.lock().unwrap().is_empty(), "the others have run");
    (report, store.read_again.load(Ordering::Relaxed))
}

#[tokio::test]
async fn run_that_loses_its_slot_to_other_buckets_takes_the_next_one_and_reads_nothing_again() {
    let warehouse = before_the_run().await;
    let entries = warehouse.entries().await;

    let others = [warehouse.shard(1, 3), warehouse.shard(2, 3)];
    let (report, read_again) = overtaken(&warehouse.shard(0, 3), Moment::Slot, &others).await;

    assert!(counts(&report.unwrap())[3] > 0);
    assert_eq!((read_again, warehouse.entries().await), (0, entries + 3), "three runs, three entries");
    assert_eq!(warehouse.rows().await, by_one_run().await);
}

#[tokio::test]
async fn run_that_loses_its_slot_to_its_own_buckets_begins_anew() {
    let warehouse = before_the_run().await;
    let (report, read_again) = overtaken(&warehouse, Moment::Slot, &[warehouse.shard(1, 3)]).await;
    assert!(read_again > 0 && counts(&report.unwrap())[0] < 40, "it takes what the other has left");
    assert_eq!(warehouse.rows().await, by_one_run().await);
}

#[tokio::test]
async fn shard_that_dies_anywhere_is_run_again_alone() {
    let expected = by_one_run().await;
    for fate in [Fate::DiesBefore, Fate::DiesAfter] {
        for fatal in 0.. {
            let warehouse = before_the_run().await;
            warehouse.shard(0, 2).compact().await;
            let entries = warehouse.entries().await;
            let died = run_dying_at(&warehouse.shard(1, 2), fatal, fate).await.is_err();
            assert_unique(&warehouse.listed().await);

            warehouse.shard(1, 2).compact().await;

            assert_eq!(warehouse.rows().await, expected, "dead at {fatal}");
            assert_eq!(warehouse.entries().await, entries + 1, "dead at {fatal}");
            if !died {
                assert!(fatal > 50, "the run took only {fatal} operations");
                break;
            }
        }
    }
}

#[tokio::test]
async fn raw_is_told_the_least_position_of_all_buckets_and_its_retention_waits_for_the_last() {
    let warehouse = Warehouse::in_memory().edited(four_buckets);
    warehouse.ingest((0..40).map(|number| book(&number.to_string()).at(number))).await;
    let told = async || {
        let raw = warehouse.raw().await;
        raw.fold().consumers().values().map(|consumer| consumer.position).collect::<Vec<_>>()
    };
    for index in [2, 0] {
        warehouse.shard(index, 3).compact().await;
        assert_eq!(told().await, [-1]);
        assert!(!matches!(warehouse.try_remove_oldest_of_raw().await, Removal::Done(_)));
    }

    warehouse.shard(1, 3).compact().await;

    assert_eq!(told().await, [warehouse.position().await]);
    assert!(warehouse.position().await > 0);
    warehouse.remove_oldest_of_raw().await;
    assert_eq!(warehouse.rows().await.len(), 40);
}

#[tokio::test]
async fn rows_are_late_by_what_their_own_buckets_were_processed_through() {
    let warehouse = Warehouse::in_memory().edited(|ingest, compaction| {
        lateness("Reject")(ingest, compaction);
        four_buckets(ingest, compaction);
    });
    let books = |offset: i64| (0..40).map(move |number| book(&format!("{number} of {offset}")).at(offset));
    warehouse.ingest_on(Some(100), books(5)).await;
    warehouse.compact().await;
    warehouse.ingest_on(Some(1000), books(50)).await;
    warehouse.shard(0, 2).compact().await;
    // Of day 200: late after day 1000, and not after day 100.
    warehouse.ingest_on(Some(1001), books(10)).await;

    let ahead = warehouse.shard(0, 2).compact().await;
    let behind = warehouse.shard(1, 2).compact().await;

    let late = |report: &Report| {
        let Outcome::Committed { summary, .. } = &report.outcome else { panic!("there was something new") };
        (summary.late_before.unwrap().to_string(), summary.rows.rejected)
    };
    assert_eq!(late(&behind), ("1970-03-12T00:00:00.000Z".to_owned(), 0), "day 100 less 30");
    let (limit, rejected) = late(&ahead);
    assert_eq!(limit, "1972-08-28T00:00:00.000Z", "day 1000 less 30");
    assert!(rejected > 0);
    assert_eq!(warehouse.rejected().await.len() as u64, rejected);
    assert_eq!(warehouse.rows().await.len() as u64, 120 - rejected);
}

/// Readers see the files of all buckets together, so that two types under one name are refused whoever writes them.
#[tokio::test]
async fn schedule_47_column_of_a_file_in_another_bucket_does_not_come_back_with_another_type() {
    let warehouse = Warehouse::in_memory().edited(four_buckets);
    warehouse.raw().await;
    let bucket_of = warehouse.buckets_of().await;
    let shelved = book("shelved").on_shelf("A1");
    let bucket = bucket_of(&shelved);
    warehouse.edited(with_shelf_in_buckets).ingest([shelved]).await;
    warehouse.edited(with_shelf_in_buckets).compact().await;
    let retyped = warehouse.edited(|ingest, compaction| {
        with_shelf_in_buckets(ingest, compaction);
        ingest.spec.record.columns.last_mut().unwrap().column_type = Some(ColumnType::Int32);
    });
    retyped.ingest((0..20).map(|number| book(&number.to_string()).at(1 + number))).await;
    let before = warehouse.tree("processed").await;

    let failure = Failure::from(retyped.shard((bucket + 1) % 4, 4).try_compact().await.unwrap_err());

    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "SchemaConflict"), "{failure}");
    assert!(failure.message.contains("column \"shelf\""), "{failure}");
    assert_eq!(warehouse.tree("processed").await, before, "the zone is as it was");
}

fn with_shelf_in_buckets(ingest: &mut StreamIngest, compaction: &mut HourlyCompaction) {
    with_shelf(ingest, compaction);
    four_buckets(ingest, compaction);
}

/// Two documents are current at once while a change rolls out.
#[tokio::test]
async fn schedule_47_column_that_other_buckets_have_got_meanwhile_is_seen_before_the_commit() {
    let warehouse = Warehouse::in_memory().edited(four_buckets);
    warehouse.ingest((0..40).map(|number| book(&number.to_string()).at(number))).await;
    drop(warehouse.buckets_of().await);
    let text = warehouse.edited(with_shelf_in_buckets);
    let number = warehouse.edited(|ingest, compaction| {
        with_shelf_in_buckets(ingest, compaction);
        ingest.spec.record.columns.last_mut().unwrap().column_type = Some(ColumnType::Int32);
    });
    let (run, _) = overtaken(&text.shard(1, 4), Moment::FirstOutput, &[number.shard(0, 4)]).await;
    let failure = Failure::from(run.unwrap_err());
    assert_eq!(failure.reason, "SchemaConflict", "{failure}");
    assert_eq!(warehouse.entries().await, 1, "the other run's alone");
}

#[tokio::test]
async fn more_shards_than_buckets_are_refused_before_anything_is_written() {
    let warehouse = Warehouse::in_memory().edited(four_buckets);
    warehouse.ingest([book("a")]).await;
    let before = warehouse.tree("").await;

    let failure = Failure::from(warehouse.shard(4, 5).try_compact().await.unwrap_err());

    assert_eq!((failure.exit, failure.reason), (Exit::Usage, "TooManyShards"));
    assert!(failure.message.contains("4/5") && failure.message.contains("4 buckets"), "{failure}");
    assert_eq!(warehouse.tree("").await, before);
}

#[tokio::test]
async fn command_tells_the_buckets_of_its_run() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books")).edited(four_buckets);
    warehouse.ingest((0..40).map(|number| book(&number.to_string()).at(number))).await;
    let file = directory.path().join("books.json");
    let documents =
        documents().replace("\"path\": \"file:///processed\"", "\"path\": \"file:///processed\", \"buckets\": 4");
    std::fs::write(&file, documents).unwrap();
    let ledger = directory.path().join("termination");
    let compact = |arguments: &[&str], shard: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        command
            .args(["compact", "-f", file.to_str().unwrap(), "--local", directory.path().to_str().unwrap()])
            .args(["--termination-log", ledger.to_str().unwrap()])
            .args(arguments)
            .envs(shard.map(|shard| ("GRISTMILL_SHARD", shard)));
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };

    let (_, preview, _) = compact(&["--shard", "0/2", "--dry-run"], None);
    assert!(preview.contains("(buckets 0 to 1)"), "{preview}");
    let (code, sentences, _) = compact(&["--shard", "0/2"], None);
    assert_eq!(code, Some(0));
    assert!(sentences.contains("(buckets 0 to 1), entry "), "{sentences}");
    let told: Value = serde_json::from_slice(&std::fs::read(&ledger).unwrap()).unwrap();
    assert_eq!((&told["buckets"]["first"], &told["buckets"]["last"]), (&0.into(), &1.into()));
    assert_eq!((&told["runs"][0]["buckets"], &told["runs"][1]), (&told["buckets"], &Value::Null));
    let cost = &told["runs"][0]["cost"];
    assert!(
        cost["deltaBytes"].as_str().unwrap().parse::<u64>().unwrap() > 0 && cost["cpuMilliseconds"].is_i64(),
        "{told}"
    );
    assert!(compact(&["--shard", "0/2"], None).1.contains("Nothing new in file://"));
    let told: Value = serde_json::from_slice(&std::fs::read(&ledger).unwrap()).unwrap();
    assert_eq!(told["runs"], serde_json::json!([]), "the shard has found nothing, whatever others did before");
    let (_, json, _) = compact(&["--json"], Some("3/4"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["buckets"]["first"], &json["result"]), (&3.into(), &"succeeded".into()));
    let (_, json, _) = compact(&["--json"], None);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["buckets"].is_null() && json["result"] == "succeeded", "{json}");
    let zone = directory.path().join("books/processed");
    let inspect = Command::new(env!("CARGO_BIN_EXE_gristmill")).args(["inspect", zone.to_str().unwrap()]).output();
    assert!(String::from_utf8(inspect.unwrap().stdout).unwrap().contains("/ some of the buckets only"));
    for (arguments, says) in [
        (["--shard", "2/2"].as_slice(), "INDEX/COUNT"),
        (["--shard", "0/2", "--rebuild"].as_slice(), "--rebuild"),
        (["--shard", "4/5"].as_slice(), "4 buckets"),
    ] {
        let (code, _, said) = compact(arguments, None);
        assert!(code == Some(2) && said.contains(says), "{arguments:?}: {code:?} {said}");
    }
}
