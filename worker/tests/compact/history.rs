//! Random histories against an oracle that keeps all rows in a map and compares them one by one.

use std::cmp::Ordering;
use std::collections::HashMap;

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
    /// The resources get the shelf, or lose it.
    Shelves(Shelves),
}

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
            Event::Ingest(..) | Event::CompactTwice(..) | Event::Shelves(_) => event,
        };
        history.into_iter().zip(faults).map(faulty).collect()
    })
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
        Event::Compact | Event::CompactTwice(..) | Event::Shelves(_) => event,
    };
    history.into_iter().map(event).collect()
}

/// A Processed zone as a map.
struct Oracle {
    keep: Keep,
    /// What becomes of late rows, if there are any.
    late: Option<LatePolicy>,
    /// Days of the newest message: of RAW, and that the zone was processed through.
    newest: Option<i64>,
    through: Option<i64>,
    delta: Vec<Book>,
    zone: HashMap<String, Book>,
    rejected: Vec<Place>,
    shelves: Shelves,
}

impl Oracle {
    fn of(warehouse: &Warehouse) -> Self {
        let late = warehouse.plan.lateness.as_ref().map(|lateness| lateness.policy);
        let (delta, zone, rejected) = (Vec::new(), HashMap::new(), Vec::new());
        let keep = warehouse.keep();
        Self { keep, late, newest: None, through: None, delta, zone, rejected, shelves: Shelves::There }
    }

    fn ingest(&mut self, rows: &[Book], day: i64) {
        let rows: Vec<Book> = rows.iter().map(|row| self.shelved(row.clone())).collect();
        self.delta.extend(rows);
        self.newest = self.newest.max(Some(day));
    }

    /// A row as it is written now: without a shelf if the resources have none.
    fn shelved(&self, row: Book) -> Book {
        match self.shelves {
            Shelves::There => row,
            Shelves::Dropped => Book { shelf: None, ..row },
        }
    }

    fn is_late(&self, row: &Book) -> bool {
        self.through.is_some_and(|through| crate::late::seen_on(row) < through - crate::late::ALLOWED_DAYS)
    }

    fn reject_late(&mut self) {
        let delta = std::mem::take(&mut self.delta);
        let (late, in_time): (Vec<Book>, Vec<Book>) = delta.into_iter().partition(|row| self.is_late(row));
        self.rejected.extend(late.iter().map(|row| (row.partition, row.offset, row.index, row.generation)));
        self.rejected.sort_unstable();
        self.delta = in_time;
    }

    fn compact(&mut self) {
        if self.delta.is_empty() {
            return;
        }
        if self.late == Some(LatePolicy::Reject) {
            self.reject_late();
        }
        self.through = self.through.max(self.newest);
        let mut keys: HashMap<String, Vec<Book>> = HashMap::new();
        for row in std::mem::take(&mut self.delta) {
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
    for event in history.into_iter().chain([Event::Compact]) {
        match event {
            Event::Ingest(rows, day) => {
                oracle.ingest(&rows, day);
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
                oracle.compact();
                if let Event::CompactTwice(fatal, fate) = event {
                    drop(run_dying_at(&warehouse, fatal, fate).await);
                    assert_distinct(&warehouse.listed_rejected().await);
                }
                check(&warehouse.compact().await);
                whole.rows().await;
                assert_eq!(warehouse.rejected().await, oracle.rejected);
                let mut expected: Vec<_> = oracle.zone.values().cloned().collect();
                expected.sort_by_key(Book::identity);
                let found = whole.live().await;
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    // The debug form, since a NaN does not equal itself.
                    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
                }
            }
        }
    }
}

fn assert_distinct(rejected: &[Place]) {
    assert!(rejected.is_sorted_by(|a, b| a < b), "{rejected:?} has a row twice");
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
