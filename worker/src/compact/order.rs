//! The order that rows are written in: by where they go, then by the columns of the sort.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use gristmill_core::compact::Layout;

use super::Error;
use super::places::{Place, Places};
use super::row_bytes::RowBytes;
use super::selection::Selection;

/// A place's rows are sorted by a column that every row has if its directory names all of the sort.
const LAST_RESORT: &str = "kafka_offset";

/// How rows are told where they go and in which order.
pub(super) struct Order {
    places: Places,
    sort: RowConverter,
    /// The columns of the sort in a row of a file.
    sort_columns: Vec<usize>,
    file_columns: Vec<usize>,
}

/// Rows of one batch in order: what is gathered of many of them later lies close together in each.
pub(super) struct Piece {
    /// Rows of a file.
    pub(super) rows: RecordBatch,
    /// How many rows each place has, one behind the other.
    pub(super) places: Vec<(u32, u32)>,
}

/// Where a row of a batch goes: its place and the first 12 bytes of its key as one number, and its row.
#[derive(Clone, Copy)]
struct Destination {
    first_bytes: u128,
    row: u32,
}

impl Destination {
    fn place(&self) -> u32 {
        u32::try_from(self.first_bytes >> 96).expect("32 bits remain")
    }
}

impl Piece {
    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.rows.num_rows()
    }
}

impl Order {
    /// The order of rows of a layout: by these columns where they are in the file, else they are the same in all of it.
    pub(super) fn try_new<'s>(
        layout: &Layout,
        places: Places,
        sort_by: impl Iterator<Item = &'s String>,
    ) -> Result<Self, Error> {
        let file = layout.file();
        let mut sort_columns: Vec<usize> = Vec::new();
        for column in sort_by.filter_map(|name| file.index_of(name).ok()) {
            if !sort_columns.contains(&column) {
                sort_columns.push(column);
            }
        }
        if sort_columns.is_empty() {
            sort_columns.push(file.index_of(LAST_RESORT).expect("every file carries it"));
        }
        let fields = sort_columns.iter().map(|column| SortField::new(file.field(*column).data_type().clone()));
        let sort = RowConverter::new(fields.collect()).map_err(failed)?;
        Ok(Self { places, sort, sort_columns, file_columns: layout.file_columns().to_vec() })
    }

    /// The places that rows have named so far.
    pub(super) fn places(&self) -> Vec<Place> {
        self.places.known()
    }

    /// Some of these whole rows, in order. They are copied once, into it.
    pub(super) fn piece(&self, rows: &RecordBatch, selection: &Selection) -> Result<Piece, Error> {
        let places = self.places.of(rows, selection)?;
        let rows = rows.project(&self.file_columns).expect("a file's columns are those of a row");
        let keys = self.keys(&rows)?;
        let destination = |(row, place): (usize, u32)| {
            let [first, second] = first_bytes(keys.row(row).data());
            let first_bytes = u128::from(place) << 96 | u128::from(first) << 32 | u128::from(second >> 32);
            Destination { first_bytes, row: u32::try_from(row).expect("a batch is short") }
        };
        let mut order: Vec<Destination> = selection.rows().zip(places).map(destination).collect();
        order.sort_unstable_by(|a, b| {
            let whole = || keys.row(a.row as usize).cmp(&keys.row(b.row as usize));
            a.first_bytes.cmp(&b.first_bytes).then_with(whole).then(a.row.cmp(&b.row))
        });
        let places = order.chunk_by(|a, b| a.place() == b.place());
        let places =
            places.map(|rows| (rows[0].place(), u32::try_from(rows.len()).expect("a batch is short"))).collect();
        let order: UInt32Array = order.iter().map(|destination| destination.row).collect::<Vec<_>>().into();
        Ok(Piece { rows: take_record_batch(&rows, &order).map_err(failed)?, places })
    }

    /// What rows of a file are sorted by, as bytes.
    pub(super) fn keys(&self, rows: &RecordBatch) -> Result<Rows, Error> {
        let columns: Vec<ArrayRef> = self.sort_columns.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        self.sort.convert_columns(&columns).map_err(failed)
    }

    /// Rows of one place as one sequence; it is found soonest where they are in order in each of these batches.
    pub(super) fn sorted(&self, batches: Vec<RecordBatch>) -> Result<Sorted, Error> {
        let keys: Vec<Rows> = batches.iter().map(|rows| self.keys(rows)).collect::<Result<_, _>>()?;
        let mut entries = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
        for (batch, keys) in (0..).zip(&keys) {
            let entry =
                |(row, key): (u32, arrow::row::Row<'_>)| Entry { first_bytes: first_bytes(key.data()), batch, row };
            entries.extend((0..).zip(keys).map(entry));
        }
        let key = |entry: &Entry| keys[entry.batch as usize].row(entry.row as usize);
        let by_key = |a: &Entry, b: &Entry| a.first_bytes.cmp(&b.first_bytes).then_with(|| key(a).cmp(&key(b)));
        if batches.len() == 1 {
            // What is in order already is as short as what a batch had of a place: a stable sort would not find it, and
            // took half as much time again. Rows of one key stay as they came.
            entries.sort_unstable_by(|a, b| by_key(a, b).then(a.row.cmp(&b.row)));
        } else {
            // The stable sort finds what is in order already and merges it.
            entries.sort_by(by_key);
        }
        let bytes = batches.iter().map(RowBytes::of).collect();
        Ok(Sorted { batches, bytes, entries, next: 0 })
    }
}

/// The first bytes of a key as numbers that compare as they do.
pub(super) fn first_bytes(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    let (first, second) = bytes.split_at(8);
    [first, second].map(|half| u64::from_be_bytes(half.try_into().expect("8 bytes")))
}

/// A row's place in an order: its first bytes there, and where it is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first_bytes: [u64; 2],
    batch: u32,
    row: u32,
}

/// What rows are put together at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) rows: usize,
    /// One row may have more.
    pub(super) bytes: usize,
}

/// Rows in order, taken piece by piece.
pub(super) struct Sorted {
    batches: Vec<RecordBatch>,
    bytes: Vec<RowBytes>,
    entries: Vec<Entry>,
    next: usize,
}

impl Sorted {
    /// Bytes that a row takes beside its values.
    pub(super) const BYTES: usize = size_of::<Entry>();

    /// The next rows; none at the end.
    pub(super) fn next(&mut self, most: Most) -> Result<Option<RecordBatch>, Error> {
        let left = &self.entries[self.next..];
        let (mut rows, mut bytes) = (Vec::with_capacity(most.rows.min(left.len()).min(8192)), 0);
        for entry in left.iter().take(most.rows) {
            let (batch, row) = (entry.batch as usize, entry.row as usize);
            bytes += self.bytes[batch].row(row);
            if bytes > most.bytes && !rows.is_empty() {
                break;
            }
            rows.push((batch, row));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        self.next += rows.len();
        let gathered = match self.batches.as_slice() {
            // No row is looked for in several batches.
            [only] => {
                let rows =
                    rows.iter().map(|(_, row)| u32::try_from(*row).expect("an entry counts them in as many bits"));
                take_record_batch(only, &UInt32Array::from_iter_values(rows))
            }
            batches => interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &rows),
        };
        gathered.map(Some).map_err(failed)
    }
}

pub(super) fn failed(source: ArrowError) -> Error {
    Error::Arrow { act: "put rows in order", source }
}
