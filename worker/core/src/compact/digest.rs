//! Whole rows as 128 bits, to see whether two are equal in all user columns.
//!
//! Floats are equal if their bits are: a NaN is equal to itself, and -0 is another value than 0.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use siphasher::sip128::SipHasher13;

/// The content of a row. Two different rows share it by chance in 1 of 2^128 cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowDigest(pub(super) u128);

/// Digests rows of one schema; it lives no longer than a run, so its form is nobody's contract.
#[derive(Debug)]
pub struct RowDigests {
    converter: RowConverter,
    sip: SipHasher13,
}

impl RowDigests {
    /// A digester of rows of this schema.
    ///
    /// # Errors
    /// Arrow can't compare a column of its type.
    pub fn try_new(schema: &Schema) -> Result<Self, ArrowError> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        Ok(Self { converter: RowConverter::new(fields)?, sip: SipHasher13::new() })
    }

    /// The digests of all rows of a batch.
    ///
    /// # Errors
    /// The batch is of another schema.
    pub fn of(&self, batch: &RecordBatch) -> Result<Vec<RowDigest>, ArrowError> {
        let rows = self.converter.convert_columns(batch.columns())?;
        Ok(rows.iter().map(|row| RowDigest(self.sip.hash(row.data()).as_u128())).collect())
    }
}
