//! What the rows of a file are sorted by, as bytes that compare as the rows do.
//!
//! Rows are told apart by the first bytes of their keys. Where the first column is a text these are its own: then no whole
//! key of a batch is made, unless some of its rows begin alike.

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
    converter: RowConverter,
}

/// The beginning of the key of each row of a batch, and the keys if they were made for that. Beginnings compare as the keys
/// do, or are equal.
pub(super) struct Beginnings {
    pub(super) first_bytes: Vec<[u64; 2]>,
    whole: Option<Rows>,
}

impl SortKey {
    /// Of these columns of a file, at least one.
    pub(super) fn try_new(file: &SchemaRef, columns: Vec<usize>) -> Result<Self, Error> {
        let fields = columns.iter().map(|column| SortField::new(file.field(*column).data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(failed)?;
        Ok(Self { columns, converter })
    }

    /// The whole keys of rows.
    pub(super) fn of(&self, rows: &RecordBatch) -> Result<Rows, Error> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        self.converter.convert_columns(&columns).map_err(failed)
    }

    /// The beginnings of keys.
    pub(super) fn beginnings(&self, rows: &RecordBatch) -> Result<Beginnings, Error> {
        if let Some(texts) = rows.column(self.columns[0]).as_string_opt::<i32>() {
            // No text is before all texts; it begins as the empty one does.
            let beginning = |text: Option<&str>| first_bytes(text.unwrap_or_default().as_bytes());
            return Ok(Beginnings { first_bytes: texts.iter().map(beginning).collect(), whole: None });
        }
        let keys = self.of(rows)?;
        Ok(Beginnings { first_bytes: keys.iter().map(|key| first_bytes(key.data())).collect(), whole: Some(keys) })
    }
}

impl Beginnings {
    /// The whole keys of these rows.
    pub(super) fn complete(self, key: &SortKey, rows: &RecordBatch) -> Result<Rows, Error> {
        self.whole.map_or_else(|| key.of(rows), Ok)
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
    for group in rows.chunk_by_mut(alike).filter(|group| group.len() > 1) {
        group.sort_by(|a, b| key(&keys, a).cmp(&key(&keys, b)));
    }
    Ok(())
}
