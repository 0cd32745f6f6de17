//! Gathers the rows of many messages, column by column, until the open file takes them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use gristmill_crds::plan::ColumnPlan;

use super::column::ColumnBuilder;
use super::message::Message;
use super::schema::row_schema;
use super::value::Values;

/// Rows that wait for the open file.
#[derive(Debug)]
pub(super) struct RowBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    origin: OriginBuilder,
    record_index: Int32Builder,
    rows: usize,
    /// Rows of the message in progress.
    rows_of_message: usize,
    /// Bytes of one row's fixed part: numbers, offsets of texts, validity.
    fixed_row_bytes: usize,
    bytes: usize,
}

impl RowBuilder {
    pub(super) fn new(columns: &[ColumnPlan]) -> Self {
        let schema = row_schema(columns);
        let builders: Vec<_> = columns.iter().map(ColumnBuilder::new).collect();
        // A text has an offset of 4 bytes and validity takes a bit; 9 covers every type of the metadata.
        let metadata = 9 * (schema.fields().len() - columns.len());
        let fixed_row_bytes = metadata + builders.iter().map(ColumnBuilder::fixed_bytes).sum::<usize>();
        Self {
            columns: builders,
            schema,
            origin: OriginBuilder::new(),
            record_index: Int32Builder::new(),
            rows: 0,
            rows_of_message: 0,
            fixed_row_bytes,
            bytes: 0,
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn memory_size(&self) -> usize {
        self.bytes
    }

    /// Adds one row of the message in progress; [`Self::end_message`] completes it.
    pub(super) fn append(&mut self, record_index: i32, row: Values<'_>) {
        debug_assert_eq!(row.values.len(), self.columns.len());
        for (column, value) in self.columns.iter_mut().zip(row.values) {
            self.bytes += column.append(*value, &row);
        }
        self.record_index.append_value(record_index);
        self.rows_of_message += 1;
    }

    /// Adds what the rows of the message have in common.
    pub(super) fn end_message(&mut self, message: &Message<'_>) {
        let rows = std::mem::take(&mut self.rows_of_message);
        self.origin.append(message, rows);
        self.rows += rows;
        self.bytes += rows * (self.fixed_row_bytes + origin_bytes(message));
    }

    /// The rows so far as one batch; none if there is no row.
    pub(super) fn take(&mut self) -> Option<RecordBatch> {
        if self.rows == 0 {
            return None;
        }
        (self.rows, self.bytes) = (0, 0);
        let mut arrays: Vec<ArrayRef> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let (origin, generation) = self.origin.finish();
        arrays.extend(origin);
        arrays.push(Arc::new(self.record_index.finish()));
        arrays.push(generation);
        Some(RecordBatch::try_new(self.schema(), arrays).expect("every row adds one value to every column"))
    }
}

/// Bytes of the texts that a message repeats in each of its rows.
fn origin_bytes(message: &Message<'_>) -> usize {
    message.topic.len() + message.topic_id.len() + message.key.map_or(0, <[u8]>::len)
}

/// The columns that say where a row or a reject came from.
#[derive(Debug)]
pub(super) struct OriginBuilder {
    topic: StringBuilder,
    topic_id: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    timestamp: TimestampMicrosecondBuilder,
    key: BinaryBuilder,
    generation: Int32Builder,
}

impl OriginBuilder {
    pub(super) fn new() -> Self {
        Self {
            topic: StringBuilder::new(),
            topic_id: StringBuilder::new(),
            partition: Int32Builder::new(),
            offset: Int64Builder::new(),
            timestamp: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            key: BinaryBuilder::new(),
            generation: Int32Builder::new(),
        }
    }

    /// Adds the message as the origin of so many rows or rejects.
    pub(super) fn append(&mut self, message: &Message<'_>, count: usize) {
        self.topic.append_value_n(message.topic, count);
        self.topic_id.append_value_n(message.topic_id, count);
        self.partition.append_value_n(message.partition, count);
        self.offset.append_value_n(message.offset, count);
        match message.timestamp_micros {
            Some(timestamp) => self.timestamp.append_value_n(timestamp, count),
            None => self.timestamp.append_nulls(count),
        }
        match message.key {
            Some(key) => self.key.append_value_n(key, count),
            None => self.key.append_nulls(count),
        }
        self.generation.append_value_n(message.generation, count);
    }

    /// Topic, topic id, partition, offset, timestamp and key in the order of both schemas, and the generation,
    /// which stands last in both.
    pub(super) fn finish(&mut self) -> ([ArrayRef; 6], ArrayRef) {
        (
            [
                Arc::new(self.topic.finish()),
                Arc::new(self.topic_id.finish()),
                Arc::new(self.partition.finish()),
                Arc::new(self.offset.finish()),
                Arc::new(self.timestamp.finish()),
                Arc::new(self.key.finish()),
            ],
            Arc::new(self.generation.finish()),
        )
    }
}
