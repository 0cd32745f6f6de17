//! Random histories against an oracle that keeps all rows in a map and compares them one by one.

use std::cmp::Ordering;
use std::collections::HashMap;

use gristmill::compact::{Outcome, Report};
use gristmill_crds::{HourlyCompaction, Keep, StreamIngest};
use proptest::prelude::*;

use crate::books::{Book, book};
use crate::warehouse::Warehouse;

/// What happens to a zone.
#[derive(Debug, Clone)]
enum Event {
    Ingest(Vec<Book>),
    Compact,
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

fn history() -> impl Strategy<Value = Vec<Event>> {
    let ingest = proptest::collection::vec(row(), 1..6).prop_map(Event::Ingest);
    proptest::collection::vec(prop_oneof![3 => ingest, 2 => Just(Event::Compact)], 1..12)
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
        Event::Ingest(rows) => Event::Ingest(rows.into_iter().map(&mut next).collect()),
        Event::Compact => Event::Compact,
    };
    history.into_iter().map(event).collect()
}

/// A Processed zone as a map.
struct Oracle {
    keep: Keep,
    delta: Vec<Book>,
    zone: HashMap<String, Book>,
}

impl Oracle {
    fn compact(&mut self) {
        let mut keys: HashMap<String, Vec<Book>> = HashMap::new();
        for row in self.delta.drain(..) {
            keys.entry(row.identity()).or_default().push(row);
        }
        for (key, mut rows) in keys {
            rows.extend(self.zone.get(&key).cloned());
            let best = best(&rows, self.keep);
            if self.zone.get(&key).is_none_or(|old| !equal(old, best)) {
                self.zone.insert(key, best.clone());
            }
        }
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

fn equal(a: &Book, b: &Book) -> bool {
    let same_rating = a.rating.map(f64::to_bits) == b.rating.map(f64::to_bits);
    a.id == b.id && a.title == b.title && a.year == b.year && same_rating
}

fn check(report: &Report) {
    if let Outcome::Committed { summary, .. } = &report.outcome {
        let rows = summary.rows;
        assert_eq!(rows.read, rows.duplicate_in_delta + rows.duplicate_in_zone + rows.written);
    }
}

async fn replay(history: Vec<Event>, warehouse: Warehouse) {
    let mut oracle = Oracle { keep: warehouse.keep(), delta: Vec::new(), zone: HashMap::new() };
    warehouse.raw().await;
    for event in history.into_iter().chain([Event::Compact]) {
        match event {
            Event::Ingest(rows) => {
                oracle.delta.extend(rows.iter().cloned());
                warehouse.ingest(rows).await;
            }
            Event::Compact => {
                oracle.compact();
                check(&warehouse.compact().await);
                warehouse.rows().await;
                let mut expected: Vec<_> = oracle.zone.values().cloned().collect();
                expected.sort_by_key(Book::identity);
                let found = warehouse.live().await;
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    // The debug form, since a NaN does not equal itself.
                    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
                }
            }
        }
    }
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
    fn zone_is_the_same_where_nothing_fits_into_memory(history in history().prop_map(generations)) {
        runtime().block_on(replay(history, Warehouse::in_memory().spilling()));
    }
}

#[test]
fn oracle_orders_null_below_nan_below_numbers() {
    let rated = |rating: Option<f64>| order(&Book { rating, ..book("a") });
    assert_eq!(rated(None).partial_cmp(&rated(Some(f64::NAN))), Some(Ordering::Less));
    assert_eq!(rated(Some(f64::NAN)).partial_cmp(&rated(Some(-1.0))), Some(Ordering::Less));
}
