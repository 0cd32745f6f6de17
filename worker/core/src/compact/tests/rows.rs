//! Batches of the tests: an id, a score to order by, and coordinates.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use crate::compact::{ContenderReader, Contenders, KeyHasher, Origin, Settled, Side, Topics};
use crate::log::{Keep, ZoneId};

/// A row with a key, an order and coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: Option<String>,
    pub(super) topic: &'static str,
    pub(super) score: Option<f64>,
    pub(super) timestamp: Option<i64>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) generation: i32,
}

pub(super) fn row(id: &str) -> Row {
    Row {
        id: Some(id.to_owned()),
        topic: "topic-id",
        score: None,
        timestamp: Some(0),
        partition: 0,
        offset: 0,
        generation: 0,
    }
}

impl Row {
    pub(super) fn scored(self, score: f64) -> Self {
        Self { score: Some(score), ..self }
    }

    pub(super) fn at(self, offset: i64) -> Self {
        Self { offset, ..self }
    }

    pub(super) fn in_topic(self, topic: &'static str) -> Self {
        Self { topic, ..self }
    }

    pub(super) fn in_partition(self, partition: i32) -> Self {
        Self { partition, ..self }
    }

    pub(super) fn time(self, timestamp: Option<i64>) -> Self {
        Self { timestamp, ..self }
    }

    pub(super) fn generation(self, generation: i32) -> Self {
        Self { generation, ..self }
    }
}

pub(super) fn zone() -> ZoneId {
    "00010203-0405-4607-8809-0a0b0c0d0e0f".parse().expect("that is a UUID")
}

/// The rows as a file would hold them.
pub(super) fn batch(rows: &[Row]) -> RecordBatch {
    let numbers = |number: fn(&Row) -> i32| Arc::new(Int32Array::from_iter_values(rows.iter().map(number))) as ArrayRef;
    let timestamps: TimestampMicrosecondArray = rows.iter().map(|row| row.timestamp).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(rows.iter().map(|row| row.id.as_deref()).collect::<StringArray>()) as ArrayRef, true),
        ("score", Arc::new(rows.iter().map(|row| row.score).collect::<Float64Array>()), true),
        ("kafka_topic_id", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.topic))), false),
        ("kafka_partition", numbers(|row| row.partition), false),
        ("kafka_offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.offset))), false),
        ("kafka_timestamp", Arc::new(timestamps.with_timezone("UTC")), true),
        ("record_index", numbers(|_| 0), false),
        ("generation", numbers(|row| row.generation), false),
    ])
    .expect("the columns are of one length")
}

/// The rows as contenders of one side.
pub(super) fn contenders(rows: &[Row], side: Side, topics: &Topics) -> Contenders {
    read(&batch(rows), &["id"], &["score"], side, topics)
}

/// The rows of a batch as contenders.
pub(super) fn read(batch: &RecordBatch, key: &[&str], order_by: &[&str], side: Side, topics: &Topics) -> Contenders {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let reader = ContenderReader::try_new(KeyHasher::new(zone()), &names(key), &names(order_by), &batch.schema())
        .expect("columns");
    let mut contenders = Contenders::default();
    let origin = Origin { side, file: 0, first_row: 0 };
    reader.read(batch, origin, |_| true, topics, &mut contenders).expect("columns");
    contenders
}

/// These contenders, in this order.
pub(super) fn picked(contenders: &Contenders, order: impl IntoIterator<Item = usize>) -> Contenders {
    let mut picked = Contenders::default();
    order.into_iter().for_each(|index| contenders.copy_to(index, &mut picked));
    picked
}

/// What becomes of rows of the delta and of the zone.
pub(super) fn settled(delta: &[Row], zone: &[Row]) -> Settled {
    settled_by(Keep::Latest, delta, zone)
}

/// The same, of a zone that keeps this one.
pub(super) fn settled_by(keep: Keep, delta: &[Row], zone: &[Row]) -> Settled {
    let topics = Topics::default();
    let mut all = contenders(delta, Side::Delta, &topics);
    let of_zone = contenders(zone, Side::Zone, &topics);
    (0..of_zone.len()).for_each(|index| of_zone.copy_to(index, &mut all));
    all.settle(&topics, keep)
}
