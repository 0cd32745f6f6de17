//! Rows that are written, in order: by where they go, then by the columns of the sort.
//!
//! Rows are held until their share of the memory is full; then all that are held are sorted and spilled as one run. What
//! was spilled is merged when it is written. Without a spill nothing is: each place's rows are sorted where they are.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::compact::Layout;

use super::Error;
use super::places::{Place, Places};
use super::runs::{self, Run};
use super::spill::Spill;
use crate::blocking::blocking;

/// A place's rows are sorted by a column that every row has if its directory names all of the sort.
const LAST_RESORT: &str = "kafka_offset";

/// How rows are told where they go and in which order.
pub(super) struct Order {
    places: Places,
    sort: RowConverter,
    /// The columns of the sort in a row of a file.
    sort_columns: Vec<usize>,
    file: SchemaRef,
    file_columns: Vec<usize>,
}

/// A row's place in the order of its place: its first bytes there, and where it is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first_bytes: [u64; 2],
    piece: u32,
    row: u32,
}

/// Rows of one batch, with all that is needed to sort them.
pub(super) struct Piece {
    rows: RecordBatch,
    keys: Rows,
    places: Vec<u32>,
}

impl Piece {
    pub(super) fn rows(&self) -> usize {
        self.rows.num_rows()
    }

    fn memory(&self) -> usize {
        self.rows.get_array_memory_size() + self.keys.size() + self.places.len() * size_of::<Entry>()
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
        let sort =
            RowConverter::new(fields.collect()).map_err(|source| Error::Arrow { act: "put rows in order", source })?;
        Ok(Self { places, sort, sort_columns, file: Arc::clone(file), file_columns: layout.file_columns().to_vec() })
    }

    /// The places that rows have named so far.
    pub(super) fn places(&self) -> Vec<Place> {
        self.places.known()
    }

    /// Whole rows as a piece.
    pub(super) fn piece(&self, rows: &RecordBatch) -> Result<Piece, Error> {
        let places = self.places.of(rows)?;
        let rows = rows.project(&self.file_columns).expect("a file's columns are those of a row");
        let keys = self.keys(&rows)?;
        Ok(Piece { rows, keys, places })
    }

    /// What rows of a file are sorted by, as bytes.
    pub(super) fn keys(&self, rows: &RecordBatch) -> Result<Rows, Error> {
        let columns: Vec<ArrayRef> = self.sort_columns.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        self.sort.convert_columns(&columns).map_err(|source| Error::Arrow { act: "put rows in order", source })
    }

    /// The columns of a file.
    pub(super) fn file(&self) -> &SchemaRef {
        &self.file
    }
}

/// Rows that are held: sorted by nothing yet, but told apart by where they go.
pub(super) struct Held {
    pieces: Vec<(RecordBatch, Rows)>,
    places: BTreeMap<u32, Vec<Entry>>,
    memory: usize,
    rows: usize,
}

impl Held {
    fn new() -> Self {
        Self { pieces: Vec::new(), places: BTreeMap::new(), memory: 0, rows: 0 }
    }

    fn push(&mut self, piece: Piece) {
        self.memory += piece.memory();
        self.rows += piece.rows.num_rows();
        let number = u32::try_from(self.pieces.len()).expect("memory has fewer batches");
        let Piece { rows, keys, places } = piece;
        for (row, place) in (0..).zip(places) {
            let first_bytes = first_bytes(keys.row(row as usize).data());
            self.places.entry(place).or_default().push(Entry { first_bytes, piece: number, row });
        }
        self.pieces.push((rows, keys));
    }

    fn row_bytes(&self) -> usize {
        (self.memory / self.rows.max(1)).max(1)
    }

    /// Rows in this order.
    fn gather(&self, rows: &[Entry]) -> Result<RecordBatch, Error> {
        let batches: Vec<&RecordBatch> = self.pieces.iter().map(|(rows, _)| rows).collect();
        let rows: Vec<(usize, usize)> = rows.iter().map(|entry| (entry.piece as usize, entry.row as usize)).collect();
        interleave_record_batch(&batches, &rows).map_err(|source| Error::Arrow { act: "put rows in order", source })
    }

    fn sort(&self, rows: &mut [Entry]) {
        let key = |entry: &Entry| self.pieces[entry.piece as usize].1.row(entry.row as usize);
        rows.sort_unstable_by(|a, b| a.first_bytes.cmp(&b.first_bytes).then_with(|| key(a).cmp(&key(b))));
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

/// Takes rows and gives them back in order.
pub(super) struct Sorter {
    order: Arc<Order>,
    spill: Arc<Spill>,
    threads: usize,
    most_memory: usize,
    /// Rows that will come in all.
    expected: u64,
    held: Held,
    spilled: Spilled,
}

/// Runs by place: in each, the rows of the place are in order.
type Spilled = BTreeMap<u32, Vec<Run>>;

impl Sorter {
    pub(super) fn new(order: Arc<Order>, spill: Arc<Spill>, threads: usize, most_memory: usize, expected: u64) -> Self {
        Self { order, spill, threads, most_memory, expected, held: Held::new(), spilled: Spilled::new() }
    }

    /// More rows will come than was said before.
    pub(super) fn expect(&mut self, rows: u64) {
        self.expected += rows;
    }

    /// Takes rows; spills what is held when its share of the memory is full.
    pub(super) async fn push(&mut self, piece: Piece) -> Result<(), Error> {
        self.held.push(piece);
        if self.held.memory < self.most_memory { Ok(()) } else { self.spill_held().await }
    }

    async fn spill_held(&mut self) -> Result<(), Error> {
        let mut held = mem::replace(&mut self.held, Held::new());
        let places = mem::take(&mut held.places);
        let row_bytes = held.row_bytes();
        let bytes = usize::try_from(self.expected).unwrap_or(usize::MAX).saturating_mul(row_bytes);
        let chunk_rows = runs::chunk_bytes(self.most_memory, bytes).map(|bytes| (bytes / row_bytes).max(1))?;
        let held = Arc::new(held);
        let spilling = stream::iter(places).map(|(place, mut rows)| {
            let (held, spill) = (Arc::clone(&held), Arc::clone(&self.spill));
            blocking(move || {
                held.sort(&mut rows);
                let mut run = Run::default();
                for chunk in rows.chunks(chunk_rows) {
                    run.push(&held.gather(chunk)?, &spill)?;
                }
                Ok::<_, Error>((place, run))
            })
        });
        let mut spilling = spilling.buffer_unordered(self.threads);
        while let Some((place, run)) = spilling.try_next().await? {
            self.spilled.entry(place).or_default().push(run);
        }
        Ok(())
    }

    /// The rows of each place, in order of the places.
    pub(super) async fn finish(mut self) -> Result<Vec<(Place, PlaceRows)>, Error> {
        if !self.spilled.is_empty() {
            self.spill_held().await?;
        }
        let Held { places: rows_of, .. } = &mut self.held;
        let rows_of = mem::take(rows_of);
        let row_bytes = self.held.row_bytes();
        let held = Arc::new(self.held);
        let known = self.order.places();
        let place = |number: u32| known[number as usize].clone();
        let mut all: Vec<(Place, PlaceRows)> = rows_of
            .into_iter()
            .map(|(number, rows)| {
                let rows = HeldRows { held: Arc::clone(&held), rows, row_bytes, next: None };
                (place(number), PlaceRows::Held(rows))
            })
            .collect();
        all.extend(self.spilled.into_iter().map(|(number, runs)| (place(number), PlaceRows::Spilled(runs))));
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }
}

/// The rows of one place.
pub(super) enum PlaceRows {
    Held(HeldRows),
    Spilled(Vec<Run>),
}

/// Rows of one place that are in memory.
pub(super) struct HeldRows {
    held: Arc<Held>,
    rows: Vec<Entry>,
    row_bytes: usize,
    /// Where the next chunk begins; nowhere before they are sorted.
    next: Option<usize>,
}

impl HeldRows {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of a row in memory.
    pub(super) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The next rows, at most so many; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<RecordBatch>, Error> {
        let start = self.next.unwrap_or_else(|| {
            self.held.sort(&mut self.rows);
            0
        });
        let end = self.rows.len().min(start + most);
        self.next = Some(end);
        if start == end { Ok(None) } else { self.held.gather(&self.rows[start..end]).map(Some) }
    }
}
