//! Row groups of the files of a side, opened ahead and read several at a time within the memory for reading.

use std::ops::Range;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use gristmill_core::log::LiveFile;

use super::Error;
use super::gate::Gate;
use crate::parquet_file::{Batches, ParquetReader};
use crate::zone::ZoneReader;

/// Files that are opened ahead: each holds the end of its file in memory, and hides the latency of HDFS.
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

/// The row groups of files that are told by their number.
pub(super) fn groups<'z>(
    zone: &'z ZoneReader,
    files: &'z [LiveFile],
    numbers: impl IntoIterator<Item = u32>,
) -> impl Stream<Item = Result<Group<'z>, Error>> {
    stream::iter(numbers)
        .map(move |file| async move {
            let live = files.get(file as usize).expect("numbers come from these files");
            let reader = Arc::new(ParquetReader::open(zone, &live.file).await.map_err(Error::File)?);
            let groups = reader
                .row_groups()
                .into_iter()
                .enumerate()
                .map(move |(number, rows)| Ok(Group { reader: Arc::clone(&reader), live, file, number, rows }));
            Ok::<_, Error>(stream::iter(groups.collect::<Vec<_>>()))
        })
        .buffered(OPENED_AHEAD)
        .try_flatten()
}

impl<'z> Group<'z> {
    /// Begins to read columns, when there is memory for them.
    pub(super) async fn batches<'g>(
        &'g self,
        columns: &[&str],
        gate: &'g Gate,
    ) -> Result<(Batches<'g, 'z>, impl Drop + use<'g>), Error> {
        let bytes = self.reader.bytes(self.number, columns);
        let entered = gate.enter(bytes, || format!("a row group of {}", self.live.file.path)).await?;
        Ok((self.reader.batches(columns, vec![self.number]).map_err(Error::File)?, entered))
    }
}
