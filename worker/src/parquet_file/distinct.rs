//! Columns of which nearly every value is another, by a sample: a dictionary of them is as long as they are.
//!
//! The encoder would build one all the same, up to a megabyte a row group, before it gives up.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::row::{RowConverter, SortField};

/// Rows that are looked at, and at the least.
const SAMPLE: usize = 4096;
const LEAST: usize = 256;
/// Values that are different ones.
const DISTINCT_PERCENT: usize = 97;

/// The columns of these rows that need no dictionary; none if the rows are too few to tell.
pub(crate) fn distinct_columns(rows: &RecordBatch) -> Vec<String> {
    if rows.num_rows() < LEAST {
        return Vec::new();
    }
    let sample = rows.slice(0, rows.num_rows().min(SAMPLE));
    let names = rows.schema_ref().fields().iter().map(|field| field.name());
    let distinct = names.zip(sample.columns()).filter(|(_, column)| is_distinct(column));
    distinct.map(|(name, _)| name.clone()).collect()
}

fn is_distinct(column: &ArrayRef) -> bool {
    if column.data_type().is_nested() {
        return false;
    }
    let field = SortField::new(column.data_type().clone());
    // A dictionary does no harm where Arrow has no bytes for a type.
    let Ok(converter) = RowConverter::new(vec![field]) else { return false };
    let Ok(values) = converter.convert_columns(&[Arc::clone(column)]) else { return false };
    let (mut seen, mut repeated) = (HashSet::new(), 0);
    // Most columns have said enough after some hundred values.
    values.iter().all(|value| {
        repeated += usize::from(!seen.insert(value.data()));
        repeated * 100 <= values.num_rows() * (100 - DISTINCT_PERCENT)
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn rows(count: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        let few: ArrayRef = Arc::new(StringArray::from_iter_values((0..count).map(|row| (row % 200).to_string())));
        RecordBatch::try_from_iter([("number", numbers), ("few", few)]).unwrap()
    }

    #[test]
    fn column_of_different_values_needs_no_dictionary() {
        assert_eq!(distinct_columns(&rows(8192)), ["number"]);
    }

    #[test]
    fn three_repeated_values_of_a_hundred_are_still_different_ones() {
        let column = |repeated: i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values((0..1000 - repeated).chain(0..repeated)))
        };
        assert!(is_distinct(&column(30)) && !is_distinct(&column(31)));
    }

    #[test]
    fn few_rows_tell_nothing() {
        assert!(distinct_columns(&rows(100)).is_empty());
    }
}
