//! What the rows of a file are sorted by, as bytes that compare as the rows do.
//!
//! Most rows are told apart by the first bytes of the first column. The whole key of a row is made where they are not.

use std::slice;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::row::{Row, RowConverter, Rows, SortField};

use super::Error;
use super::order::failed;

/// The columns of the sort.
pub(super) struct SortKey {
    /// Where they are in a row of a file.
    columns: Vec<usize>,
    whole: RowConverter,
    /// Of the first of them alone.
    first: RowConverter,
}

impl SortKey {
    /// Of these columns of a file, at least one.
    pub(super) fn try_new(file: &SchemaRef, columns: Vec<usize>) -> Result<Self, Error> {
        let field = |column: &usize| SortField::new(file.field(*column).data_type().clone());
        let fields: Vec<SortField> = columns.iter().map(field).collect();
        let first = RowConverter::new(fields[..1].to_vec()).map_err(failed)?;
        let whole = RowConverter::new(fields).map_err(failed)?;
        Ok(Self { columns, whole, first })
    }

    /// The whole keys of rows.
    pub(super) fn of(&self, rows: &RecordBatch) -> Result<Rows, Error> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        self.whole.convert_columns(&columns).map_err(failed)
    }

    /// The beginning of the key of each row. Beginnings compare as the keys do, or are equal.
    pub(super) fn beginnings(&self, rows: &RecordBatch) -> Result<Vec<[u64; 2]>, Error> {
        let first = rows.column(self.columns[0]);
        if let Some(texts) = first.as_string_opt::<i32>() {
            // No text is before all texts; it begins as the empty one does.
            return Ok(texts.iter().map(|text| first_bytes(text.unwrap_or_default().as_bytes())).collect());
        }
        let keys = self.first.convert_columns(slice::from_ref(first)).map_err(failed)?;
        Ok(keys.iter().map(|key| first_bytes(key.data())).collect())
    }
}

/// The first bytes as numbers that compare as they do.
pub(super) fn first_bytes(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    let (first, second) = bytes.split_at(8);
    [first, second].map(|half| u64::from_be_bytes(half.try_into().expect("8 bytes")))
}

/// Puts rows that begin alike in the order of their whole keys, which are made if there are such rows. They lie side by side;
/// those of one key stay as they came.
pub(super) fn settle_alike<E, K>(
    rows: &mut [E],
    alike: impl Fn(&E, &E) -> bool,
    keys: impl FnOnce() -> Result<K, Error>,
    key: impl for<'k> Fn(&'k K, &E) -> Row<'k>,
) -> Result<(), Error> {
    if !rows.windows(2).any(|pair| alike(&pair[0], &pair[1])) {
        return Ok(());
    }
    let keys = keys()?;
    for alike in rows.chunk_by_mut(alike).filter(|alike| alike.len() > 1) {
        alike.sort_by(|a, b| key(&keys, a).cmp(&key(&keys, b)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    /// Texts that begin alike for longer than a beginning is, that end in zeros, and none.
    fn texts() -> impl Strategy<Value = Vec<(Option<String>, i64)>> {
        prop::collection::vec((prop::option::of("(urn:isbn:9783161)?[ab\u{0}é]{0,5}"), -2..2_i64), 0..60)
    }

    /// The rows put in order by their beginnings, then by their whole keys where they begin alike.
    fn sorted(columns: Vec<ArrayRef>) -> (Vec<usize>, Rows) {
        let rows = RecordBatch::try_from_iter(["a", "b"].into_iter().zip(columns)).unwrap();
        let key = SortKey::try_new(&rows.schema(), vec![0, 1]).unwrap();
        let beginnings = key.beginnings(&rows).unwrap();
        let mut order: Vec<usize> = (0..rows.num_rows()).collect();
        order.sort_by_key(|row| beginnings[*row]);
        let alike = |a: &usize, b: &usize| beginnings[*a] == beginnings[*b];
        settle_alike(&mut order, alike, || key.of(&rows), |keys, row| keys.row(*row)).unwrap();
        (order, key.of(&rows).unwrap())
    }

    fn is_in_order(columns: Vec<ArrayRef>) -> Result<(), TestCaseError> {
        let (order, keys) = sorted(columns);
        for pair in order.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            // Rows of one key are as they came.
            prop_assert!((keys.row(a), a) < (keys.row(b), b));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn rows_are_in_the_order_of_their_whole_keys(rows in texts()) {
            let texts: ArrayRef = Arc::new(rows.iter().map(|(text, _)| text.as_deref()).collect::<StringArray>());
            let numbers: ArrayRef = Arc::new(rows.iter().map(|(_, number)| *number).collect::<Int64Array>());
            is_in_order(vec![Arc::clone(&texts), Arc::clone(&numbers)])?;
            is_in_order(vec![numbers, texts])?;
        }
    }
}
