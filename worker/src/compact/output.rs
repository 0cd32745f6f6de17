//! The outputs: the rows of each place in files of about the target size, a bounded number of them open at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::compact::directory;
use gristmill_core::log::FileEntry;
use gristmill_core::raw::schema_id;
use tokio::sync::{Mutex, Semaphore};

use super::filter::filtered_columns;
use super::gate::Gate;
use super::places::Place;
use super::runs::{Merge, Run};
use super::sorting::{HeldRows, Order, PlaceRows};
use super::spill::Spill;
use super::{Budget, Compaction, Error};
use crate::blocking::blocking;
use crate::parquet_file::{self, ClosedFile, ParquetFile};
use crate::zone::Zone;

/// Rows that are put together and written at a time.
const CHUNK_ROWS: usize = 8192;
/// Fewer if they have more bytes: a file can only be closed between two chunks.
const CHUNK_BYTES: usize = 4 << 20;
/// Fewer still in small files, so that one ends near its target.
const CHUNKS_OF_A_FILE: u64 = 16;
/// Bytes that a bloom filter takes for a row, at most: it is folded to what its rows need when it is written.
const FILTER_BYTES: usize = 4;
/// Rows that a filter is made for at the most.
const FILTER_ROWS: usize = parquet::file::properties::DEFAULT_BLOOM_FILTER_NDV as usize;
/// Bytes of an output that has hardly any rows.
pub(super) const LEAST_OUTPUT: usize = 64 << 10;

/// Writes the outputs.
pub(super) struct Outputs<'c> {
    compaction: &'c Compaction<'c>,
    order: Arc<Order>,
    spill: Arc<Spill>,
    /// A stage is a name, and names are counted.
    zone: Mutex<&'c mut Zone>,
    /// Threads that sort, merge and encode: as many as there are processors.
    processors: Semaphore,
    merging: Gate,
    writing: Gate,
    schema: String,
    filters: Vec<String>,
    row_group_bytes: usize,
}

impl<'c> Outputs<'c> {
    pub(super) fn new(compaction: &'c Compaction<'c>, order: Arc<Order>, zone: &'c mut Zone) -> Self {
        let options = compaction.options;
        let filters = filtered_columns(&compaction.plan.key, compaction.layout.file());
        let in_filters = filters.len() * FILTER_ROWS * FILTER_BYTES;
        let writing = options.budget.writing;
        // Room for as many outputs as there are threads, each with its filters.
        let row_group_bytes = (writing / options.threads).saturating_sub(in_filters).max(writing / options.threads / 2);
        Self {
            compaction,
            order,
            spill: Arc::clone(&compaction.spill),
            zone: Mutex::new(zone),
            processors: Semaphore::new(options.threads),
            merging: Gate::new(options.budget.sorting, Budget::to_merge),
            writing: Gate::new(writing, Budget::to_merge),
            schema: schema_id(compaction.layout.file()),
            filters,
            row_group_bytes: options.row_group_bytes.min(row_group_bytes.max(LEAST_OUTPUT)),
        }
    }

    /// Writes the rows of all places; the entries of the files.
    pub(super) async fn write(self, places: Vec<(Place, PlaceRows)>) -> Result<Vec<FileEntry>, Error> {
        let outputs = &self;
        let writing = stream::iter(places).map(|(place, rows)| outputs.write_place(place, rows));
        let files: Vec<Vec<FileEntry>> =
            writing.buffer_unordered(self.compaction.options.open_files).try_collect().await?;
        Ok(files.into_iter().flatten().collect())
    }

    async fn write_place(&self, place: Place, rows: PlaceRows) -> Result<Vec<FileEntry>, Error> {
        let directory = directory(&place.values).map_err(Error::Directory)?;
        let (count, row_bytes) = size_of_place(&rows);
        let merged = match &rows {
            PlaceRows::Held(_) => 0,
            PlaceRows::Spilled(runs) => runs.iter().map(Run::chunk_bytes).sum::<usize>() * 2,
        };
        let _merging = self.merging.enter_clamped(merged).await;
        let filters = self.filters.len() * count.min(FILTER_ROWS) * FILTER_BYTES;
        let memory = self.row_group_bytes.min(count.saturating_mul(row_bytes)) + filters;
        let _writing = self.writing.enter_clamped(memory.max(LEAST_OUTPUT)).await;
        let mut rows = Source::of(rows, &self.order, &self.spill);
        let target = self.compaction.plan.target_size;
        let chunk_bytes = usize::try_from(target / CHUNKS_OF_A_FILE).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let chunk_rows = (chunk_bytes / row_bytes.max(1)).clamp(1, self.most_rows().min(CHUNK_ROWS));
        let (mut files, mut open): (Vec<FileEntry>, Option<ParquetFile>) = (Vec::new(), None);
        let mut next = self.next(&mut rows, chunk_rows).await?;
        while let Some(mut chunk) = next {
            // A chunk has no more rows than a file: it ends this one, or goes on in another.
            let room = self.most_rows() - open.as_ref().map_or(0, |file| usize::try_from(file.rows()).unwrap_or(0));
            if chunk.num_rows() > room {
                let last = chunk.slice(0, room);
                chunk = chunk.slice(room, chunk.num_rows() - room);
                let file = self.write_chunk(open.take(), last, count as u64).await?;
                files.push(self.close(file, &directory, &place).await?);
            }
            // The next rows are put together while these are encoded.
            let (written, following) =
                tokio::join!(self.write_chunk(open.take(), chunk, count as u64), self.next(&mut rows, chunk_rows));
            let file = written?;
            next = following?;
            let is_full = file.bytes() >= target || file.rows() >= self.most_rows() as u64;
            if is_full && next.is_some() {
                files.push(self.close(file, &directory, &place).await?);
            } else {
                open = Some(file);
            }
        }
        if let Some(file) = open {
            files.push(self.close(file, &directory, &place).await?);
        }
        Ok(files)
    }

    /// Rows of a file at the most.
    fn most_rows(&self) -> usize {
        self.compaction.plan.max_records.map_or(usize::MAX, |rows| usize::try_from(rows).unwrap_or(usize::MAX))
    }

    async fn next(&self, rows: &mut Option<Source>, most: usize) -> Result<Option<RecordBatch>, Error> {
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
        rows: u64,
    ) -> Result<ParquetFile, Error> {
        let mut file = match file {
            Some(file) => file,
            None => self.create(rows).await?,
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

    async fn create(&self, expected_rows: u64) -> Result<ParquetFile, Error> {
        let staged = self.zone.lock().await.stage().await.map_err(Error::Zone)?;
        let layout = parquet_file::Layout {
            bloom_filters: self.filters.clone(),
            expected_rows,
            row_group_bytes: self.row_group_bytes,
            compression: self.compaction.plan.compression,
        };
        ParquetFile::create(staged, Arc::clone(self.order.file()), &layout).map_err(Error::File)
    }

    async fn close(&self, mut file: ParquetFile, directory: &str, place: &Place) -> Result<FileEntry, Error> {
        let processor = self.processors.acquire().await.expect("nobody closes it");
        let (file, completed) = blocking(move || {
            let completed = file.complete();
            (file, completed)
        })
        .await;
        drop(processor);
        completed.map_err(Error::File)?;
        let ClosedFile { staged, rows } = file.close_completed().await.map_err(Error::File)?;
        let entry = staged.into_processed(place.bucket, directory, place.values.clone(), rows, self.schema.clone());
        Ok(entry.expect("an encoded directory has plain names only"))
    }
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
    Held(HeldRows),
    /// Runs that are not opened yet.
    Runs(Vec<Run>, Arc<Order>, Arc<Spill>),
    Merge(Merge),
}

impl Source {
    fn of(rows: PlaceRows, order: &Arc<Order>, spill: &Arc<Spill>) -> Option<Self> {
        Some(match rows {
            PlaceRows::Held(rows) => Self::Held(rows),
            PlaceRows::Spilled(runs) => Self::Runs(runs, Arc::clone(order), Arc::clone(spill)),
        })
    }

    fn next(&mut self, most: usize) -> Result<Option<RecordBatch>, Error> {
        if let Self::Runs(runs, order, spill) = self {
            *self = Self::Merge(Merge::of(std::mem::take(runs), Arc::clone(order), Arc::clone(spill))?);
        }
        match self {
            Self::Held(rows) => rows.next(most),
            Self::Merge(merge) => merge.next(most),
            Self::Runs(..) => Ok(None),
        }
    }
}
