//! The decoder: one message after the other into rows and reject records.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use gristmill_crds::plan::{ColumnPlan, IngestPlan};

use super::limits::MAX_MESSAGE_BYTES;
use super::message::{Message, Verdict};
use super::reason::Reason;
use super::rejects::{Quarantine, Reject, RejectBuilder};
use super::rows::RowBuilder;
use super::schema::{reject_schema, schema_id};

/// Turns messages into rows and reject records, which it gathers until they are taken.
#[derive(Debug)]
pub struct MessageDecoder {
    columns: Vec<ColumnPlan>,
    rows: RowBuilder,
    rejects: RejectBuilder,
}

impl MessageDecoder {
    /// A decoder of the plan's row path and columns.
    pub fn new(plan: &IngestPlan) -> Self {
        Self { columns: plan.columns.clone(), rows: RowBuilder::new(&plan.columns), rejects: RejectBuilder::new() }
    }

    /// Decodes one message and gathers its rows and reject records.
    pub fn decode(&mut self, message: &Message<'_>) -> Verdict {
        let Some(payload) = message.payload else { return Verdict::Tombstone };
        let mut quarantine = Quarantine::new(message, payload);
        if payload.len() > MAX_MESSAGE_BYTES {
            let reject = Reject {
                reason: Reason::MessageTooLarge,
                column: None,
                path: None,
                place: None,
                message: format!("the message has {} bytes; at most {MAX_MESSAGE_BYTES} are read", payload.len()),
                record_index: None,
            };
            self.rejects.append(&mut quarantine, reject);
        }
        Verdict::Rejected { rejected_rows: 0 }
    }

    /// Rows gathered and not yet taken.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Reject records gathered and not yet taken.
    pub fn rejects(&self) -> usize {
        self.rejects.len()
    }

    /// Bytes of the data gathered, rows and rejects. Buffers grow by doubling, so up to twice as much is allocated.
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
