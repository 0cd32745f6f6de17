//! Which row groups of the zone may hold a key of the delta, by their bloom filters.
//!
//! Minimum and maximum say nothing about random ids, bloom filters do (F25). A filter may say yes in vain, never no.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, Schema};
use gristmill_core::compact::NullKeys;
use parquet::bloom_filter::Sbbf;

use super::Error;
use crate::blocking::blocking;
use crate::parquet_file::ParquetReader;

/// Above so many keys every row group has one that its filter takes for its own by chance (at 1 of 100,000), and asking
/// for each costs more than reading the key columns.
const MOST_KEYS: usize = 200_000;

/// The keys of the delta as values, as long as they are few enough to be asked for one by one.
pub(super) struct DeltaKeys {
    columns: Vec<String>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    batches: Vec<Vec<ArrayRef>>,
    rows: usize,
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
        Self { columns: key.to_vec(), kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the keys of some rows.
    pub(super) fn add(&self, batch: &RecordBatch) {
        let columns: Vec<ArrayRef> =
            self.columns.iter().filter_map(|name| batch.column_by_name(name).cloned()).collect();
        let mut kept = self.kept();
        kept.has_null |= columns.iter().any(|column| column.null_count() > 0);
        kept.rows += batch.num_rows();
        if kept.rows <= MOST_KEYS {
            kept.batches.push(columns);
        } else {
            kept.batches = Vec::new();
        }
    }

    /// Whether some row has a null in its key.
    pub(super) fn null_keys(&self) -> NullKeys {
        if self.kept().has_null { NullKeys::MayBeKnown } else { NullKeys::AreNotKnown }
    }

    /// Whether filters are worth asking.
    fn are_few(&self) -> bool {
        self.kept().rows <= MOST_KEYS
    }

    /// Whether a row group may hold one of the keys.
    pub(super) async fn may_be_in(
        self: &Arc<Self>,
        reader: &ParquetReader<'_>,
        row_group: usize,
    ) -> Result<bool, Error> {
        let may_have_null = self.columns.iter().any(|column| reader.may_have_null(row_group, column));
        if !self.are_few() || (self.null_keys() == NullKeys::MayBeKnown && may_have_null) {
            return Ok(true);
        }
        let mut filters = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            filters.push(reader.bloom_filter(row_group, column).await.map_err(Error::File)?);
        }
        if filters.iter().all(Option::is_none) {
            return Ok(true);
        }
        let keys = Arc::clone(self);
        Ok(blocking(move || keys.any_passes(&filters)).await)
    }

    fn any_passes(&self, filters: &[Option<Sbbf>]) -> bool {
        // The arrays are shared, so that nobody waits for this.
        let batches = self.kept().batches.clone();
        batches.iter().any(|batch| {
            let rows = batch.first().map_or(0, |column| column.len());
            (0..rows).any(|row| batch.iter().zip(filters).all(|(column, filter)| passes(filter, column, row)))
        })
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
