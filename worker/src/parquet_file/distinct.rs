//! Columns of so many values that a dictionary does not pay, by a sample.
//!
//! The encoder would build one all the same, up to a megabyte a row group, before it gives up.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

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

/// Bytes that the encoder of a dictionary takes before its first value: a table of 8,192 places of 9 bytes (`Interner` of
/// the parquet crate).
const EMPTY_DICTIONARY: usize = 72 << 10;

/// The columns that have no dictionary in a file of about `expected` rows that begins with these: those of so many values
/// that it does not pay, and of very many columns those of the most values, so that the empty dictionaries leave half of a
/// row group to its rows.
pub(super) fn distinct_columns(rows: &RecordBatch, expected: u64, row_group_bytes: usize) -> Vec<String> {
    let many = (expected / OFTEN).clamp(*MANY.start(), *MANY.end());
    let looked_at = usize::try_from(expected / PART).unwrap_or(SAMPLE).clamp(LEAST, SAMPLE);
    let sample = rows.slice(0, rows.num_rows().min(looked_at));
    let is_told = rows.num_rows() >= LEAST;
    let fields = rows.schema_ref().fields();
    let columns = fields.iter().zip(sample.columns()).filter(|(field, _)| may_have_dictionary(field.data_type()));
    let (mut without, mut with): (Vec<_>, Vec<_>) = columns.partition(|(_, column)| is_told && has_many(column, many));
    let most = row_group_bytes / 2 / EMPTY_DICTIONARY;
    if with.len() > most {
        with.sort_by_cached_key(|(_, column)| distinct_values(column));
        without.extend(with.split_off(most));
    }
    without.into_iter().map(|(field, _)| field.name().clone()).collect()
}

/// Parquet has no dictionary of booleans, and a list is no column of the file under its own name.
fn may_have_dictionary(data_type: &DataType) -> bool {
    !data_type.is_nested() && *data_type != DataType::Boolean
}

/// The values of a column as bytes; none where Arrow has none for a type.
fn bytes_of(column: &ArrayRef) -> Option<Rows> {
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())]).ok()?;
    converter.convert_columns(&[Arc::clone(column)]).ok()
}

/// A sample is short, whatever hash its values have.
type Seen<'v> = HashSet<&'v [u8], foldhash::fast::FixedState>;

/// How many values a sample has.
fn distinct_values(column: &ArrayRef) -> usize {
    bytes_of(column).map_or(0, |values| values.iter().map(|value| value.data()).collect::<Seen<'_>>().len())
}

/// Whether a column of which this is a sample has so many values. Where it can't be told a dictionary does no harm.
fn has_many(column: &ArrayRef, many: u64) -> bool {
    let Some(values) = bytes_of(column) else { return false };
    let mut seen = Seen::default();
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

    /// A row group in which dictionaries have room.
    const ROOM: usize = 32 << 20;

    fn rows(count: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        let few: ArrayRef = Arc::new(StringArray::from_iter_values((0..count).map(|row| (row % 200).to_string())));
        RecordBatch::try_from_iter([("number", numbers), ("few", few)]).unwrap()
    }

    #[test]
    fn column_of_different_values_needs_no_dictionary() {
        assert_eq!(distinct_columns(&rows(8192), u64::MAX, ROOM), ["number"]);
        assert_eq!(distinct_columns(&rows(8192), 1, ROOM), ["number"]);
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
        assert_eq!(!distinct_columns(&drawn(values), expected, ROOM).is_empty(), is_plain);
    }

    #[test]
    fn few_rows_tell_nothing() {
        assert!(distinct_columns(&rows(100), 100, ROOM).is_empty());
    }

    /// Of many columns, also by few rows, those of the fewest values keep their dictionaries.
    #[test]
    fn empty_dictionaries_leave_half_of_a_row_group_to_its_rows() {
        let column =
            |values: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..50).map(|row| row % values))) };
        let columns = (1..=50).map(|values| (format!("of_{values}"), column(values)));
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let without = distinct_columns(&rows, 4000, 2 * 30 * EMPTY_DICTIONARY);
        let expected: Vec<String> = (31..=50).map(|values| format!("of_{values}")).collect();
        assert_eq!(without, expected);
    }
}
