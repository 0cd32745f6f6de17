//! Some rows of a file, and the form that a run has rows in.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use gristmill_core::compact::conform;
use gristmill_core::log::FileEntry;

use super::Error;

/// Which rows of a file are meant.
#[derive(Debug, Clone)]
pub(super) struct Selection(BooleanBuffer);

impl Selection {
    /// Those that are marked.
    pub(super) fn of(marks: BooleanBuffer) -> Self {
        Self(marks)
    }

    /// All but those that are marked.
    pub(super) fn without(marks: &BooleanBuffer) -> Self {
        Self(!marks)
    }

    /// All of so many rows.
    pub(super) fn all(rows: usize) -> Self {
        Self(BooleanBuffer::new_set(rows))
    }

    /// How many of these rows there are.
    pub(super) fn count(&self) -> usize {
        self.0.count_set_bits()
    }

    /// The part for some rows of the file.
    pub(super) fn slice(&self, start: usize, rows: usize) -> Self {
        Self(self.0.slice(start, rows))
    }

    /// Whether no row is meant.
    pub(super) fn is_empty(&self) -> bool {
        self.0.count_set_bits() == 0
    }

    /// Numbers of the rows within the part.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.0.set_indices()
    }

    /// These rows of a batch that is as long as the part.
    pub(super) fn take(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        if self.count() == batch.num_rows() {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &BooleanArray::new(self.0.clone(), None))
            .map_err(|source| Error::Arrow { act: "select rows", source })
    }

    /// The batch with these rows in it, without the others if they are most: nothing is worth doing with those.
    pub(super) fn without_most(self, batch: RecordBatch) -> Result<(RecordBatch, Self), Error> {
        if self.count() >= batch.num_rows() / 2 {
            return Ok((batch, self));
        }
        let rows = self.take(&batch)?;
        let all = Self::all(rows.num_rows());
        Ok((rows, all))
    }
}

/// Rows of a file in the form of `target`.
pub(super) fn conformed(batch: &RecordBatch, target: &SchemaRef, file: &FileEntry) -> Result<RecordBatch, Error> {
    let partition = file.partition.as_deref().unwrap_or_default();
    conform(batch, target, partition).map_err(|source| Error::Column { path: file.path.to_string(), source })
}
