//! Which row groups of the zone may hold a key of the delta, by their bloom filters.
//!
//! Minimum and maximum say nothing about random ids, bloom filters do (F25). A filter may say yes in vain, never no.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, Schema};
use parquet::bloom_filter::Sbbf;

use super::Error;
use crate::parquet_file::ParquetReader;

/// The keys of the delta as values.
pub(super) struct DeltaKeys {
    columns: Vec<String>,
    batches: Vec<Vec<ArrayRef>>,
    /// Some row has a null in its key: no filter knows it.
    has_null: bool,
}

/// The columns of a key that have bloom filters: of Boolean they would say nothing.
pub(super) fn filtered_columns(key: &[String], file: &Schema) -> Vec<String> {
    let has_filter = |name: &&String| {
        file.field_with_name(name).is_ok_and(|field| {
            matches!(field.data_type(), DataType::Utf8 | DataType::Int32 | DataType::Int64 | DataType::Date32)
        })
    };
    key.iter().filter(has_filter).cloned().collect()
}

impl DeltaKeys {
    pub(super) fn new(key: &[String]) -> Self {
        Self { columns: key.to_vec(), batches: Vec::new(), has_null: false }
    }

    /// Takes the keys of some rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        let columns: Vec<ArrayRef> =
            self.columns.iter().filter_map(|name| batch.column_by_name(name).cloned()).collect();
        self.has_null |= columns.iter().any(|column| column.null_count() > 0);
        self.batches.push(columns);
    }

    /// Lets go of the keys.
    pub(super) fn forget(&mut self) {
        self.batches = Vec::new();
    }

    /// Whether a row group may hold one of the keys.
    pub(super) async fn may_be_in(&self, reader: &ParquetReader<'_>, row_group: usize) -> Result<bool, Error> {
        if self.has_null && self.columns.iter().any(|column| reader.may_have_null(row_group, column)) {
            return Ok(true);
        }
        let mut filters = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            filters.push(reader.bloom_filter(row_group, column).await.map_err(Error::File)?);
        }
        if filters.iter().all(Option::is_none) {
            return Ok(true);
        }
        let may_be = |batch: &Vec<ArrayRef>| {
            let rows = batch.first().map_or(0, |column| column.len());
            (0..rows).any(|row| batch.iter().zip(&filters).all(|(column, filter)| passes(filter, column, row)))
        };
        Ok(self.batches.iter().any(may_be))
    }
}

fn passes(filter: &Option<Sbbf>, column: &ArrayRef, row: usize) -> bool {
    let Some(filter) = filter else { return true };
    if column.is_null(row) {
        return false;
    }
    match column.data_type() {
        DataType::Utf8 => filter.check(column.as_string::<i32>().value(row)),
        DataType::Int32 => filter.check(&column.as_primitive::<Int32Type>().value(row)),
        DataType::Date32 => filter.check(&column.as_primitive::<Date32Type>().value(row)),
        DataType::Int64 => filter.check(&column.as_primitive::<Int64Type>().value(row)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
