//! Row groups of the files of a side, opened ahead and read several at a time within the memory for reading.

use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::LiveFile;
use tokio::sync::mpsc;

use super::Error;
use super::gate::Gate;
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
    ) -> Result<(Batches<'g, 'z>, impl Drop + use<'g>), Error> {
        let bytes = self.reader.bytes(self.number, columns);
        let entered = gate.enter(bytes, || format!("a row group of {}", self.live.file.path)).await?;
        Ok((self.reader.batches(columns, vec![self.number]).map_err(Error::File)?, entered))
    }
}
