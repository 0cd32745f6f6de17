//! What is kept of rows that came too late: reject records as those of RAW, so that the same commands read them.
//!
//! A late row was valid, and its message is in RAW under its coordinates. The record keeps the row itself as its payload, a
//! JSON object of the user's columns, since RAW's retention may take the message.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use sha2::{Digest, Sha256};

use super::late::LateRule;
use super::schema::Conflict;
use crate::raw::{Reason, json_value, reject_schema};

/// The reject records of whole rows that are late, in their order. `topic` is the name of RAW's topic; the user's columns
/// are the first `user_columns` of a row.
///
/// # Errors
/// The rows lack one of the columns that every Processed row carries.
pub fn late_rejects(
    rows: &RecordBatch,
    user_columns: usize,
    topic: &str,
    rule: &LateRule,
) -> Result<RecordBatch, Conflict> {
    let count = rows.num_rows();
    let payloads: Vec<String> = (0..count).map(|row| object(rows, user_columns, row)).collect();
    let lengths = payloads.iter().map(|payload| i64::try_from(payload.len()).expect("a text is shorter than 2^63"));
    let digest = |payload: &String| -> String {
        Sha256::digest(payload.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let message = format!(
        "{} lies before {}, what the zone was processed through less the lateness that is allowed",
        rule.column(),
        rule.limit()
    );
    let all = |text: &str| Arc::new(StringArray::from(vec![text; count])) as ArrayRef;
    let schema = reject_schema();
    let column = |field: &Arc<Field>| -> Result<ArrayRef, Conflict> {
        Ok(match field.name().as_str() {
            "kafka_topic" => all(topic),
            "payload" => Arc::new(BinaryArray::from_iter_values(payloads.iter().map(String::as_bytes))),
            "payload_length" => Arc::new(Int64Array::from_iter_values(lengths.clone())),
            "payload_sha256" => Arc::new(StringArray::from_iter_values(payloads.iter().map(digest))),
            "stage" => all(Reason::Late.stage().as_str()),
            "reason" => all(Reason::Late.as_str()),
            "column" => all(rule.column()),
            "message" => all(&message),
            // A row of RAW has neither headers nor a place in a document; its key is with its message.
            "kafka_key" | "headers" | "path" | "line" | "position" => new_null_array(field.data_type(), count),
            carried => {
                let column = rows.column_by_name(carried).ok_or_else(|| Conflict::missing(carried))?;
                Arc::clone(column)
            }
        })
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<ArrayRef>, Conflict>>()?;
    RecordBatch::try_new(schema, columns).map_err(|error: ArrowError| Conflict::rows(error))
}

/// A row as a JSON object, its keys in the order of the columns.
fn object(rows: &RecordBatch, user_columns: usize, row: usize) -> String {
    let schema: &Schema = rows.schema_ref();
    let member = |(field, column): (&Arc<Field>, &ArrayRef)| {
        format!("{}:{}", serde_json::Value::from(field.name().as_str()), json_value(column.as_ref(), row))
    };
    let members: Vec<String> = schema.fields().iter().zip(rows.columns()).take(user_columns).map(member).collect();
    format!("{{{}}}", members.join(","))
}
