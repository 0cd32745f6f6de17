//! `gristmill decode`: the rows and rejects of documents, without Kafka and without a zone.
//!
//! Floating point numbers that JSON has no form for are the strings `"NaN"`, `"INF"` and `"-INF"`, as XSD
//! writes them. Decimals keep their digits as strings; timestamps are RFC 3339 in UTC.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use clap::Args;
use gristmill_core::raw::{Message, MessageDecoder, NoHeaders, Reason, Verdict, json_value};
use gristmill_crds::plan::{IngestPlan, METADATA_COLUMNS};
use serde::Serialize;
use serde_json::Value;

use super::print;
use crate::documents::Documents;
use crate::exit::{Exit, Failure};

/// Prints the rows and rejects of XML documents; no Kafka needed.
#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// File with the StreamIngest that says what a row is.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Name of the StreamIngest, if the files hold several.
    #[arg(long)]
    name: Option<String>,
    /// Print one JSON object a document.
    #[arg(long)]
    json: bool,
    /// Exit with 3 if there is a reject.
    #[arg(long)]
    fail_on_reject: bool,
    /// The documents.
    #[arg(value_name = "XML", required = true)]
    documents: Vec<PathBuf>,
}

/// What one document becomes, with the keys that scripts rely on.
#[derive(Debug, Serialize)]
struct Outcome {
    file: String,
    result: &'static str,
    #[serde(serialize_with = "rows_in_column_order")]
    rows: Vec<Vec<(String, Value)>>,
    rejects: Vec<Reject>,
}

#[derive(Debug, Serialize)]
struct Reject {
    reason: String,
    column: Option<String>,
    path: Option<String>,
    line: Option<i64>,
    position: Option<i64>,
    message: String,
}

/// Decodes and prints one document after the other.
pub(super) fn run(args: &DecodeArgs) -> Result<(), Failure> {
    let plan = Documents::read(&args.files)?.ingest_plan(args.name.as_deref())?;
    let mut decoder = MessageDecoder::new(&plan);
    let (mut rejects, mut with_rejects) = (0, 0);
    for path in &args.documents {
        let outcome = decode(&plan, &mut decoder, path)?;
        rejects += outcome.rejects.len();
        with_rejects += usize::from(!outcome.rejects.is_empty());
        print(&if args.json { json(&outcome) } else { text(&outcome) })?;
    }
    if args.fail_on_reject && rejects > 0 {
        let message = format!("rejects in {with_rejects} of {} documents: {rejects}", args.documents.len());
        return Err(Failure { exit: Exit::Rejected, reason: "Rejected", message });
    }
    Ok(())
}

fn decode(plan: &IngestPlan, decoder: &mut MessageDecoder, path: &Path) -> Result<Outcome, Failure> {
    let max_bytes = plan.record.limits.message_bytes;
    let payload = match read(path, max_bytes) {
        Ok(Some(payload)) => payload,
        Ok(None) => return Ok(too_large(path, max_bytes)),
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            return Err(Failure { exit: Exit::Usage, reason: "Unreadable", message });
        }
    };
    // A file has no coordinates in Kafka, and the output shows none.
    let verdict = decoder.decode(&Message {
        topic: &plan.topic,
        topic_id: "",
        partition: 0,
        offset: 0,
        generation: 0,
        timestamp_micros: None,
        key: None,
        payload: Some(&payload),
        headers: &NoHeaders,
    });
    Ok(Outcome {
        file: path.display().to_string(),
        result: match verdict {
            Verdict::Accepted { .. } => "accepted",
            Verdict::Rejected { .. } | Verdict::Tombstone => "rejected",
        },
        rows: decoder.take_rows().as_ref().map(rows).unwrap_or_default(),
        rejects: decoder.take_rejects().as_ref().map(rejects).unwrap_or_default(),
    })
}

/// The bytes of a file; none if they are more than a message may have: no memory is spent on those.
fn read(path: &Path, max_bytes: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut payload = Vec::new();
    std::fs::File::open(path)?.take(max_bytes as u64 + 1).read_to_end(&mut payload)?;
    Ok(Some(payload).filter(|payload| payload.len() <= max_bytes))
}

fn too_large(path: &Path, max_bytes: usize) -> Outcome {
    let reject = Reject {
        reason: Reason::MessageTooLarge.to_string(),
        column: None,
        path: None,
        line: None,
        position: None,
        message: format!("the message has more than {max_bytes} bytes, which is the limit"),
    };
    Outcome { file: path.display().to_string(), result: "rejected", rows: Vec::new(), rejects: vec![reject] }
}

/// The user's columns of every row.
fn rows(batch: &RecordBatch) -> Vec<Vec<(String, Value)>> {
    let schema = batch.schema();
    let user = batch.num_columns() - METADATA_COLUMNS.len();
    let cell = |row: usize, column: usize| {
        (schema.field(column).name().clone(), json_value(batch.column(column).as_ref(), row))
    };
    (0..batch.num_rows()).map(|row| (0..user).map(|column| cell(row, column)).collect()).collect()
}

fn rejects(batch: &RecordBatch) -> Vec<Reject> {
    let column = |name: &str| batch.column_by_name(name).expect("a column of the reject schema");
    let text = |name: &str, row: usize| {
        let column = column(name).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let number = |name: &str, row: usize| {
        let column = column(name).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    (0..batch.num_rows())
        .map(|row| Reject {
            reason: text("reason", row).unwrap_or_default(),
            column: text("column", row),
            path: text("path", row),
            line: number("line", row),
            position: number("position", row),
            message: text("message", row).unwrap_or_default(),
        })
        .collect()
}

/// A JSON object a row; its keys stand in the order of the columns.
fn rows_in_column_order<S: serde::Serializer>(rows: &[Vec<(String, Value)>], serializer: S) -> Result<S::Ok, S::Error> {
    struct Row<'a>(&'a [(String, Value)]);
    impl Serialize for Row<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
        }
    }
    serializer.collect_seq(rows.iter().map(|row| Row(row)))
}

fn json(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("texts and numbers are JSON") + "\n"
}

/// A summary, the rows as a table, and a line for each reject that editors can jump from.
fn text(outcome: &Outcome) -> String {
    let Outcome { file, result, rows, rejects } = outcome;
    let mut text = format!("{file}: {result}, rows {}, rejects {}\n", rows.len(), rejects.len());
    text += &table(rows);
    for Reject { reason, column, path, line, position, message } in rejects {
        let place = line.zip(*position).map_or(String::new(), |(line, position)| format!(":{line}:{position}"));
        let subject = [column, path].into_iter().flatten().fold(String::new(), |all, part| all + " " + part);
        writeln!(text, "{file}{place}: {reason}{subject}: {message}").expect("a String takes every write");
    }
    text
}

/// Longest cell of the table, in characters.
const CELL: usize = 40;

fn table(rows: &[Vec<(String, Value)>]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut lines: Vec<Vec<String>> = vec![first.iter().map(|(name, _)| name.clone()).collect()];
    lines.extend(rows.iter().map(|row| row.iter().map(|(_, value)| shown(value)).collect()));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..first.len()).map(width).collect();
    let mut table = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        table.push_str(cells.join("  ").trim_end());
        table.push('\n');
    }
    table
}

/// A value in a table: one line, not too long, and nothing that a terminal would obey.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let printable = |c: char| if c.is_control() { '·' } else { c };
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(CELL).map(printable).collect();
    if characters.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}
