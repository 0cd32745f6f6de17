//! The outputs: the rows of each place in files of about the target size, a bounded number of them open at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::compact::directory;
use gristmill_core::log::FileEntry;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use super::dropped::{ColumnsOfPlace, FileColumns};
use super::filter::filtered_columns;
use super::fullness::Fullness;
use super::gate::Gate;
use super::order::{Most, Order};
use super::places::Place;
use super::runs::{Merge, Run};
use super::sorting::{HeldRows, PlaceRows};
use super::spill::Spill;
use super::{Compaction, Error};
use crate::blocking::blocking;
use crate::parquet_file::{self, ClosedFile, ParquetFile};
use crate::zone::Zone;

/// Rows that are put together and written at a time.
const CHUNK_ROWS: usize = 8192;
/// Fewer if they have more bytes: a file can only be closed between two chunks.
const CHUNK_BYTES: usize = 4 << 20;
/// Fewer still in small files, so that one ends near its target.
const CHUNKS_OF_A_FILE: u64 = 16;
/// Bytes of an output that has hardly any rows.
pub(super) const LEAST_OUTPUT: usize = 64 << 10;

/// Writes the outputs.
pub(super) struct Outputs<'c> {
    compaction: &'c Compaction<'c>,
    columns: FileColumns,
    /// A stage is a name, and names are counted.
    zone: Mutex<&'c mut Zone>,
    /// Threads that sort, merge and encode: as many as there are processors.
    processors: Semaphore,
    /// Places that are sorted and encoded by turns: the others only wait for the store to close a file. A few at a time
    /// keep what their encoders look up in the caches of the processors; sixteen took a quarter more time.
    turns: Semaphore,
    merging: Gate,
    writing: Gate,
    filters: Vec<String>,
    fullness: Fullness,
}

/// The files of one place.
struct PlaceFiles {
    place: Place,
    directory: String,
    layout: parquet_file::Layout,
    columns: ColumnsOfPlace,
}

impl<'c> Outputs<'c> {
    pub(super) fn new(compaction: &'c Compaction<'c>, columns: FileColumns, zone: &'c mut Zone) -> Self {
        let (budget, plan) = (&compaction.options.budget, compaction.plan);
        Self {
            compaction,
            columns,
            zone: Mutex::new(zone),
            processors: Semaphore::new(compaction.options.threads),
            // One more: the store may be waited for in the middle of a file too.
            turns: Semaphore::new(compaction.options.threads + 1),
            merging: Gate::new(budget.sorting, budget.to_merge()),
            writing: Gate::new(budget.writing, budget.to_merge()),
            filters: filtered_columns(&plan.key, compaction.layout.file()),
            fullness: Fullness::of(plan.target_size, plan.max_records),
        }
    }

    /// The layout of files that so many rows go to.
    fn layout(&self, expected_rows: u64) -> parquet_file::Layout {
        let options = self.compaction.options;
        let layout = parquet_file::Layout {
            without_dictionary: Vec::new(),
            bloom_filters: self.filters.clone(),
            expected_rows,
            row_group_bytes: options.row_group_bytes,
            compression: self.compaction.plan.compression,
        };
        // Room for as many outputs as there are threads, each with its filters.
        let of_output = options.budget.writing / options.threads;
        let row_group_bytes = of_output.saturating_sub(layout.filter_bytes()).max(of_output / 2).max(LEAST_OUTPUT);
        parquet_file::Layout { row_group_bytes: options.row_group_bytes.min(row_group_bytes), ..layout }
    }

    /// Writes the rows of all places; the entries of the files.
    pub(super) async fn write(
        self,
        places: Vec<(Place, PlaceRows)>,
        order: &Arc<Order>,
    ) -> Result<Vec<FileEntry>, Error> {
        let outputs = &self;
        let writing = stream::iter(places).map(|(place, rows)| outputs.write_place(place, rows, order));
        let files: Vec<Vec<FileEntry>> =
            writing.buffer_unordered(self.compaction.options.open_files).try_collect().await?;
        Ok(files.into_iter().flatten().collect())
    }

    async fn write_place(&self, place: Place, rows: PlaceRows, order: &Arc<Order>) -> Result<Vec<FileEntry>, Error> {
        let directory = directory(&place.values).map_err(Error::Directory)?;
        let columns = self.columns.of(&place)?;
        let (count, row_bytes) = size_of_place(&rows);
        let merged = match &rows {
            PlaceRows::Held(_) => 0,
            PlaceRows::Spilled(runs) => runs.iter().map(Run::chunk_bytes).sum::<usize>() * 2,
        };
        let _merging = self.merging.enter_clamped(merged).await;
        let layout = self.layout(count as u64);
        let copied = match &rows {
            PlaceRows::Held(rows) => rows.copied(),
            PlaceRows::Spilled(_) => 0,
        };
        let memory = layout.row_group_bytes.min(count.saturating_mul(row_bytes)) + layout.filter_bytes() + copied;
        let _writing = self.writing.enter_clamped(memory.max(LEAST_OUTPUT)).await;
        let to = PlaceFiles { place, directory, layout, columns };
        let mut rows = Source::of(rows, order, &self.compaction.spill);
        let most = self.chunk();
        // Behind the gates: nobody who has a turn waits there for memory of one who waits for a turn.
        let mut turn = self.turn().await;
        let (mut files, mut open): (Vec<FileEntry>, Option<ParquetFile>) = (Vec::new(), None);
        let mut next = self.next(&mut rows, most).await?;
        while let Some(mut chunk) = next {
            // A chunk has no more rows than a file: it ends this one, or goes on in another.
            let room = self.most_rows() - open.as_ref().map_or(0, |file| usize::try_from(file.rows()).unwrap_or(0));
            if chunk.num_rows() > room {
                let last = chunk.slice(0, room);
                chunk = chunk.slice(room, chunk.num_rows() - room);
                let file = self.write_chunk(open.take(), last, &to).await?;
                files.push(self.close(file, &to, turn).await?);
                turn = self.turn().await;
            }
            // The next rows are put together while these are encoded.
            let (written, following) =
                tokio::join!(self.write_chunk(open.take(), chunk, &to), self.next(&mut rows, most));
            let (file, is_full) = self.fullness.judge(written?, &self.processors).await?;
            next = following?;
            if is_full && next.is_some() {
                files.push(self.close(file, &to, turn).await?);
                turn = self.turn().await;
            } else {
                open = Some(file);
            }
        }
        if let Some(file) = open {
            files.push(self.close(file, &to, turn).await?);
        }
        Ok(files)
    }

    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("nobody closes it")
    }

    /// What is put together at a time.
    fn chunk(&self) -> Most {
        Most { rows: self.most_rows().min(CHUNK_ROWS), bytes: chunk_bytes(self.compaction.plan.target_size) }
    }

    /// Rows of a file at the most.
    fn most_rows(&self) -> usize {
        self.compaction.plan.max_records.map_or(usize::MAX, |rows| usize::try_from(rows).unwrap_or(usize::MAX))
    }

    async fn next(&self, rows: &mut Option<Source>, most: Most) -> Result<Option<RecordBatch>, Error> {
        let Some(mut source) = rows.take() else { return Ok(None) };
        let _processor = self.processors.acquire().await.expect("nobody closes it");
        let (source, chunk) = blocking(move || {
            let chunk = source.next(most);
            (source, chunk)
        })
        .await;
        *rows = Some(source);
        chunk
    }

    async fn write_chunk(
        &self,
        file: Option<ParquetFile>,
        chunk: RecordBatch,
        to: &PlaceFiles,
    ) -> Result<ParquetFile, Error> {
        let chunk = to.columns.project(chunk)?;
        let mut file = match file {
            Some(file) => file,
            None => self.create(to, &chunk).await?,
        };
        self.compaction.options.progress.add(chunk.num_rows());
        let processor = self.processors.acquire().await.expect("nobody closes it");
        let (mut file, encoded) = blocking(move || {
            let encoded = file.encode(&chunk);
            (file, encoded)
        })
        .await;
        drop(processor);
        encoded.map_err(Error::File)?;
        file.hand_over().await.map_err(Error::File)?;
        Ok(file)
    }

    async fn create(&self, to: &PlaceFiles, first: &RecordBatch) -> Result<ParquetFile, Error> {
        let staged = self.zone.lock().await.stage().await.map_err(Error::Zone)?;
        ParquetFile::create(staged, Arc::clone(&to.columns.schema), &to.layout.beginning_with(first))
            .map_err(Error::File)
    }

    /// Closes a file; once it is encoded the turn is another's.
    async fn close(
        &self,
        mut file: ParquetFile,
        to: &PlaceFiles,
        turn: SemaphorePermit<'_>,
    ) -> Result<FileEntry, Error> {
        let processor = self.processors.acquire().await.expect("nobody closes it");
        let (file, completed) = blocking(move || {
            let completed = file.complete();
            (file, completed)
        })
        .await;
        drop((processor, turn));
        completed.map_err(Error::File)?;
        let ClosedFile { staged, rows } = file.close_completed().await.map_err(Error::File)?;
        let PlaceFiles { place, directory, columns, layout: _ } = to;
        let entry = staged.into_processed(place.bucket, directory, place.values.clone(), rows, columns.id.clone());
        Ok(entry.expect("an encoded directory has plain names only"))
    }
}

/// Bytes of rows that go into a file of this size at a time.
pub(super) fn chunk_bytes(target: u64) -> usize {
    usize::try_from(target / CHUNKS_OF_A_FILE).map_or(CHUNK_BYTES, |bytes| bytes.min(CHUNK_BYTES))
}

/// Rows of a place, and bytes of each in memory.
fn size_of_place(rows: &PlaceRows) -> (usize, usize) {
    match rows {
        PlaceRows::Held(rows) => (rows.len(), rows.row_bytes()),
        PlaceRows::Spilled(runs) => {
            let rows: u64 = runs.iter().map(Run::rows).sum();
            let bytes: usize = runs.iter().map(Run::bytes).sum();
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            (rows, bytes / rows.max(1))
        }
    }
}

/// The rows of a place, in order.
enum Source {
    Held(HeldRows, Arc<Order>),
    /// Runs that are not opened yet.
    Runs(Vec<Run>, Arc<Order>, Arc<Spill>),
    Merge(Merge),
}

impl Source {
    fn of(rows: PlaceRows, order: &Arc<Order>, spill: &Arc<Spill>) -> Option<Self> {
        Some(match rows {
            PlaceRows::Held(rows) => Self::Held(rows, Arc::clone(order)),
            PlaceRows::Spilled(runs) => Self::Runs(runs, Arc::clone(order), Arc::clone(spill)),
        })
    }

    fn next(&mut self, most: Most) -> Result<Option<RecordBatch>, Error> {
        if let Self::Runs(runs, order, spill) = self {
            *self = Self::Merge(Merge::of(std::mem::take(runs), Arc::clone(order), Arc::clone(spill))?);
        }
        match self {
            Self::Held(rows, order) => rows.next(most, order),
            Self::Merge(merge) => merge.next(most),
            Self::Runs(..) => Ok(None),
        }
    }
}
