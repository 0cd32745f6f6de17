//! Random histories against an oracle that keeps all rows in a map and compares them one by one.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

use gristmill::compact::{Outcome, Report};
use gristmill_crds::{HourlyCompaction, Keep, LatePolicy, StreamIngest};
use proptest::prelude::*;

use crate::books::{Book, book};
use crate::crashes::{Fate, run_dying_at};
use crate::late::{Place, lateness};
use crate::schemas::with_shelf;
use crate::warehouse::Warehouse;

/// What happens to a zone.
#[derive(Debug, Clone)]
enum Event {
    /// Rows, and the day of the newest message.
    Ingest(Vec<Book>, i64),
    Compact,
    /// A run dies at this store operation, and another one follows.
    CompactTwice(usize, Fate),
    /// So many shards run, one after the other or at once. Each has a fate.
    CompactShards(Vec<ShardFate>, Turns),
    /// The resources get the shelf, or lose it.
    Shelves(Shelves),
}

/// What becomes of a shard in an hour.
#[derive(Debug, Clone, Copy)]
enum ShardFate {
    Runs,
    /// It dies at this store operation and is run again alone.
    DiesAndRuns(usize, Fate),
    /// It fails before it does anything, and nobody runs it again.
    IsLeft,
}

#[derive(Debug, Clone, Copy)]
enum Turns {
    OneByOne,
    AtOnce,
}

/// Buckets of the zones that shards compact.
const BUCKETS: u32 = 5;

/// Whether the resources have a column `shelf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelves {
    There,
    Dropped,
}

fn row() -> impl Strategy<Value = Book> {
    let id = prop_oneof![1 => Just(None), 6 => "[a-d]".prop_map(Some)];
    let year = prop_oneof![1 => Just(None), 4 => (2020..2023).prop_map(Some)];
    let rating = prop_oneof![Just(None), Just(Some(f64::NAN)), Just(Some(-1.0)), Just(Some(3.5))];
    (id, "[xy]", year, rating, 0..2, 0..6i64).prop_map(|(id, title, year, rating, partition, offset)| Book {
        id,
        title,
        year,
        rating,
        partition,
        offset,
        ..book("")
    })
}

/// A history in which books stand on shelves, and that column goes and comes back.
fn history_of_shelves() -> impl Strategy<Value = Vec<Event>> {
    let shelved =
        (row(), prop_oneof![Just(None), "[pq]".prop_map(Some)]).prop_map(|(row, shelf)| Book { shelf, ..row });
    let ingest = (proptest::collection::vec(shelved, 1..6), 0..160i64).prop_map(|(rows, day)| Event::Ingest(rows, day));
    let shelves = prop_oneof![Just(Shelves::There), Just(Shelves::Dropped)].prop_map(Event::Shelves);
    proptest::collection::vec(prop_oneof![3 => ingest, 2 => Just(Event::Compact), 1 => shelves], 1..16)
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    let ingest = (proptest::collection::vec(row(), 1..6), 0..160i64).prop_map(|(rows, day)| Event::Ingest(rows, day));
    proptest::collection::vec(prop_oneof![3 => ingest, 2 => Just(Event::Compact)], 1..12)
}

/// A history in which runs die at some operation of the store.
fn history_with_faults() -> impl Strategy<Value = Vec<Event>> {
    let fate = prop_oneof![Just(Fate::DiesBefore), Just(Fate::DiesAfter)];
    let faults = proptest::collection::vec((0..160usize, fate), 12);
    (history(), faults).prop_map(|(history, faults)| {
        let faulty = |(event, (fatal, fate))| match event {
            Event::Compact => Event::CompactTwice(fatal, fate),
            Event::Ingest(..) | Event::CompactTwice(..) | Event::CompactShards(..) | Event::Shelves(_) => event,
        };
        history.into_iter().zip(faults).map(faulty).collect()
    })
}

/// A history in which one to five shards run in an hour, and some of them fail.
fn history_of_shards() -> impl Strategy<Value = Vec<Event>> {
    let dies = (0..160usize, prop_oneof![Just(Fate::DiesBefore), Just(Fate::DiesAfter)]);
    let fate = prop_oneof![
        4 => Just(ShardFate::Runs),
        1 => dies.prop_map(|(fatal, fate)| ShardFate::DiesAndRuns(fatal, fate)),
        1 => Just(ShardFate::IsLeft)
    ];
    let shards = proptest::collection::vec(fate, 1..=BUCKETS as usize);
    let turns = prop_oneof![Just(Turns::OneByOne), Just(Turns::AtOnce)];
    let compact = (shards, turns).prop_map(|(shards, turns)| Event::CompactShards(shards, turns));
    let ingest = (proptest::collection::vec(row(), 1..8), 0..160i64).prop_map(|(rows, day)| Event::Ingest(rows, day));
    proptest::collection::vec(prop_oneof![3 => ingest, 3 => compact, 1 => Just(Event::Compact)], 1..12)
}

/// Gives each reading of a source row the next generation, as RAW has them.
fn generations(history: Vec<Event>) -> Vec<Event> {
    let mut readings: HashMap<(i32, i64), i32> = HashMap::new();
    let mut next = |book: Book| {
        let generation = readings.entry((book.partition, book.offset)).or_default();
        *generation += 1;
        book.generation(*generation - 1)
    };
    let event = |event| match event {
        Event::Ingest(rows, day) => Event::Ingest(rows.into_iter().map(&mut next).collect(), day),
        Event::Compact | Event::CompactTwice(..) | Event::CompactShards(..) | Event::Shelves(_) => event,
    };
    history.into_iter().map(event).collect()
}

/// What a bucket has not consumed yet.
#[derive(Clone, Default)]
struct BucketOracle {
    delta: Vec<Book>,
    /// RAW has files that are new to it, whether or not with rows of it.
    is_behind: bool,
    /// Day of the newest message that it was processed through.
    through: Option<i64>,
}

/// A Processed zone as a map.
struct Oracle {
    keep: Keep,
    /// What becomes of late rows, if there are any.
    late: Option<LatePolicy>,
    /// Day of the newest message of RAW.
    newest: Option<i64>,
    buckets: Vec<BucketOracle>,
    zone: HashMap<String, Book>,
    rejected: Vec<Place>,
    shelves: Shelves,
}

impl Oracle {
    fn of(warehouse: &Warehouse) -> Self {
        let late = warehouse.plan.lateness.as_ref().map(|lateness| lateness.policy);
        let buckets = vec![BucketOracle::default(); warehouse.plan.buckets as usize];
        let (zone, rejected) = (HashMap::new(), Vec::new());
        let keep = warehouse.keep();
        Self { keep, late, newest: None, buckets, zone, rejected, shelves: Shelves::There }
    }

    fn ingest(&mut self, rows: &[Book], day: i64, bucket_of: impl Fn(&Book) -> u32) {
        for row in rows {
            let row = self.shelved(row.clone());
            self.buckets[bucket_of(&row) as usize].delta.push(row);
        }
        self.buckets.iter_mut().for_each(|bucket| bucket.is_behind = true);
        self.newest = self.newest.max(Some(day));
    }

    /// A row as it is written now: without a shelf if the resources have none.
    fn shelved(&self, row: Book) -> Book {
        match self.shelves {
            Shelves::There => row,
            Shelves::Dropped => Book { shelf: None, ..row },
        }
    }

    /// Takes the late rows out; the limit is that of the bucket that is furthest behind.
    fn reject_late(&mut self, delta: &mut Vec<Book>, through: Option<i64>) {
        let is_late =
            |row: &Book| through.is_some_and(|through| crate::late::seen_on(row) < through - crate::late::ALLOWED_DAYS);
        let late = delta.iter().filter(|row| is_late(row));
        self.rejected.extend(late.map(|row| (row.partition, row.offset, row.index, row.generation)));
        self.rejected.sort_unstable();
        delta.retain(|row| !is_late(row));
    }

    /// A run of some buckets.
    fn compact(&mut self, buckets: Range<usize>) {
        let newest = self.newest;
        let buckets = &mut self.buckets[buckets];
        if buckets.iter().all(|bucket| !bucket.is_behind) {
            return;
        }
        let through = buckets.iter().map(|bucket| bucket.through).min().flatten();
        let mut delta = Vec::new();
        for bucket in buckets {
            delta.append(&mut bucket.delta);
            (bucket.is_behind, bucket.through) = (false, through.max(newest));
        }
        if self.late == Some(LatePolicy::Reject) {
            self.reject_late(&mut delta, through);
        }
        let mut keys: HashMap<String, Vec<Book>> = HashMap::new();
        for row in delta {
            let row = self.shelved(row);
            keys.entry(row.identity()).or_default().push(row);
        }
        for (key, mut rows) in keys {
            rows.extend(self.zone.get(&key).cloned());
            let best = best(&rows, self.keep);
            if self.zone.get(&key).is_none_or(|old| !self.equal(old, best)) {
                self.zone.insert(key, best.clone());
            }
        }
    }

    /// Whether two rows are equal in the user's columns; where rows may be late, the time is one of them.
    fn equal(&self, a: &Book, b: &Book) -> bool {
        let same_rating = a.rating.map(f64::to_bits) == b.rating.map(f64::to_bits);
        let same_time = self.late.is_none() || a.offset == b.offset;
        // What a row of the zone has in a dropped column is nobody's business.
        let same_shelf = self.shelves == Shelves::Dropped || a.shelf == b.shelf;
        a.id == b.id && a.title == b.title && a.year == b.year && same_rating && same_time && same_shelf
    }
}

fn best(rows: &[Book], keep: Keep) -> &Book {
    let source = |row: &Book| (row.partition, row.offset, row.index);
    let is_old =
        |row: &&Book| rows.iter().any(|other| source(other) == source(row) && other.generation > row.generation);
    let rows = rows.iter().filter(|row| !is_old(row));
    let compare = |a: &&Book, b: &&Book| order(a).partial_cmp(&order(b)).unwrap();
    match keep {
        Keep::Latest => rows.max_by(compare).unwrap(),
        Keep::Earliest => rows.min_by(compare).unwrap(),
    }
}

/// Null, NaN and numbers in this order; then what the timestamps of the tests follow, the offset; then the partition.
fn order(row: &Book) -> (u8, f64, i64, i32) {
    let (class, value) = match row.rating {
        None => (0, 0.0),
        Some(value) if value.is_nan() => (1, 0.0),
        Some(value) => (2, value),
    };
    (class, value, row.offset, row.partition)
}

fn check(report: &Report) {
    if let Outcome::Committed { summary, .. } = &report.outcome {
        let rows = summary.rows;
        assert_eq!(rows.read, rows.duplicate_in_delta + rows.duplicate_in_zone + rows.rejected + rows.written);
        assert!(rows.rejected <= rows.late);
    }
}

async fn replay(history: Vec<Event>, whole: Warehouse) {
    let mut oracle = Oracle::of(&whole);
    let mut warehouse = whole.clone();
    warehouse.raw().await;
    let bucket_of = warehouse.buckets_of().await;
    let all = 0..warehouse.plan.buckets as usize;
    for event in history.into_iter().chain([Event::Compact]) {
        match event {
            Event::Ingest(rows, day) => {
                oracle.ingest(&rows, day, &bucket_of);
                warehouse.ingest_on(Some(day), rows).await;
            }
            Event::Shelves(shelves) => {
                oracle.shelves = shelves;
                warehouse = match shelves {
                    Shelves::There => whole.clone(),
                    Shelves::Dropped => whole.without("shelf"),
                };
            }
            Event::Compact | Event::CompactTwice(..) => {
                oracle.compact(all.clone());
                if let Event::CompactTwice(fatal, fate) = event {
                    drop(run_dying_at(&warehouse, fatal, fate).await);
                    assert_distinct(&warehouse.listed_rejected().await);
                }
                check(&warehouse.compact().await);
                compare(&whole, &oracle).await;
            }
            Event::CompactShards(fates, turns) => {
                compact_shards(&warehouse, &mut oracle, &fates, turns).await;
                compare(&whole, &oracle).await;
            }
        }
    }
}

/// Runs the shards that are not left.
async fn compact_shards(warehouse: &Warehouse, oracle: &mut Oracle, fates: &[ShardFate], turns: Turns) {
    let run = async |index: usize, fate: ShardFate| {
        let shard = warehouse.shard(index.try_into().unwrap(), fates.len().try_into().unwrap());
        if let ShardFate::DiesAndRuns(fatal, fate) = fate {
            drop(run_dying_at(&shard, fatal, fate).await);
        }
        if !matches!(fate, ShardFate::IsLeft) {
            check(&shard.compact().await);
        }
    };
    let runs = fates.iter().enumerate().map(|(index, fate)| run(index, *fate));
    match turns {
        Turns::AtOnce => drop(futures::future::join_all(runs).await),
        Turns::OneByOne => {
            for run in runs {
                run.await;
            }
        }
    }
    let begin = |index: usize| index * oracle.buckets.len() / fates.len();
    let compacted: Vec<_> = (0..fates.len())
        .filter(|index| !matches!(fates[*index], ShardFate::IsLeft))
        .map(|index| begin(index)..begin(index + 1))
        .collect();
    compacted.into_iter().for_each(|buckets| oracle.compact(buckets));
}

async fn compare(whole: &Warehouse, oracle: &Oracle) {
    whole.rows().await;
    assert_eq!(whole.rejected().await, oracle.rejected);
    let mut expected: Vec<_> = oracle.zone.values().cloned().collect();
    expected.sort_by_key(Book::identity);
    let found = whole.live().await;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        // The debug form, since a NaN does not equal itself.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
}

fn assert_distinct(rejected: &[Place]) {
    assert!(rejected.is_sorted_by(|a, b| a < b), "{rejected:?} has a row twice");
}

fn in_buckets(_: &mut StreamIngest, zone: &mut HourlyCompaction) {
    zone.spec.processed.buckets = Some(BUCKETS.try_into().unwrap());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn zone_is_what_a_map_of_all_rows_says(history in history().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory()));
    }

    #[test]
    fn zone_that_keeps_the_earliest_is_what_a_map_of_all_rows_says(history in history().prop_map(generations)) {
        let keep = |_: &mut StreamIngest, zone: &mut HourlyCompaction| zone.spec.deduplication.keep = Some(Keep::Earliest);
        runtime().block_on(replay(history, Warehouse::in_memory().edited(keep)));
    }

    #[test]
    fn value_of_a_dropped_column_stays_with_its_row(history in history_of_shelves().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory().edited(with_shelf)));
    }

    #[test]
    fn zone_is_the_same_where_nothing_fits_into_memory(history in history().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory().spilling()));
    }
}

proptest! {
    // Fewer, since each run of them dies once.
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn late_row_stands_once_in_the_zone_or_once_beside_it(history in history().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory().edited(lateness("Reject"))));
    }

    #[test]
    fn late_row_stands_once_whatever_operation_a_run_dies_at(history in history_with_faults().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory().edited(lateness("Reject"))));
    }

    #[test]
    fn schedule_46_zone_that_any_number_of_shards_compacts_is_what_a_map_of_all_rows_says(
        history in history_of_shards().prop_map(generations)
    ) {
        runtime().block_on(replay(history, Warehouse::in_memory().edited(in_buckets)));
    }

    #[test]
    fn late_row_stands_once_whatever_shards_compact_and_whichever_fail(
        history in history_of_shards().prop_map(generations)
    ) {
        let late_in_buckets = |ingest: &mut StreamIngest, zone: &mut HourlyCompaction| {
            lateness("Reject")(ingest, zone);
            in_buckets(ingest, zone);
        };
        runtime().block_on(replay(history, Warehouse::in_memory().edited(late_in_buckets)));
    }

    #[test]
    fn late_rows_that_are_merged_change_nothing(history in history_with_faults().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory().edited(lateness("Merge"))));
    }
}

#[test]
fn oracle_orders_null_below_nan_below_numbers() {
    let rated = |rating: Option<f64>| order(&Book { rating, ..book("a") });
    assert_eq!(rated(None).partial_cmp(&rated(Some(f64::NAN))), Some(Ordering::Less));
    assert_eq!(rated(Some(f64::NAN)).partial_cmp(&rated(Some(-1.0))), Some(Ordering::Less));
}
