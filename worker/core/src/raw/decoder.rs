//! The decoder: one message after the other into rows and reject records.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use gristmill_crds::plan::{ColumnPlan, IngestPlan, Origin, RowPath};

use super::limits::{MAX_MESSAGE_BYTES, MAX_REPEATED_BYTES};
use super::message::{Message, Verdict};
use super::paths::PathTree;
use super::reason::Reason;
use super::rejects::{Quarantine, Reject, RejectBuilder};
use super::rows::RowBuilder;
use super::schema::{reject_schema, schema_id};
use super::staging::Staging;
use super::typing::{InvalidColumn, Typing};
use crate::xml::{Fault, MAX_DEPTH, Places, Reader, Source};

/// Turns messages into rows and reject records, which it gathers until they are taken.
#[derive(Debug)]
pub struct MessageDecoder {
    rules: Rules,
    staging: Staging,
    rows: RowBuilder,
    rejects: RejectBuilder,
}

/// What a plan says of every message.
#[derive(Debug)]
struct Rules {
    row_path: RowPath,
    columns: Vec<ColumnPlan>,
    tree: PathTree,
}

impl MessageDecoder {
    /// A decoder of the plan's row path and columns.
    pub fn new(plan: &IngestPlan) -> Self {
        Self {
            rules: Rules {
                row_path: plan.record.row_path.clone(),
                columns: plan.record.columns.clone(),
                tree: PathTree::new(&plan.record.row_path, &plan.record.columns),
            },
            staging: Staging::new(plan.record.columns.len()),
            rows: RowBuilder::new(&plan.record.columns),
            rejects: RejectBuilder::new(),
        }
    }

    /// Decodes one message and gathers its rows and reject records.
    ///
    /// # Guarantees
    /// An accepted message adds at least one row, a rejected one no row and at least one reject record,
    /// a tombstone nothing.
    pub fn decode(&mut self, message: &Message<'_>) -> Verdict {
        let Some(payload) = message.payload else { return Verdict::Tombstone };
        let mut quarantine = Quarantine::new(message, payload);
        let outcome = match payload.len() {
            0..=MAX_MESSAGE_BYTES => {
                let source = Source::read(payload, MAX_MESSAGE_BYTES);
                self.read(message, &source).map(|()| self.write(message, source.text(), &mut quarantine))
            }
            length => {
                let message = format!("the message has {length} bytes; at most {MAX_MESSAGE_BYTES} are read");
                Err(whole(Reason::MessageTooLarge, message))
            }
        };
        outcome.unwrap_or_else(|reject| {
            self.rejects.append(&mut quarantine, *reject);
            Verdict::Rejected { rejected_rows: 0 }
        })
    }

    /// Reads the message to its end, or says why all of it is rejected.
    fn read(&mut self, message: &Message<'_>, source: &Source<'_>) -> Result<(), Box<Reject>> {
        let text = source.text();
        let mut reader = Reader::new(source, MAX_DEPTH);
        let outcome = self.staging.read(&self.rules.tree, text, &mut reader);
        outcome.map_err(|fault| refused(fault, text, self.staging.open_path(reader.open_names())))?;
        if self.staging.rows().is_empty() {
            return Err(self.rules.no_rows(text, &reader));
        }
        self.check_repeated_bytes(message)
    }

    /// Refuses a message whose rows would repeat more than memory holds.
    fn check_repeated_bytes(&self, message: &Message<'_>) -> Result<(), Box<Reject>> {
        let rows = self.staging.rows().len();
        let bytes = self.staging.absolute_bytes() + message.key.map_or(0, <[u8]>::len);
        if bytes.saturating_mul(rows) <= MAX_REPEATED_BYTES {
            return Ok(());
        }
        let message = format!(
            "each of {rows} rows would repeat {bytes} bytes from outside the rows; at most {MAX_REPEATED_BYTES} in all are"
        );
        Err(whole(Reason::MessageTooLarge, message))
    }

    /// Types and checks the rows that were read, and writes each as a row or as a reject record.
    fn write(&mut self, message: &Message<'_>, text: &str, quarantine: &mut Quarantine<'_>) -> Verdict {
        let mut places = Places::new(text);
        let mut typing = Typing::new(&self.rules.columns, &self.staging, text);
        let (mut rows, mut rejected_rows) = (0, 0);
        for (index, row) in self.staging.rows().iter().enumerate() {
            let record_index = i32::try_from(index).expect("a message has at most 100,000 rows");
            match typing.row(index) {
                Ok(values) => {
                    self.rows.append(message, record_index, values);
                    rows += 1;
                }
                Err(InvalidColumn { column, problem, offset }) => {
                    let column = &self.rules.columns[column];
                    let reject = Reject {
                        reason: problem.reason,
                        column: Some(column.name.clone()),
                        path: Some(self.rules.path(column, row.ordinal)),
                        place: Some(places.at(offset.unwrap_or(row.offset))),
                        message: problem.message,
                        record_index: Some(record_index),
                    };
                    self.rejects.append(quarantine, reject);
                    rejected_rows += 1;
                }
            }
        }
        match rows {
            0 => Verdict::Rejected { rejected_rows },
            rows => Verdict::Accepted { rows, rejected_rows },
        }
    }
}

/// What was gathered, and how it is taken.
impl MessageDecoder {
    /// Rows gathered and not yet taken.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Reject records gathered and not yet taken.
    pub fn rejects(&self) -> usize {
        self.rejects.len()
    }

    /// Bytes of the data gathered, rows and rejects. Buffers grow by doubling, so up to twice as much is allocated.
    ///
    /// A batch holds at most 2 GiB of text in a column: take the batches long before that.
    pub fn memory_size(&self) -> usize {
        self.rows.memory_size() + self.rejects.memory_size()
    }

    /// The rows gathered, as one batch; none if there is no row.
    pub fn take_rows(&mut self) -> Option<RecordBatch> {
        self.rows.take()
    }

    /// The reject records gathered, as one batch; none if there is no record.
    pub fn take_rejects(&mut self) -> Option<RecordBatch> {
        self.rejects.take()
    }

    /// Schema of [`MessageDecoder::take_rows`].
    pub fn row_schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// Schema of [`MessageDecoder::take_rejects`], the same for every plan.
    pub fn reject_schema(&self) -> SchemaRef {
        reject_schema()
    }

    /// Stable name of the schema of the rows.
    pub fn row_schema_id(&self) -> String {
        schema_id(&self.rows.schema())
    }

    /// Stable name of the schema of the reject records.
    pub fn reject_schema_id(&self) -> String {
        schema_id(&reject_schema())
    }
}

impl Rules {
    /// The path of a column's text in the row with this ordinal, such as `/library/book[2]/author/name`.
    fn path(&self, column: &ColumnPlan, ordinal: usize) -> String {
        match column.path.origin {
            Origin::Row => format!("{}[{ordinal}]/{}", self.row_path, column.path),
            Origin::Root => column.path.to_string(),
        }
    }

    fn no_rows(&self, text: &str, reader: &Reader<'_>) -> Box<Reject> {
        let root = reader.root().expect("a document that was read to its end has a root");
        let message = format!("no element matches {}; the root is {root}", self.row_path);
        let mut reject = whole(Reason::NoRows, message);
        reject.path = Some(format!("/{}", root.name()));
        reject.place = Some(Places::new(text).at(root.offset));
        reject
    }
}

/// A reject of the whole message.
fn whole(reason: Reason, message: String) -> Box<Reject> {
    Box::new(Reject { reason, column: None, path: None, place: None, message, record_index: None })
}

/// A reject of a message that could not be read to its end.
fn refused(fault: Fault, text: &str, path: Option<String>) -> Box<Reject> {
    let Fault { reason, offset, message } = fault;
    let mut reject = whole(reason, message);
    reject.path = path;
    reject.place = Some(Places::new(text).at(offset));
    reject
}
