//! Reject records out of Arrow's columns, by name. What a file lacks is null.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::DateTime;

use super::{Coordinate, Reject, RejectedMessage};

/// Where a message is.
pub(super) const COORDINATES: [&str; 2] = ["kafka_partition", "kafka_offset"];

/// What a [`Reject`] is made of.
pub(super) const REASONS: [&str; 11] = [
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "generation",
    "record_index",
    "reason",
    "column",
    "path",
    "line",
    "position",
    "message",
];

/// What a [`RejectedMessage`] is made of.
pub(super) const WHOLE: [&str; 17] = [
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "generation",
    "record_index",
    "reason",
    "column",
    "path",
    "line",
    "position",
    "message",
    "kafka_timestamp",
    "kafka_key",
    "headers",
    "payload",
    "payload_length",
    "payload_sha256",
];

/// The columns of one batch.
pub(super) struct Columns<'b>(&'b RecordBatch);

impl<'b> Columns<'b> {
    pub(super) fn of(batch: &'b RecordBatch) -> Self {
        Self(batch)
    }

    /// Partition and offset of a record.
    pub(super) fn place(&self, row: usize) -> (i32, i64) {
        (self.int("kafka_partition", row).unwrap_or_default(), self.long("kafka_offset", row).unwrap_or_default())
    }

    pub(super) fn reject(&self, row: usize) -> Reject {
        let (partition, offset) = self.place(row);
        Reject {
            at: Coordinate { topic: self.text("kafka_topic", row).unwrap_or_default(), partition, offset },
            generation: self.int("generation", row).unwrap_or_default(),
            record_index: self.int("record_index", row),
            reason: self.text("reason", row).unwrap_or_default(),
            column: self.text("column", row),
            path: self.text("path", row),
            line: self.long("line", row),
            position: self.long("position", row),
            message: self.text("message", row).unwrap_or_default(),
        }
    }

    /// The message of its first reject, which carries payload and headers.
    pub(super) fn message(&self, row: usize, first: Reject) -> RejectedMessage {
        RejectedMessage {
            rejects: vec![first],
            timestamp: self.timestamp(row),
            key: self.bytes("kafka_key", row),
            headers: self.headers(row),
            payload: self.bytes("payload", row),
            payload_length: self.long("payload_length", row).unwrap_or_default(),
            payload_sha256: self.text("payload_sha256", row).unwrap_or_default(),
        }
    }

    fn valid(&self, name: &str, row: usize) -> Option<&'b dyn Array> {
        let column = self.0.column_by_name(name)?;
        column.is_valid(row).then_some(column.as_ref())
    }

    fn text(&self, name: &str, row: usize) -> Option<String> {
        Some(self.valid(name, row)?.as_string_opt::<i32>()?.value(row).to_owned())
    }

    fn int(&self, name: &str, row: usize) -> Option<i32> {
        Some(self.valid(name, row)?.as_primitive_opt::<Int32Type>()?.value(row))
    }

    fn long(&self, name: &str, row: usize) -> Option<i64> {
        Some(self.valid(name, row)?.as_primitive_opt::<Int64Type>()?.value(row))
    }

    fn bytes(&self, name: &str, row: usize) -> Option<Vec<u8>> {
        Some(self.valid(name, row)?.as_binary_opt::<i32>()?.value(row).to_owned())
    }

    fn timestamp(&self, row: usize) -> Option<DateTime<chrono::Utc>> {
        let micros = self.valid("kafka_timestamp", row)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row);
        DateTime::from_timestamp_micros(micros)
    }

    fn headers(&self, row: usize) -> Vec<(String, Option<Vec<u8>>)> {
        let list =
            self.valid("headers", row).and_then(|column| column.as_list_opt::<i32>().map(|list| list.value(row)));
        let Some(list) = list else { return Vec::new() };
        let Some(entries) = list.as_struct_opt() else { return Vec::new() };
        let keys = entries.column_by_name("key").and_then(|keys| keys.as_string_opt::<i32>());
        let values = entries.column_by_name("value").and_then(|values| values.as_binary_opt::<i32>());
        let (Some(keys), Some(values)) = (keys, values) else { return Vec::new() };
        let value = |index: usize| values.is_valid(index).then(|| values.value(index).to_owned());
        (0..entries.len()).map(|index| (keys.value(index).to_owned(), value(index))).collect()
    }
}
