//! The order that rows are written in: by where they go, then by the columns of the sort.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::Rows;
use gristmill_core::compact::Layout;

use super::Error;
use super::places::{Place, Places};
use super::row_bytes::RowBytes;
use super::selection::Selection;
use super::sort_key::{Beginnings, SortKey, settle_alike};

/// A place's rows are sorted by a column that every row has if its directory names all of the sort.
const LAST_RESORT: &str = "kafka_offset";

/// How rows are told where they go and in which order.
pub(super) struct Order {
    places: Places,
    key: SortKey,
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
        let key = SortKey::try_new(file, sort_columns)?;
        Ok(Self { places, key, file_columns: layout.file_columns().to_vec() })
    }

    /// The places that rows have named so far.
    pub(super) fn places(&self) -> Vec<Place> {
        self.places.known()
    }

    /// Some of these whole rows, in order. They are copied once, into it.
    pub(super) fn piece(&self, rows: &RecordBatch, selection: &Selection) -> Result<Piece, Error> {
        let places = self.places.of(rows, selection)?;
        let rows = rows.project(&self.file_columns).expect("a file's columns are those of a row");
        let beginnings = self.key.beginnings(&rows)?;
        let destination = |(row, place): (usize, u32)| {
            let [first, second] = beginnings.first_bytes[row];
            let first_bytes = u128::from(place) << 96 | u128::from(first) << 32 | u128::from(second >> 32);
            Destination { first_bytes, row: u32::try_from(row).expect("a batch is short") }
        };
        let mut order: Vec<Destination> = selection.rows().zip(places).map(destination).collect();
        order.sort_unstable_by_key(|destination| (destination.first_bytes, destination.row));
        let alike = |a: &Destination, b: &Destination| a.first_bytes == b.first_bytes;
        let keys = || beginnings.complete(&self.key, &rows);
        settle_alike(&mut order, alike, keys, |keys, entry| keys.row(entry.row as usize))?;
        let places = order.chunk_by(|a, b| a.place() == b.place());
        let places =
            places.map(|rows| (rows[0].place(), u32::try_from(rows.len()).expect("a batch is short"))).collect();
        let order: UInt32Array = order.iter().map(|destination| destination.row).collect::<Vec<_>>().into();
        Ok(Piece { rows: take_record_batch(&rows, &order).map_err(failed)?, places })
    }

    /// What rows of a file are sorted by.
    pub(super) fn keys(&self, rows: &RecordBatch) -> Result<Rows, Error> {
        self.key.of(rows)
    }

    /// Rows of one place as one sequence; it is found soonest where they are in order in each of these batches.
    pub(super) fn sorted(&self, batches: Vec<RecordBatch>) -> Result<Sorted, Error> {
        let beginnings: Vec<Beginnings> =
            batches.iter().map(|rows| self.key.beginnings(rows)).collect::<Result<_, _>>()?;
        let mut entries = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
        for (batch, of_batch) in (0..).zip(&beginnings) {
            let entry = |(row, first_bytes): (u32, &[u64; 2])| Entry { first_bytes: *first_bytes, batch, row };
            entries.extend((0..).zip(&of_batch.first_bytes).map(entry));
        }
        if batches.len() == 1 {
            // What is in order already is as short as what a batch had of a place: a stable sort would not find it, and
            // took half as much time again. Rows of one key stay as they came.
            entries.sort_unstable_by_key(|entry| (entry.first_bytes, entry.row));
        } else {
            // The stable sort finds what is in order already and merges it.
            entries.sort_by_key(|entry| entry.first_bytes);
        }
        let keys = || {
            let of_batches = beginnings.into_iter().zip(&batches);
            of_batches.map(|(of_batch, rows)| of_batch.complete(&self.key, rows)).collect::<Result<Vec<Rows>, _>>()
        };
        let alike = |a: &Entry, b: &Entry| a.first_bytes == b.first_bytes;
        settle_alike(&mut entries, alike, keys, |keys, entry| keys[entry.batch as usize].row(entry.row as usize))?;
        let bytes = batches.iter().map(RowBytes::of).collect();
        Ok(Sorted { batches, bytes, entries, next: 0 })
    }
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
        let (mut rows, mut bytes) = (0, 0);
        for entry in left.iter().take(most.rows) {
            bytes += self.bytes[entry.batch as usize].row(entry.row as usize);
            if bytes > most.bytes && rows > 0 {
                break;
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        self.next += rows;
        let entries = left[..rows].iter();
        let gathered = match self.batches.as_slice() {
            // No row is looked for in several batches.
            [only] => take_record_batch(only, &UInt32Array::from_iter_values(entries.map(|entry| entry.row))),
            batches => {
                let rows: Vec<(usize, usize)> =
                    entries.map(|entry| (entry.batch as usize, entry.row as usize)).collect();
                interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &rows)
            }
        };
        gathered.map(Some).map_err(failed)
    }
}

pub(super) fn failed(source: ArrowError) -> Error {
    Error::Arrow { act: "put rows in order", source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int32Array, StringArray};
    use arrow::datatypes::Int32Type;
    use gristmill_core::compact::{ContenderReader, KeyHasher};
    use gristmill_core::log::{PartitionField, PartitionTransform, ZoneId};
    use proptest::prelude::*;

    use super::*;

    const ALL: Most = Most { rows: usize::MAX, bytes: usize::MAX };

    /// Text and decimal to sort by, and the place.
    type Values = (Option<String>, Option<i128>, i32);

    /// Texts that begin alike for 12 and for 16 bytes and more, that end in zeros, and none.
    fn values() -> impl Strategy<Value = Vec<Values>> {
        let text = prop::option::of("(urn:isbn:978|urn:isbn:9783161-1)?[ab\u{0}é]{0,5}");
        let number = prop::option::of(prop_oneof![-2..2_i128, Just(1 << 100)]);
        prop::collection::vec((text, number, 0..3), 0..60)
    }

    /// Rows whose last column counts them.
    fn batch(values: &[Values], first: usize) -> RecordBatch {
        let columns: [(&str, ArrayRef); 4] = [
            ("text", Arc::new(values.iter().map(|(text, ..)| text.as_deref()).collect::<StringArray>())),
            ("number", Arc::new(values.iter().map(|(_, number, _)| *number).collect::<Decimal128Array>())),
            ("place", Arc::new(values.iter().map(|(.., place)| *place).collect::<Int32Array>())),
            ("row", Arc::new((first as i32..).take(values.len()).collect::<Int32Array>())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    fn order(sort_columns: Vec<usize>) -> Order {
        let schema = batch(&[], 0).schema();
        let hasher = KeyHasher::new("00010203-0405-4607-8809-0a0b0c0d0e0f".parse::<ZoneId>().unwrap());
        let reader = Arc::new(ContenderReader::try_new(hasher, &["text".to_owned()], &[], &schema).unwrap());
        let place = PartitionField { column: "place".to_owned(), transform: PartitionTransform::Identity };
        let places = Places::try_new(&[place], &schema, &reader, 1).unwrap();
        Order { places, key: SortKey::try_new(&schema, sort_columns).unwrap(), file_columns: vec![0, 1, 2, 3] }
    }

    fn counts(rows: &RecordBatch) -> Vec<i32> {
        rows.column(3).as_primitive::<Int32Type>().values().to_vec()
    }

    proptest! {
        #[test]
        fn rows_of_a_batch_are_in_order_of_place_then_key(
            values in values(),
            by in prop::sample::select(vec![vec![0], vec![1], vec![0, 1], vec![1, 0]]),
        ) {
            let (rows, order) = (batch(&values, 0), order(by));
            let piece = order.piece(&rows, &Selection::all(values.len())).unwrap();
            let keys = order.keys(&rows).unwrap();
            // A place has the number by which it came.
            let mut places: Vec<i32> = Vec::new();
            for (.., place) in &values {
                if !places.contains(place) {
                    places.push(*place);
                }
            }
            let number = |row: usize| places.iter().position(|place| *place == values[row].2).unwrap();
            let mut expected: Vec<usize> = (0..values.len()).collect();
            expected.sort_by_key(|row| (number(*row), keys.row(*row), *row));
            let expected: Vec<i32> = expected.into_iter().map(|row| row as i32).collect();
            prop_assert_eq!(counts(&piece.rows), expected);
        }

        #[test]
        fn rows_of_several_batches_are_in_order_of_their_keys(
            values in values(),
            cuts in [0..60_usize, 0..60],
            by in prop::sample::select(vec![vec![0], vec![1], vec![0, 1], vec![1, 0]]),
        ) {
            let order = order(by);
            let mut cuts = cuts.map(|cut| cut.min(values.len()));
            cuts.sort_unstable();
            let parts = [0..cuts[0], cuts[0]..cuts[1], cuts[1]..values.len()];
            let batches: Vec<RecordBatch> =
                parts.into_iter().filter(|part| !part.is_empty()).map(|part| batch(&values[part.clone()], part.start)).collect();
            let keys = order.keys(&batch(&values, 0)).unwrap();
            let mut expected: Vec<usize> = (0..values.len()).collect();
            expected.sort_by_key(|row| (keys.row(*row), *row));
            let expected: Vec<i32> = expected.into_iter().map(|row| row as i32).collect();
            let found = order.sorted(batches).unwrap().next(ALL).unwrap();
            prop_assert_eq!(found.map_or(Vec::new(), |rows| counts(&rows)), expected);
        }
    }
}
