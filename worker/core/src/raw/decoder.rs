//! The decoder: one message after the other into rows and reject records.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use gristmill_crds::plan::{IngestPlan, MessageLimits, RecordPlan};
use gristmill_crds::{OnEmptyMessage, OnInvalidRow};

use super::limits::MAX_REPEATED_BYTES;
use super::message::{Message, Verdict};
use super::paths::PathTree;
use super::reason::Reason;
use super::refusal::{self, whole};
use super::rejects::{Quarantine, Reject, RejectBuilder};
use super::rows::RowBuilder;
use super::schema::{reject_schema, schema_id};
use super::staging::Staging;
use super::typing::Typing;
use crate::xml::{Place, Places, ReadBuffers, ReadLimits, Reader, Source};

/// Turns messages into rows and reject records, which it gathers until they are taken.
#[derive(Debug)]
pub struct MessageDecoder {
    plan: RecordPlan,
    tree: PathTree,
    buffers: ReadBuffers,
    staging: Staging,
    typing: Typing,
    rows: RowBuilder,
    rejects: RejectBuilder,
}

impl MessageDecoder {
    /// A decoder of the plan's row path and columns.
    pub fn new(plan: &IngestPlan) -> Self {
        let tree = PathTree::new(&plan.record);
        Self {
            staging: Staging::new(&plan.record, &tree),
            tree,
            buffers: ReadBuffers::default(),
            typing: Typing::new(&plan.record),
            rows: RowBuilder::new(&plan.record.columns),
            rejects: RejectBuilder::new(plan.rejected.payload),
            plan: plan.record.clone(),
        }
    }

    /// Decodes one message and gathers its rows and reject records.
    ///
    /// # Guarantees
    /// An accepted message adds at least one row, or none if it has none and the resource accepts that; a rejected one
    /// adds no row and at least one reject record, a tombstone nothing.
    pub fn decode(&mut self, message: &Message<'_>) -> Verdict {
        let Some(payload) = message.payload else { return Verdict::Tombstone };
        let mut quarantine = Quarantine::new(message, payload);
        let max_bytes = self.plan.limits.message_bytes;
        let outcome = if payload.len() > max_bytes {
            let message = format!("the message has {} bytes; at most {max_bytes} are read", payload.len());
            Err(whole(Reason::MessageTooLarge, "/".to_owned(), Place { line: 1, position: 1 }, message))
        } else {
            let source = Source::read(payload, max_bytes);
            self.read(message, &source).map(|()| self.write(message, source.text(), &mut quarantine))
        };
        outcome.unwrap_or_else(|reject| {
            self.rejects.append(&mut quarantine, *reject);
            Verdict::Rejected { rejected_rows: 0 }
        })
    }

    /// Reads the message to its end, or says why all of it is rejected.
    fn read(&mut self, message: &Message<'_>, source: &Source<'_>) -> Result<(), Box<Reject>> {
        let MessageLimits { depth, attributes, .. } = self.plan.limits;
        let buffers = std::mem::take(&mut self.buffers);
        let mut reader = Reader::with_buffers(source, ReadLimits { depth, attributes }, buffers);
        let outcome = self.stage(message, source.text(), &mut reader);
        self.buffers = reader.into_buffers();
        outcome
    }

    /// Stages what the reader finds, or says why all of it is rejected.
    fn stage(&mut self, message: &Message<'_>, text: &str, reader: &mut Reader<'_>) -> Result<(), Box<Reject>> {
        let Self { plan, tree, staging, typing, .. } = self;
        let outcome = staging.read(tree, text, reader);
        outcome.map_err(|fault| refusal::unreadable(fault, text, staging.open_path(reader.open_names())))?;
        let root = reader.root().expect("a document that was read to its end has a root");
        if staging.rows().is_empty() && plan.on_empty_message == OnEmptyMessage::Reject {
            return Err(refusal::no_rows(&plan.row_path, root, text));
        }
        if let Some(unknown) = staging.unknown() {
            return Err(refusal::unknown_outside(tree, unknown, text));
        }
        typing.begin(plan, staging, text);
        let repeated = typing.absolute_bytes(staging) + message.key.map_or(0, <[u8]>::len);
        let rows = staging.rows().len();
        if repeated.saturating_mul(rows) > MAX_REPEATED_BYTES {
            return Err(refusal::repeats_too_much(&plan.row_path, root, text, rows, repeated));
        }
        Ok(())
    }

    /// Types and checks the rows that were read, and writes each as a row or as a reject record.
    fn write(&mut self, message: &Message<'_>, text: &str, quarantine: &mut Quarantine<'_>) -> Verdict {
        let whole_message = self.plan.on_invalid_row == OnInvalidRow::RejectMessage;
        // Rows can't be taken back from a builder, so that they are all typed once before the first is written.
        let writes_rows = !whole_message || self.all_rows_are_valid(text);
        let Self { plan, tree, staging, typing, rows: builder, rejects, .. } = self;
        let mut places = Places::new(text);
        let (mut rows, mut rejected_rows) = (0, 0);
        for (index, row) in staging.rows().iter().enumerate() {
            let record_index = i32::try_from(index).expect("a message has at most 1,000,000 rows");
            match typing.row(plan, staging, text, index) {
                Ok(values) if writes_rows => {
                    builder.append(record_index, values);
                    rows += 1;
                }
                Ok(_) => {}
                Err(invalid) => {
                    let reject = refusal::invalid_row(plan, tree, row, record_index, invalid, text, &mut places);
                    rejects.append(quarantine, reject);
                    rejected_rows += 1;
                }
            }
        }
        builder.end_message(message);
        match rows {
            0 if rejected_rows > 0 => Verdict::Rejected { rejected_rows },
            rows => Verdict::Accepted { rows, rejected_rows },
        }
    }

    fn all_rows_are_valid(&mut self, text: &str) -> bool {
        let Self { plan, staging, typing, .. } = self;
        (0..staging.rows().len()).all(|row| typing.row(plan, staging, text, row).is_ok())
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
