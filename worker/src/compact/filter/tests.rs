//! Bloom filters say no to keys that are not there, and never to one that is.

use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch, StringArray};
use gristmill_core::log::{Data, Digest, FileZone, LiveFile, PartitionRange, PartitionStart, RawData};

use super::*;
use crate::parquet_file::{Layout, ParquetFile};
use crate::store::MemoryStore;
use crate::zone::{Appended, Expected, Opened, Surroundings, Zone, ZoneReader};

/// Rows with a text and a number, `null` being a text that is null.
fn batch(rows: &[(&str, i32)]) -> RecordBatch {
    let texts: StringArray = rows.iter().map(|(text, _)| (*text != "null").then_some(*text)).collect();
    let numbers = Int32Array::from_iter_values(rows.iter().map(|(_, number)| *number));
    RecordBatch::try_from_iter_with_nullable([
        ("text", Arc::new(texts) as ArrayRef, true),
        ("number", Arc::new(numbers), true),
    ])
    .unwrap()
}

/// A zone with one file of these rows.
async fn zone_of(rows: &[(&str, i32)]) -> (ZoneReader, LiveFile) {
    let surroundings = Surroundings::of_process(Arc::new(MemoryStore::new()), "file:///zone".parse().unwrap());
    let text = |text: &str| text.to_owned();
    let expected =
        Expected::Raw { cluster_id: text("c"), topic: text("t"), topic_id: text("i"), group: text("g"), rewind: None };
    let Opened::Empty(empty) = Zone::open(surroundings.clone(), expected, Digest::of(b"spec")).await.unwrap() else {
        panic!("the store is empty")
    };
    let mut zone = empty.create_raw(vec![PartitionStart { partition: 0, start_offset: 0 }]).await.unwrap();
    let rows = batch(rows);
    let layout = Layout { bloom_filters: vec![text("text"), text("number")], ..Layout::default() };
    let mut file = ParquetFile::create(zone.stage().await.unwrap(), rows.schema(), &layout).unwrap();
    file.write(&rows).await.unwrap();
    let closed = file.close().await.unwrap();
    let file = closed.staged.into_raw(FileZone::Raw, "ingest_date=2026-11-23", closed.rows, text("schema")).unwrap();
    let range = PartitionRange {
        partition: 0,
        topic_id: text("i"),
        generation: 0,
        leader_epoch: None,
        from: 0,
        to: 1,
        accepted: 1,
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: None,
    };
    let data = RawData { partitions: vec![range], added: vec![file], removed: vec![], schemas: vec![] };
    let Appended::Won(_) = zone.append(Data::Raw(data)).await.unwrap() else { panic!("nobody else writes") };
    let reader = ZoneReader::open(surroundings).await.unwrap();
    let live = reader.fold().live().values().next().unwrap().clone();
    (reader, live)
}

async fn may_hold(zone: &[(&str, i32)], delta: &[(&str, i32)]) -> bool {
    let (reader, live) = zone_of(zone).await;
    let reader = ParquetReader::open(&reader, &live.file).await.unwrap();
    let keys = Arc::new(DeltaKeys::new(&["text".to_owned(), "number".to_owned()]));
    keys.add(&batch(delta));
    keys.may_be_in(&reader, 0).await.unwrap()
}

#[rstest::rstest]
#[case::there(&[("x", 9), ("b", 2)], true)]
#[case::not_there(&[("x", 9), ("y", 8)], false)]
#[case::one_column_is_there(&[("a", 9), ("x", 2)], false)]
#[case::null_in_the_key(&[("null", 9)], false)]
#[tokio::test]
async fn row_group_is_read_only_if_a_key_may_be_in_it(#[case] delta: &[(&str, i32)], #[case] expected: bool) {
    assert_eq!(may_hold(&[("a", 1), ("b", 2)], delta).await, expected);
}

#[tokio::test]
async fn row_group_with_a_null_in_a_key_is_read_for_a_row_without_key() {
    assert!(may_hold(&[("a", 1), ("null", 2)], &[("null", 9)]).await);
}
