//! The decoder from the outside: a document and a resource in, rows and reject records out.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod corpus;
mod encodings;
mod invariants;
mod lenient;
mod lists;
mod model;
mod namespaces;
mod paths;
mod policies;
mod properties;
mod records;
mod types;
mod well_formed;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::SecondsFormat;
use gristmill_core::raw::{Message, MessageDecoder, NoHeaders, Verdict};
use gristmill_crds::StreamIngest;
use gristmill_crds::plan::{IngestPlan, METADATA_COLUMNS};
use serde_json::{Value, json};

/// The plan of a resource with this row path and these columns.
fn plan(row_path: &str, columns: Value) -> IngestPlan {
    record_plan(json!({"rowPath": row_path, "columns": columns}))
}

/// The plan of a resource with this `record` block.
fn record_plan(record: Value) -> IngestPlan {
    let ingest: StreamIngest = serde_json::from_value(json!({
        "apiVersion": "gristmill.dev/v1alpha1",
        "kind": "StreamIngest",
        "metadata": {"name": "test"},
        "spec": {
            "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "documents"}},
            "record": record,
            "raw": {"path": "file:///zone"},
        },
    }))
    .unwrap();
    IngestPlan::try_from(&ingest).unwrap()
}

fn message(payload: &[u8]) -> Message<'_> {
    Message {
        topic: "documents",
        topic_id: "AAAAAAAAAAAAAAAAAAAAAQ",
        partition: 3,
        offset: 42,
        generation: 1,
        timestamp_micros: Some(1_764_000_000_000_000),
        key: Some(b"key"),
        payload: Some(payload),
        headers: &NoHeaders,
    }
}

/// What one document became.
struct Decoded {
    verdict: Verdict,
    rows: Option<RecordBatch>,
    rejects: Option<RecordBatch>,
}

/// A reject record as the tests compare it.
#[derive(Debug, PartialEq, Eq)]
struct Reject {
    reason: String,
    column: Option<String>,
    path: Option<String>,
    place: Option<(i64, i64)>,
    message: String,
    record_index: Option<i32>,
}

fn decode(plan: &IngestPlan, document: impl AsRef<[u8]>) -> Decoded {
    let mut decoder = MessageDecoder::new(plan);
    let verdict = decoder.decode(&message(document.as_ref()));
    Decoded { verdict, rows: decoder.take_rows(), rejects: decoder.take_rejects() }
}

impl Decoded {
    /// The user's columns of every row as text; `None` is null.
    fn rows(&self) -> Vec<Vec<Option<String>>> {
        let Some(batch) = &self.rows else { return Vec::new() };
        let columns = batch.num_columns() - METADATA_COLUMNS.len();
        (0..batch.num_rows()).map(|row| (0..columns).map(|column| cell(batch.column(column), row)).collect()).collect()
    }

    /// The single row of a document, as text with `null` for null.
    fn row(&self) -> Vec<String> {
        let rows = self.rows();
        assert_eq!(rows.len(), 1, "{:?}", self.rejects());
        rows[0].iter().map(|value| value.clone().unwrap_or("null".into())).collect()
    }

    fn rejects(&self) -> Vec<Reject> {
        let Some(batch) = &self.rejects else { return Vec::new() };
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        let number = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let index = batch.column_by_name("record_index").unwrap().as_primitive::<Int32Type>();
        (0..batch.num_rows())
            .map(|row| Reject {
                reason: text("reason", row).unwrap(),
                column: text("column", row),
                path: text("path", row),
                place: number("line", row).zip(number("position", row)),
                message: text("message", row).unwrap(),
                record_index: index.is_valid(row).then(|| index.value(row)),
            })
            .collect()
    }

    /// The only reject record.
    fn reject(&self) -> Reject {
        let mut rejects = self.rejects();
        assert_eq!(rejects.len(), 1, "{rejects:?}");
        rejects.remove(0)
    }

    /// The reason of the only reject record, or `accepted`.
    fn outcome(&self) -> String {
        match self.verdict {
            Verdict::Accepted { .. } => "accepted".into(),
            _ => self.reject().reason,
        }
    }
}

fn cell(column: &dyn Array, row: usize) -> Option<String> {
    let format = FormatOptions::default();
    if let Some(instants) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        let instant = instants.is_valid(row).then(|| instants.value_as_datetime(row).unwrap());
        return instant.map(|instant| instant.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    column.is_valid(row).then(|| ArrayFormatter::try_new(column, &format).unwrap().value(row).to_string())
}
