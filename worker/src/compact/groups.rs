//! Row groups of the files of a side, opened ahead and read several at a time within the memory for reading.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::LiveFile;
use tokio::sync::{SemaphorePermit, mpsc};

use super::Error;
use super::gate::Gate;
use super::selection::{Selection, conformed};
use crate::parquet_file::{Batches, ParquetReader};
use crate::zone::ZoneReader;

/// Files that are opened at a time: each holds the end of its file in memory, and hides the latency of HDFS.
const OPENED_AHEAD: usize = 4;

/// A row group of a file of one side.
pub(super) struct Group<'z> {
    pub(super) reader: Arc<ParquetReader<'z>>,
    pub(super) live: &'z LiveFile,
    /// Number of the file in the run's list of its side.
    pub(super) file: u32,
    pub(super) number: usize,
    /// Its rows, counted through the file.
    pub(super) rows: Range<usize>,
}

/// Files of a side, told by their number.
pub(super) struct Files<'z, N> {
    pub(super) zone: &'z ZoneReader,
    pub(super) files: &'z [LiveFile],
    pub(super) numbers: N,
}

impl<'z, N: Iterator<Item = u32>> Files<'z, N> {
    /// Does `work` with each row group of the files, with so many at a time.
    ///
    /// Opening goes on by itself while row groups are read. As a part of the stream it would rest whenever enough of them
    /// are, in the middle of a request, and nobody could be sure that the store's client holds no lock there.
    pub(super) async fn for_each_group<W>(self, at_a_time: usize, work: impl Fn(Group<'z>) -> W) -> Result<(), Error>
    where
        W: Future<Output = Result<(), Error>>,
    {
        let Self { zone, files, numbers } = self;
        let (opened, mut next) = mpsc::channel(at_a_time.max(1));
        // Its sender goes with it: reading ends when there is nothing more to open.
        let opening = async move {
            let numbers = stream::iter(numbers.map(Ok::<_, Error>));
            let open = async |file: u32| {
                let live = files.get(file as usize).expect("numbers come from these files");
                let reader = Arc::new(ParquetReader::open(zone, &live.file).await.map_err(Error::File)?);
                for (number, rows) in reader.row_groups().into_iter().enumerate() {
                    let group = Group { reader: Arc::clone(&reader), live, file, number, rows };
                    if opened.send(group).await.is_err() {
                        // Nobody reads any more: reading has failed, and says so.
                        break;
                    }
                }
                Ok(())
            };
            numbers.try_for_each_concurrent(OPENED_AHEAD, open).await
        };
        let groups = stream::poll_fn(|context| next.poll_recv(context)).map(Ok);
        let reading = groups.try_for_each_concurrent(at_a_time, work);
        tokio::try_join!(opening, reading).map(|((), ())| ())
    }
}

impl<'z> Group<'z> {
    /// Begins to read columns, when there is memory for them.
    pub(super) async fn batches<'g>(
        &'g self,
        columns: &[&str],
        gate: &'g Gate,
    ) -> Result<(Batches<'g, 'z>, SemaphorePermit<'g>), Error> {
        let bytes = self.reader.memory(self.number, columns);
        let entered = gate.enter(bytes, || format!("a row group of {}", self.live.file.path)).await?;
        Ok((self.reader.batches(columns, vec![self.number]).map_err(Error::File)?, entered))
    }

    /// Begins to read some rows of the file, as far as they are in the row group, in these columns; nothing is fetched if
    /// none is.
    pub(super) async fn select<'g>(
        &'g self,
        rows: &Selection,
        columns: &SchemaRef,
        gate: &'g Gate,
    ) -> Result<SelectedRows<'g, 'z>, Error> {
        let selection = rows.slice(self.rows.start, self.rows.len());
        let names: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
        let batches = if selection.is_empty() { None } else { Some(self.batches(&names, gate).await?) };
        let (columns, live) = (Arc::clone(columns), Arc::new(self.live.clone()));
        Ok(SelectedRows { batches, columns, live, selection, start: self.rows.start, first: 0 })
    }
}

/// Some rows of a row group, batch by batch.
pub(super) struct SelectedRows<'g, 'z> {
    batches: Option<(Batches<'g, 'z>, SemaphorePermit<'g>)>,
    columns: SchemaRef,
    live: Arc<LiveFile>,
    selection: Selection,
    /// The file's row that the row group begins with.
    start: usize,
    first: usize,
}

/// Those that one batch has.
pub(super) struct SelectedBatch {
    /// All rows of it.
    pub(super) batch: RecordBatch,
    /// Which of them are meant.
    pub(super) selection: Selection,
    /// The file's row that the batch begins with.
    pub(super) first_row: u32,
    pub(super) live: Arc<LiveFile>,
}

impl SelectedRows<'_, '_> {
    /// What `work` makes of the next of them, on the thread that decodes; `None` at the end.
    pub(super) async fn next<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(SelectedBatch) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let Some((batches, _entered)) = &mut self.batches else { return Ok(None) };
        loop {
            let (columns, live, selection, work) =
                (Arc::clone(&self.columns), Arc::clone(&self.live), self.selection.clone(), work.clone());
            let first = self.first;
            let first_row = u32::try_from(self.start + first).expect("a file's rows fit a u32");
            let made = batches.next_with(move |batch| {
                let count = batch.num_rows();
                let selection = selection.slice(first, count);
                if selection.is_empty() {
                    return Ok((count, None));
                }
                let batch = conformed(&batch, &columns, &live.file)?;
                Ok::<_, Error>((count, Some(work(SelectedBatch { batch, selection, first_row, live })?)))
            });
            let Some(made) = made.await.map_err(Error::File)? else { return Ok(None) };
            let (count, made) = made?;
            self.first += count;
            if made.is_some() {
                return Ok(made);
            }
        }
    }
}
