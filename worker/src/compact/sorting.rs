//! Rows that are written, held by where they go.
//!
//! Rows are held until their share of the memory is full; then all that are held are sorted and spilled as one run. What
//! was spilled is merged when it is written. Without a spill nothing is: each place's rows are sorted when they are written.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, interleave_record_batch};
use futures::{StreamExt, TryStreamExt, stream};

use super::order::{Most, Order, Piece, Sorted, failed};
use super::places::Place;
use super::row_bytes::RowBytes;
use super::runs::{self, Run};
use super::spill::Spill;
use super::{Budget, Error};
use crate::blocking::blocking;

/// Rows of a place that one batch has, below which they are copied together before they are sorted: a batch of its own
/// costs as much as so many rows.
const FEW_ROWS: usize = 16;
/// A place is copied together if it takes little memory, of its own and as a part of what is held.
const MOST_COPIED: usize = 64 << 20;
const PART_COPIED: usize = 16;

/// Rows of one place in one piece.
#[derive(Debug, Clone, Copy)]
struct Slice {
    piece: u32,
    start: u32,
    rows: u32,
}

/// Rows that are held, told apart by where they go.
struct Held {
    pieces: Vec<RecordBatch>,
    places: BTreeMap<u32, Vec<Slice>>,
    memory: usize,
    rows: usize,
}

impl Held {
    fn new() -> Self {
        Self { pieces: Vec::new(), places: BTreeMap::new(), memory: 0, rows: 0 }
    }

    fn push(&mut self, Piece { rows, places }: Piece) {
        self.memory +=
            rows.get_array_memory_size() + rows.num_rows() * Sorted::BYTES + places.len() * size_of::<Slice>();
        self.rows += rows.num_rows();
        let piece = u32::try_from(self.pieces.len()).expect("memory has fewer batches");
        self.pieces.push(rows);
        let mut start = 0;
        for (place, rows) in places {
            self.places.entry(place).or_default().push(Slice { piece, start, rows });
            start += rows;
        }
    }

    fn row_bytes(&self) -> usize {
        (self.memory / self.rows.max(1)).max(1)
    }

    /// The rows of one place, in batches of which each is in order or which are one.
    fn batches(&self, slices: &[Slice]) -> Result<Vec<RecordBatch>, Error> {
        if slices.len() > 1 && rows_of(slices) < slices.len() * FEW_ROWS {
            let pieces: Vec<&RecordBatch> = slices.iter().map(|slice| &self.pieces[slice.piece as usize]).collect();
            let rows: Vec<(usize, usize)> = (0..)
                .zip(slices)
                .flat_map(|(piece, slice)| {
                    (slice.start..slice.start + slice.rows).map(move |row| (piece, row as usize))
                })
                .collect();
            return Ok(vec![interleave_record_batch(&pieces, &rows).map_err(failed)?]);
        }
        let cut = |slice: &Slice| self.pieces[slice.piece as usize].slice(slice.start as usize, slice.rows as usize);
        let batches: Vec<RecordBatch> = slices.iter().map(cut).collect();
        let bytes = batches.iter().map(RowBytes::of_all).sum();
        match batches.first() {
            Some(first) if self.is_copied(bytes) => {
                Ok(vec![concat_batches(first.schema_ref(), &batches).map_err(failed)?])
            }
            _ => Ok(batches),
        }
    }

    /// Whether so many bytes of one place are copied together: rows are gathered from one batch in a third of the time. A
    /// place with more of what is held has many rows in each batch anyway.
    fn is_copied(&self, bytes: usize) -> bool {
        bytes <= MOST_COPIED.min(self.memory / PART_COPIED)
    }
}

fn rows_of(slices: &[Slice]) -> usize {
    slices.iter().map(|slice| slice.rows as usize).sum()
}

/// Takes rows and gives them back in order.
pub(super) struct Sorter {
    order: Arc<Order>,
    spill: Arc<Spill>,
    threads: usize,
    budget: Budget,
    /// Rows that will come in all.
    expected: u64,
    held: Held,
    spilled: Spilled,
}

/// Runs by place: in each, the rows of the place are in order.
type Spilled = BTreeMap<u32, Vec<Run>>;

impl Sorter {
    pub(super) fn new(order: Arc<Order>, spill: Arc<Spill>, threads: usize, budget: Budget, expected: u64) -> Self {
        Self { order, spill, threads, budget, expected, held: Held::new(), spilled: Spilled::new() }
    }

    /// More rows will come than was said before.
    pub(super) fn expect(&mut self, rows: u64) {
        self.expected += rows;
    }

    /// Takes rows; spills what is held when its share of the memory is full.
    pub(super) async fn push(&mut self, piece: Piece) -> Result<(), Error> {
        self.held.push(piece);
        if self.held.memory < self.budget.sorting { Ok(()) } else { self.spill_held().await }
    }

    async fn spill_held(&mut self) -> Result<(), Error> {
        let mut held = mem::replace(&mut self.held, Held::new());
        let places = mem::take(&mut held.places);
        let bytes = usize::try_from(self.expected).unwrap_or(usize::MAX).saturating_mul(held.row_bytes());
        let most = Most { rows: usize::MAX, bytes: runs::chunk_bytes(&self.budget, bytes)? };
        let held = Arc::new(held);
        let spilling = stream::iter(places).map(|(place, slices)| {
            let (held, spill, order) = (Arc::clone(&held), Arc::clone(&self.spill), Arc::clone(&self.order));
            blocking(move || {
                let mut rows = order.sorted(held.batches(&slices)?)?;
                let mut run = Run::default();
                while let Some(chunk) = rows.next(most)? {
                    run.push(&chunk, &spill)?;
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
        let places = mem::take(&mut self.held.places);
        let held = Arc::new(self.held);
        let known = self.order.places();
        let place = |number: u32| known[number as usize].clone();
        let held_rows = |slices| HeldRows { held: Arc::clone(&held), slices, sorted: None };
        let mut all: Vec<(Place, PlaceRows)> =
            places.into_iter().map(|(number, slices)| (place(number), PlaceRows::Held(held_rows(slices)))).collect();
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
    slices: Vec<Slice>,
    /// Nothing before they are asked for.
    sorted: Option<Sorted>,
}

impl HeldRows {
    /// How many.
    pub(super) fn len(&self) -> usize {
        rows_of(&self.slices)
    }

    /// Bytes of the copies that are made to put them in order.
    pub(super) fn copied(&self) -> usize {
        let bytes = self.len().saturating_mul(self.row_bytes());
        if self.held.is_copied(bytes) { bytes } else { 0 }
    }

    /// Bytes of a row in memory.
    pub(super) fn row_bytes(&self) -> usize {
        self.held.row_bytes()
    }

    /// The next rows; none at the end.
    pub(super) fn next(&mut self, most: Most, order: &Order) -> Result<Option<RecordBatch>, Error> {
        let sorted = match self.sorted.take() {
            Some(sorted) => sorted,
            None => order.sorted(self.held.batches(&self.slices)?)?,
        };
        self.sorted.insert(sorted).next(most)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    /// Three batches with so many rows of each of so many places; a row tells its batch, its place and its number there.
    fn held(places: u32, rows: u32) -> Held {
        let mut held = Held::new();
        for batch in 0..3 {
            let numbers = (0..places).flat_map(|place| (0..rows).map(move |row| number(batch, place, row)));
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
            let rows_of_places = (0..places).map(|place| (place, rows)).collect();
            held.push(Piece {
                rows: RecordBatch::try_from_iter([("number", numbers)]).unwrap(),
                places: rows_of_places,
            });
        }
        held
    }

    fn number(batch: u32, place: u32, row: u32) -> i64 {
        i64::from(batch * 1_000_000 + place * 1_000 + row)
    }

    fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
        batches.iter().flat_map(|rows| rows.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    #[rstest::rstest]
    #[case::little_of_what_is_held_is_copied_together(40, FEW_ROWS as u32, 1)]
    #[case::much_of_it_stays_where_it_is(2, FEW_ROWS as u32, 3)]
    #[case::few_rows_a_batch_are_copied_however_many_they_are(2, FEW_ROWS as u32 - 1, 1)]
    fn rows_of_a_place_are_those_that_came(#[case] places: u32, #[case] rows: u32, #[case] batches: usize) {
        let held = held(places, rows);
        for (place, slices) in &held.places {
            let found = held.batches(slices).unwrap();
            let expected: Vec<i64> =
                (0..3).flat_map(|batch| (0..rows).map(move |row| number(batch, *place, row))).collect();
            assert_eq!((found.len(), numbers(&found)), (batches, expected));
        }
    }
}
