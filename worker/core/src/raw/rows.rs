//! Gathers the rows of many messages, column by column, until the open file takes them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int32Builder, Int64Builder, RecordBatch,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use gristmill_crds::ColumnType;
use gristmill_crds::plan::ColumnPlan;

use super::message::Message;
use super::schema::row_schema;

/// A value that is of its column's type and keeps its rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'t> {
    Null,
    String(&'t str),
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Float64(f64),
    /// Days since 1970-01-01.
    Date(i32),
}

/// The builder of one column of the user's.
#[derive(Debug)]
enum ColumnBuilder {
    String(StringBuilder),
    Boolean(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Date(Date32Builder),
}

impl ColumnBuilder {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::String => ColumnBuilder::String(StringBuilder::new()),
            ColumnType::Boolean => ColumnBuilder::Boolean(BooleanBuilder::new()),
            ColumnType::Int32 => ColumnBuilder::Int32(Int32Builder::new()),
            ColumnType::Int64 => ColumnBuilder::Int64(Int64Builder::new()),
            ColumnType::Float64 => ColumnBuilder::Float64(Float64Builder::new()),
            ColumnType::Date => ColumnBuilder::Date(Date32Builder::new()),
        }
    }

    fn append(&mut self, value: Value<'_>) {
        match (self, value) {
            (ColumnBuilder::String(builder), Value::String(text)) => builder.append_value(text),
            (ColumnBuilder::String(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Boolean(builder), Value::Boolean(truth)) => builder.append_value(truth),
            (ColumnBuilder::Boolean(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Int32(builder), Value::Int32(number)) => builder.append_value(number),
            (ColumnBuilder::Int32(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Int64(builder), Value::Int64(number)) => builder.append_value(number),
            (ColumnBuilder::Int64(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Float64(builder), Value::Float64(number)) => builder.append_value(number),
            (ColumnBuilder::Float64(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Date(builder), Value::Date(days)) => builder.append_value(days),
            (ColumnBuilder::Date(builder), Value::Null) => builder.append_null(),
            (builder, value) => unreachable!("{value:?} is not of the type of its column {builder:?}"),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::String(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Boolean(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Int32(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Int64(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Float64(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Date(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Rows that wait for the open file.
#[derive(Debug)]
pub(super) struct RowBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    origin: OriginBuilder,
    record_index: Int32Builder,
    rows: usize,
    /// Bytes of one row's fixed part: numbers, offsets of texts, validity.
    fixed_row_bytes: usize,
    bytes: usize,
}

impl RowBuilder {
    pub(super) fn new(columns: &[ColumnPlan]) -> Self {
        let schema = row_schema(columns);
        // A text has an offset of 4 bytes and validity takes a bit; 9 covers every type.
        let fixed_row_bytes = 9 * schema.fields().len();
        Self {
            columns: columns.iter().map(|column| ColumnBuilder::new(column.value_type.column_type())).collect(),
            schema,
            origin: OriginBuilder::new(),
            record_index: Int32Builder::new(),
            rows: 0,
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

    /// Adds one row; `values` are in the order of the columns.
    pub(super) fn append(&mut self, message: &Message<'_>, record_index: i32, values: &[Value<'_>]) {
        debug_assert_eq!(values.len(), self.columns.len());
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.append(*value);
            if let Value::String(text) = value {
                self.bytes += text.len();
            }
        }
        self.origin.append(message);
        self.record_index.append_value(record_index);
        self.rows += 1;
        self.bytes += self.fixed_row_bytes + origin_bytes(message);
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

    pub(super) fn append(&mut self, message: &Message<'_>) {
        self.topic.append_value(message.topic);
        self.topic_id.append_value(message.topic_id);
        self.partition.append_value(message.partition);
        self.offset.append_value(message.offset);
        self.timestamp.append_option(message.timestamp_micros);
        self.key.append_option(message.key);
        self.generation.append_value(message.generation);
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
