//! The Arrow schemas of RAW and of the rejected records.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use gristmill_crds::plan::{ColumnPlan, METADATA_COLUMNS, ValueType};
use sha2::{Digest, Sha256};

/// Zone of every timestamp.
pub(super) const UTC: &str = "UTC";

/// Type of every timestamp: microseconds, UTC.
fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// Arrow's type of a column.
pub fn data_type(column: &ColumnPlan) -> DataType {
    let single = match &column.value_type {
        ValueType::String(_) => DataType::Utf8,
        ValueType::Boolean(_) => DataType::Boolean,
        ValueType::Int32(_) => DataType::Int32,
        ValueType::Int64(_) => DataType::Int64,
        ValueType::Float64(_) => DataType::Float64,
        ValueType::Decimal { precision, scale, .. } => {
            DataType::Decimal128(*precision, i8::try_from(*scale).expect("a scale is at most 38"))
        }
        ValueType::Date { .. } => DataType::Date32,
        ValueType::Timestamp { .. } => timestamp(),
    };
    if column.is_list() { DataType::List(Arc::new(Field::new_list_field(single, true))) } else { single }
}

/// The schema of RAW: the user's columns in their order, then where each row came from.
///
/// A user's column is nullable also when it is required: the rule may change, the files of one zone
/// should not differ by it.
pub fn row_schema(columns: &[ColumnPlan]) -> SchemaRef {
    let user = columns.iter().map(|column| Field::new(&column.name, data_type(column), true));
    let [topic, topic_id, partition, offset, kafka_timestamp, key, record_index, generation] = METADATA_COLUMNS;
    let metadata = [
        Field::new(topic, DataType::Utf8, false),
        Field::new(topic_id, DataType::Utf8, false),
        Field::new(partition, DataType::Int32, false),
        Field::new(offset, DataType::Int64, false),
        Field::new(kafka_timestamp, timestamp(), true),
        Field::new(key, DataType::Binary, true),
        Field::new(record_index, DataType::Int32, false),
        Field::new(generation, DataType::Int32, false),
    ];
    Arc::new(Schema::new(user.chain(metadata).collect::<Vec<_>>()))
}

/// One header: its key and its value as sent.
pub(super) fn header_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)])
}

/// The schema of the rejected records, the same for every resource.
///
/// `payload` (as much of it as the resource says) and `headers` stand in the first record of a message and are null in the
/// others; `payload_length` and `payload_sha256` are those of the whole payload and stand in each.
pub fn reject_schema() -> SchemaRef {
    let headers = Field::new("item", DataType::Struct(header_fields()), false);
    Arc::new(Schema::new(vec![
        Field::new("kafka_topic", DataType::Utf8, false),
        Field::new("kafka_topic_id", DataType::Utf8, false),
        Field::new("kafka_partition", DataType::Int32, false),
        Field::new("kafka_offset", DataType::Int64, false),
        Field::new("kafka_timestamp", timestamp(), true),
        Field::new("kafka_key", DataType::Binary, true),
        Field::new("headers", DataType::List(Arc::new(headers)), true),
        Field::new("payload", DataType::Binary, true),
        Field::new("payload_length", DataType::Int64, false),
        Field::new("payload_sha256", DataType::Utf8, false),
        Field::new("stage", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("path", DataType::Utf8, true),
        Field::new("line", DataType::Int64, true),
        Field::new("position", DataType::Int64, true),
        Field::new("message", DataType::Utf8, false),
        Field::new("record_index", DataType::Int32, true),
        Field::new("generation", DataType::Int32, false),
    ]))
}

/// Stable name of a schema: 16 hex digits of the SHA-256 over names, types and nullability in their order.
pub fn schema_id(schema: &Schema) -> String {
    let mut text = String::new();
    for field in schema.fields() {
        let null = if field.is_nullable() { "null" } else { "not null" };
        writeln!(text, "{} {} {null}", field.name(), field.data_type()).expect("a String takes every write");
    }
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
