//! Sorted rows of one place that were spilled, and their merge.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::Rows;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

use super::order::{Most, Order, failed};
use super::row_bytes::RowBytes;
use super::sort_key::first_bytes;
use super::spill::{Extent, Spill};
use super::{Budget, Error};

/// Rows are spilled in chunks of this size, unless that would be too much to hold of each run when they are merged.
const USUAL_CHUNK: usize = 512 << 10;
/// Smaller ones cost more to find than to read.
const LEAST_CHUNK: usize = 16 << 10;
/// How much of the memory of a merge its chunks may be: what was merged is held until it is written.
const OF_MEMORY: usize = 4;

/// Bytes of a chunk, if `total` bytes are sorted in the memory for it.
///
/// # Errors
/// There are so many runs that not one chunk of each would fit.
pub(super) fn chunk_bytes(budget: &Budget, total: usize) -> Result<usize, Error> {
    let memory = budget.sorting;
    let runs = total.div_ceil(memory.max(1)).max(1);
    let chunk = memory / OF_MEMORY / runs;
    // Fewer runs of larger chunks: the memory that is needed grows with the root of the rows.
    let enough = |memory: usize| memory / OF_MEMORY / total.div_ceil(memory).max(1) >= LEAST_CHUNK;
    // So little memory is a test's; a chunk is a row there.
    if chunk >= LEAST_CHUNK || memory < LEAST_CHUNK {
        return Ok(chunk.min(USUAL_CHUNK));
    }
    let mut needed = memory;
    while !enough(needed) {
        needed = needed.saturating_add(needed / 8);
    }
    Err(Error::Memory {
        what: format!("the order of {} MiB of rows", total >> 20),
        needed: needed as u64,
        share: memory as u64,
        memory: budget.to_merge().of(needed),
    })
}

/// Rows of one place that were spilled, in order.
#[derive(Debug, Default)]
pub(super) struct Run {
    chunks: VecDeque<Extent>,
    rows: u64,
}

impl Run {
    /// Appends rows that come after those before.
    pub(super) fn push(&mut self, rows: &RecordBatch, spill: &Spill) -> Result<(), Error> {
        let act = |source| Error::Arrow { act: "write rows that do not fit into memory", source };
        let mut bytes = Vec::with_capacity(rows.get_array_memory_size());
        let mut writer = StreamWriter::try_new(&mut bytes, &rows.schema()).map_err(act)?;
        writer.write(rows).and_then(|()| writer.finish()).map_err(act)?;
        drop(writer);
        self.chunks.push_back(spill.append(&bytes).map_err(Error::Spill)?);
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// How many rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(Extent::len).sum()
    }

    /// Bytes of its largest chunk.
    pub(super) fn chunk_bytes(&self) -> usize {
        self.chunks.iter().map(Extent::len).max().unwrap_or(0)
    }

    fn next(&mut self, spill: &Spill) -> Result<Option<RecordBatch>, Error> {
        let Some(extent) = self.chunks.pop_front() else { return Ok(None) };
        let act = |source| Error::Arrow { act: "read rows that did not fit into memory", source };
        let bytes = spill.read(extent).map_err(Error::Spill)?;
        StreamReader::try_new(bytes.as_slice(), None).and_then(|mut chunks| chunks.next().transpose()).map_err(act)
    }
}

/// Several runs as one.
pub(super) struct Merge {
    order: Arc<Order>,
    spill: Arc<Spill>,
    runs: Vec<Cursor>,
    /// Runs with rows left, by their number, as a heap: the one with the least row is the first.
    heap: Vec<usize>,
}

/// Where a merge is in one run.
struct Cursor {
    run: Run,
    rows: RecordBatch,
    bytes: RowBytes,
    keys: Rows,
    row: usize,
    first_bytes: [u64; 2],
}

impl Cursor {
    fn open(mut run: Run, order: &Order, spill: &Spill) -> Result<Option<Self>, Error> {
        let Some(rows) = run.next(spill)? else { return Ok(None) };
        let keys = order.keys(&rows)?;
        let first_bytes = first_bytes(keys.row(0).data());
        let bytes = RowBytes::of(&rows);
        Ok(Some(Self { run, rows, bytes, keys, row: 0, first_bytes }))
    }

    fn is_before(&self, other: &Self) -> bool {
        let whole = || self.keys.row(self.row).cmp(&other.keys.row(other.row));
        self.first_bytes.cmp(&other.first_bytes).then_with(whole).is_lt()
    }

    /// Goes on to the next row; whether there is none in this chunk.
    fn advance(&mut self) -> bool {
        self.row += 1;
        if self.row < self.rows.num_rows() {
            self.first_bytes = first_bytes(self.keys.row(self.row).data());
            return false;
        }
        true
    }

    /// Reads the next chunk; whether there was one.
    fn refill(&mut self, order: &Order, spill: &Spill) -> Result<bool, Error> {
        let Some(rows) = self.run.next(spill)? else { return Ok(false) };
        self.keys = order.keys(&rows)?;
        self.bytes = RowBytes::of(&rows);
        (self.rows, self.row) = (rows, 0);
        self.first_bytes = first_bytes(self.keys.row(0).data());
        Ok(true)
    }
}

impl Merge {
    pub(super) fn of(runs: Vec<Run>, order: Arc<Order>, spill: Arc<Spill>) -> Result<Self, Error> {
        let cursors = runs.into_iter().map(|run| Cursor::open(run, &order, &spill));
        let runs: Vec<Cursor> = cursors.filter_map(Result::transpose).collect::<Result<_, Error>>()?;
        let heap: Vec<usize> = (0..runs.len()).collect();
        let mut merge = Self { order, spill, runs, heap };
        (0..merge.heap.len() / 2).rev().for_each(|node| merge.sink(node));
        Ok(merge)
    }

    /// The next rows; none at the end.
    pub(super) fn next(&mut self, most: Most) -> Result<Option<RecordBatch>, Error> {
        // A batch of each run, and those that the rows of this chunk are in but that are used up.
        let mut batches: Vec<RecordBatch> = self.runs.iter().map(|cursor| cursor.rows.clone()).collect();
        let mut place: Vec<usize> = (0..self.runs.len()).collect();
        let (mut rows, mut bytes): (Vec<(usize, usize)>, usize) = (Vec::with_capacity(most.rows), 0);
        while rows.len() < most.rows
            && let Some(first) = self.heap.first().copied()
        {
            let cursor = &mut self.runs[first];
            bytes += cursor.bytes.row(cursor.row);
            if bytes > most.bytes && !rows.is_empty() {
                break;
            }
            rows.push((place[first], cursor.row));
            if cursor.advance() {
                if cursor.refill(&self.order, &self.spill)? {
                    place[first] = batches.len();
                    batches.push(cursor.rows.clone());
                } else {
                    self.heap.swap_remove(0);
                }
            }
            self.sink(0);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let merged = interleave_record_batch(&batches, &rows);
        merged.map(Some).map_err(failed)
    }

    /// Moves a node of the heap down to where it belongs.
    fn sink(&mut self, mut node: usize) {
        loop {
            let is_before = |a: usize, b: usize| self.runs[self.heap[a]].is_before(&self.runs[self.heap[b]]);
            let children = [2 * node + 1, 2 * node + 2].into_iter().filter(|child| *child < self.heap.len());
            let least = children.fold(node, |least, child| if is_before(child, least) { child } else { least });
            if least == node {
                return;
            }
            self.heap.swap(node, least);
            node = least;
        }
    }
}
