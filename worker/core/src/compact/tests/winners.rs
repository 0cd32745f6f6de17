//! Which row of a key stays.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, TimestampMicrosecondArray};
use proptest::prelude::*;
use rstest::rstest;

use super::rows::{Row, batch, contenders, picked, read, row, settled, settled_by};
use crate::compact::contender::Row as Contender;
use crate::compact::rank::Rank;
use crate::compact::{Contenders, KeyHash, RowAddress, Settled, Side, Topics};
use crate::log::Keep;

/// The row of a delta of one key that stays.
fn winner(delta: &[Row]) -> Row {
    let settled = settled(delta, &[]);
    assert_eq!(settled.new.len(), 1);
    delta[settled.new[0].row as usize].clone()
}

#[rstest]
#[case::number_above_nan(row("a").scored(-1e300), row("a").scored(f64::NAN).at(9))]
#[case::nan_above_null(row("a").scored(-f64::NAN), row("a").at(9))]
#[case::greater_number(row("a").scored(2.0), row("a").scored(-3.0).at(9))]
#[case::infinity_above_all(row("a").scored(f64::INFINITY), row("a").scored(f64::MAX).at(9))]
#[case::zeros_are_equal(row("a").scored(-0.0).at(1), row("a").scored(0.0))]
#[case::later_timestamp(row("a").time(Some(2)), row("a").time(Some(1)).at(9))]
#[case::timestamp_above_none(row("a").time(Some(-5)), row("a").time(None).at(9))]
#[case::greater_partition(row("a").in_partition(1), row("a").at(9))]
#[case::greater_topic(row("a").in_topic("z"), row("a").in_partition(1))]
#[case::greater_offset(row("a").at(2), row("a").at(1))]
#[case::generation_before_order(row("a").scored(1.0).generation(1), row("a").scored(9.0))]
fn better_row_wins_from_either_place(#[case] better: Row, #[case] worse: Row) {
    let is_better = |row: &Row| format!("{row:?}") == format!("{better:?}");
    assert!(is_better(&winner(&[better.clone(), worse.clone()])));
    assert!(is_better(&winner(&[worse, better.clone()])));
}

#[rstest]
#[case::smaller_number(row("a").scored(-3.0).at(9), row("a").scored(2.0))]
#[case::null_below_nan(row("a").at(9), row("a").scored(f64::NAN))]
#[case::earlier_timestamp(row("a").time(Some(1)).at(9), row("a").time(Some(2)))]
#[case::smaller_offset(row("a").at(1), row("a").at(2))]
#[case::generation_before_order(row("a").scored(9.0).generation(1), row("a").scored(1.0))]
fn earlier_row_wins_where_the_earliest_is_kept(#[case] earlier: Row, #[case] later: Row) {
    for delta in [[earlier.clone(), later.clone()], [later, earlier.clone()]] {
        let settled = settled_by(Keep::Earliest, &delta, &[]);
        assert_eq!(delta[settled.new[0].row as usize], earlier);
    }
}

#[test]
fn earliest_row_of_the_zone_stays_and_gives_way_to_an_earlier_one() {
    let zone = [row("a").scored(2.0).at(5)];
    let later = settled_by(Keep::Earliest, &[row("a").scored(3.0).at(6)], &zone);
    assert_eq!(later, Settled { duplicate_in_zone: 1, ..Settled::default() });
    let earlier = settled_by(Keep::Earliest, &[row("a").scored(1.0).at(6)], &zone);
    assert_eq!((earlier.contested.len(), earlier.duplicate_in_zone), (1, 0));
    let the_very_row = settled_by(Keep::Earliest, &zone, &zone);
    assert_eq!(the_very_row, Settled { duplicate_in_zone: 1, ..Settled::default() });
}

/// Of three rows of one key the middle one is the greatest, and the last has none.
#[rstest]
#[case::decimal(Arc::new(Decimal128Array::from(vec![Some(-5), Some(100), None]).with_precision_and_scale(38, 2).expect("few digits")))]
#[case::timestamp(Arc::new(TimestampMicrosecondArray::from(vec![Some(-5), Some(1), None]).with_timezone("UTC")))]
#[case::date(Arc::new(Date32Array::from(vec![Some(-5), Some(1), None])))]
fn greatest_value_of_the_order_column_wins(#[case] order: ArrayRef) {
    let rows = batch(&[row("a"), row("a").at(1), row("a").at(2)]);
    let schema = rows.schema();
    let columns = schema.fields().iter().map(|field| field.name().clone()).zip(rows.columns().to_vec());
    let columns = columns.chain([("order".to_owned(), order)]).collect::<Vec<_>>();
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.expect("three rows each");
    let topics = Topics::default();
    let contenders = read(&batch, &["id"], &["order"], Side::Delta, &topics);
    assert_eq!(contenders.settle(&topics, Keep::Latest).new, [RowAddress { file: 0, row: 1 }]);
}

#[test]
fn contenders_say_how_much_memory_they_take() {
    let rows = [row("a"), row("b").scored(1.0)];
    let contenders = contenders(&rows, Side::Delta, &Topics::default());
    // A Float64 compares as 9 bytes.
    assert_eq!(contenders.memory(), 2 * Contenders::bytes_of_one(9));
}

#[test]
fn old_generation_does_not_beat_a_row_that_its_successor_loses_to() {
    let (first, second) = (row("a").scored(9.0), row("a").scored(1.0).generation(1));
    let other = row("a").scored(5.0).at(1);
    assert_eq!(winner(&[first, other.clone(), second]), other);
}

#[test]
fn new_generation_removes_its_zone_row_although_another_row_wins() {
    let zone = row("a").scored(9.0);
    let delta = [row("a").scored(1.0).generation(1), row("a").scored(5.0).at(1)];
    let settled = settled(&delta, &[zone]);
    let place = |row| RowAddress { file: 0, row };
    assert_eq!(settled.contested.iter().map(|contest| contest.delta).collect::<Vec<_>>(), [place(1)]);
    assert_eq!((settled.duplicate_in_delta, settled.duplicate_in_zone), (1, 0));
}

#[test]
fn the_very_row_of_the_zone_changes_nothing() {
    let settled = settled(&[row("a").scored(1.0)], &[row("a").scored(1.0)]);
    assert_eq!(settled, Settled { duplicate_in_zone: 1, ..Settled::default() });
}

#[test]
fn keys_with_half_a_hash_in_common_are_told_apart() {
    let topics = Topics::default();
    let mut contenders = Contenders::default();
    // Three keys, one of them twice, all with the same upper half.
    for (row, low) in (0..).zip([2, 1, 3, 1]) {
        let rank = Rank {
            order: &[],
            timestamp: None,
            topic: topics.number("topic-id"),
            partition: 0,
            offset: i64::from(row),
            record_index: 0,
            generation: 0,
        };
        let address = RowAddress { file: 0, row };
        contenders.push(Contender { key: KeyHash((7 << 64) | low), rank, side: Side::Delta, address });
    }
    let settled = contenders.settle(&topics, Keep::Latest);
    let mut new: Vec<u32> = settled.new.iter().map(|address| address.row).collect();
    new.sort_unstable();
    assert_eq!((new, settled.duplicate_in_delta), (vec![0, 2, 3], 1));
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let score = prop_oneof![Just(None), Just(Some(f64::NAN)), Just(Some(1.0)), Just(Some(2.0))];
    let one = (prop_oneof![Just(None), "[ab]".prop_map(Some)], score, proptest::option::of(0..2i64), 0..2, 0..3i64)
        .prop_map(|(id, score, timestamp, partition, offset)| Row {
            id,
            topic: "topic-id",
            score,
            timestamp,
            partition,
            offset,
            generation: 0,
        });
    proptest::collection::vec(one, 1..12).prop_map(|mut rows| {
        // RAW holds a source row once in each generation.
        for index in 0..rows.len() {
            let row = &rows[index];
            let earlier = rows[..index].iter().filter(|r| (r.partition, r.offset) == (row.partition, row.offset));
            rows[index].generation = i32::try_from(earlier.count()).expect("few rows");
        }
        rows
    })
}

proptest! {
    #[test]
    fn winners_do_not_depend_on_the_order_of_reading(
        (rows, shuffled) in rows().prop_flat_map(|rows| {
            let order: Vec<usize> = (0..rows.len()).collect();
            (Just(rows), Just(order).prop_shuffle())
        })
    ) {
        let topics = Topics::default();
        let in_order = contenders(&rows, Side::Delta, &topics);
        let mixed = picked(&in_order, shuffled);
        prop_assert_eq!(in_order.settle(&topics, Keep::Latest), mixed.settle(&topics, Keep::Latest));
    }

    #[test]
    fn contenders_that_were_bytes_for_a_while_are_settled_alike(rows in rows(), cut in 0..12usize) {
        let topics = Topics::default();
        let whole = contenders(&rows, Side::Delta, &topics);
        let mut bytes = Vec::new();
        picked(&whole, 0..cut.min(rows.len())).encode(&mut bytes);
        picked(&whole, cut.min(rows.len())..rows.len()).encode(&mut bytes);
        let mut decoded = Contenders::default();
        decoded.decode(&bytes);
        prop_assert_eq!(whole.settle(&topics, Keep::Latest), decoded.settle(&topics, Keep::Latest));
    }

    #[test]
    fn contenders_that_were_added_in_parts_are_settled_alike(rows in rows(), mut cuts in [0..12usize, 0..12], ordered: bool) {
        let topics = Topics::default();
        let order_by: &[&str] = if ordered { &["score"] } else { &[] };
        let whole = read(&batch(&rows), &["id"], order_by, Side::Delta, &topics);
        cuts.sort_unstable();
        let [first, second] = cuts.map(|cut| cut.min(rows.len()));
        let mut together = Contenders::default();
        for part in [second..rows.len(), 0..first, first..second] {
            together.append(&whole, part);
        }
        prop_assert_eq!(together.memory(), whole.memory());
        prop_assert_eq!(whole.settle(&topics, Keep::Latest), together.settle(&topics, Keep::Latest));
    }

    #[test]
    fn every_row_of_the_delta_is_accounted_for(delta in rows(), zone in rows()) {
        let topics = Topics::default();
        let (mut all, of_zone) = (contenders(&delta, Side::Delta, &topics), contenders(&zone, Side::Zone, &topics));
        // A zone holds a key once.
        let mut keys = HashSet::new();
        (0..of_zone.len()).filter(|row| keys.insert(of_zone.key(*row))).for_each(|row| of_zone.copy_to(row, &mut all));
        let Settled { new, contested, duplicate_in_delta, duplicate_in_zone } = all.settle(&topics, Keep::Latest);
        let kept = (new.len() + contested.len()) as u64;
        prop_assert_eq!(delta.len() as u64, kept + duplicate_in_delta + duplicate_in_zone);
    }
}
