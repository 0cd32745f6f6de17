//! Columns of so many values that a dictionary does not pay, by a sample.
//!
//! The encoder would build one all the same, up to a megabyte a row group, before it gives up.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::row::{RowConverter, SortField};

/// Rows that are looked at, at the most and at the least; in between a part of the file's, since a look costs as much as
/// encoding.
const SAMPLE: usize = 4096;
const LEAST: usize = 256;
const PART: u64 = 16;
/// Values of a column from which on it has no dictionary, in a file of few rows and in one of many. Of 108,000 rows with
/// 40,000 names of 12 bytes a dictionary took three times the time of plain values, compression included, and saved 4 % of
/// the bytes; of 900,000 rows it took half as much time again and saved a third. With half as many values it takes no more
/// time where they are longer.
const MANY: RangeInclusive<u64> = 40_000..=68_000;
/// In between, a value is worth a place in a dictionary if it comes so often in the file.
const OFTEN: u64 = 3;

/// The columns that need no dictionary in a file of about `expected` rows that begins with these; none if these are too
/// few to tell.
pub(super) fn distinct_columns(rows: &RecordBatch, expected: u64) -> Vec<String> {
    if rows.num_rows() < LEAST {
        return Vec::new();
    }
    let many = (expected / OFTEN).clamp(*MANY.start(), *MANY.end());
    let looked_at = usize::try_from(expected / PART).unwrap_or(SAMPLE).clamp(LEAST, SAMPLE);
    let sample = rows.slice(0, rows.num_rows().min(looked_at));
    let names = rows.schema_ref().fields().iter().map(|field| field.name());
    let distinct = names.zip(sample.columns()).filter(|(_, column)| has_many(column, many));
    distinct.map(|(name, _)| name.clone()).collect()
}

/// Whether a column of which this is a sample has so many values.
fn has_many(column: &ArrayRef, many: u64) -> bool {
    if column.data_type().is_nested() {
        return false;
    }
    let field = SortField::new(column.data_type().clone());
    // A dictionary does no harm where Arrow has no bytes for a type.
    let Ok(converter) = RowConverter::new(vec![field]) else { return false };
    let Ok(values) = converter.convert_columns(&[Arc::clone(column)]) else { return false };
    // A sample is short, whatever hash its values have.
    let mut seen: HashSet<&[u8], foldhash::fast::FixedState> = HashSet::default();
    let mut repeated = 0;
    let most = most_repeated(values.num_rows() as u64, many);
    // Most columns have said enough after some hundred values.
    values.iter().all(|value| {
        repeated += u64::from(!seen.insert(value.data()));
        repeated <= most
    })
}

/// Of so many rows with so many values about this number repeat one before: each pair of rows has the same value in one of
/// `values` cases.
fn most_repeated(rows: u64, values: u64) -> u64 {
    rows * rows / (2 * values)
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
        assert_eq!(distinct_columns(&rows(8192), u64::MAX), ["number"]);
        assert_eq!(distinct_columns(&rows(8192), 1), ["number"]);
    }

    #[rstest::rstest]
    #[case::sample_of_a_large_file(4096, 209)]
    #[case::small_first_batch(1000, 12)]
    #[case::too_few_to_repeat_any(256, 0)]
    fn column_with_more_values_than_a_dictionary_is_worth_repeats_few(#[case] rows: i64, #[case] most: i64) {
        let column = |repeated: i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values((0..rows - repeated).chain(0..repeated)))
        };
        assert!(has_many(&column(most), 40_000) && !has_many(&column(most + 1), 40_000));
    }

    /// Names drawn from so many, without a pattern.
    fn drawn(values: u64) -> RecordBatch {
        let mixed = |row: u64| {
            let number = (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20
        };
        let names = (0..4096).map(|row| (mixed(row) % values).to_string());
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        RecordBatch::try_from_iter([("name", names)]).unwrap()
    }

    #[rstest::rstest]
    #[case::a_value_comes_twice(50_000, 100_000, true)]
    #[case::a_value_comes_often(50_000, 1_000_000, false)]
    #[case::few_values(20_000, 20_000, false)]
    #[case::very_many_values(200_000, 10_000_000, true)]
    fn names_have_no_dictionary_where_they_are_many_and_seldom_come_again(
        #[case] values: u64,
        #[case] expected: u64,
        #[case] is_plain: bool,
    ) {
        assert_eq!(!distinct_columns(&drawn(values), expected).is_empty(), is_plain);
    }

    #[test]
    fn few_rows_tell_nothing() {
        assert!(distinct_columns(&rows(100), 100).is_empty());
    }
}
