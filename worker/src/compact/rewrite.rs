//! Pass 2: the rows that win and the rest of the files that they replace rows of, one partition value after the other.
//!
//! Rows are put in order of their partition value first, so that one output is open at a time whatever the number of
//! values is (F35).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::row::{RowConverter, Rows, SortField};
use futures::future::try_join_all;
use gristmill_core::compact::{directory, partition_value};
use gristmill_core::log::{FileEntry, LiveFile, PartitionValue};
use gristmill_core::raw::schema_id;

use super::filter::filtered_columns;
use super::selection::{self, Selection, by_file, file_of};
use super::{Compaction, Decided, Error};
use crate::parquet_file::{self, ClosedFile, ParquetFile};
use crate::zone::Zone;

/// Rows that are put together and written at a time.
const CHUNK_ROWS: usize = 8192;

/// Outputs that are closed side by side: closing one takes HDFS half a second, nearly all of it waiting.
const CLOSED_TOGETHER: usize = 16;

/// Bytes that outputs hold in memory until they are closed.
const HELD_BYTES: usize = 64 << 20;

/// What is written and from what.
pub(super) struct Rewrite<'c> {
    pub(super) compaction: &'c Compaction<'c>,
    pub(super) decided: &'c Decided,
}

/// Everything of one partition value.
#[derive(Default)]
struct Group {
    /// Winners: batch and row.
    winners: Vec<(usize, usize)>,
    /// Files of the zone of which rows leave, by their number.
    replaced: BTreeMap<u32, Vec<u32>>,
}

type Groups = BTreeMap<Vec<PartitionValue>, Group>;

/// Rows of one batch and their partition value.
type Part = (Vec<PartitionValue>, Vec<usize>);

impl Rewrite<'_> {
    /// Writes the outputs; the files added and those removed.
    pub(super) async fn write(&self, zone: &mut Zone) -> Result<(Vec<FileEntry>, Vec<FileEntry>), Error> {
        let winners = self.winners().await?;
        let (mut outputs, mut removed) = (Outputs::new(schema_id(self.compaction.layout.file())), Vec::new());
        for (partition, group) in self.groups(&winners)? {
            let mut rows = interleaved(&winners, &group.winners)?;
            for (file, leaving) in group.replaced {
                let live = file_of(&self.compaction.run.zone, file);
                rows.extend(self.remaining(zone, live, leaving).await?);
                removed.push(live.file.clone());
            }
            self.write_partition(zone, partition, &rows, &mut outputs).await?;
        }
        Ok((outputs.close().await?, removed))
    }

    /// The rows of the delta that are written, whole.
    async fn winners(&self) -> Result<Vec<RecordBatch>, Error> {
        let Compaction { run, raw, layout, .. } = self.compaction;
        let mut batches = Vec::new();
        for (file, rows) in by_file(self.decided.winners.iter().copied()) {
            let live = file_of(&run.delta, file);
            let selection = Selection::of(rows, live.file.rows);
            batches.extend(selection::read(raw, live, layout.rows(), &selection).await?);
        }
        Ok(batches)
    }

    /// What remains of a file of the zone.
    async fn remaining(&self, zone: &Zone, live: &LiveFile, leaving: Vec<u32>) -> Result<Vec<RecordBatch>, Error> {
        let selection = Selection::without(leaving, live.file.rows);
        selection::read(zone.reader(), live, self.compaction.layout.rows(), &selection).await
    }

    fn groups(&self, winners: &[RecordBatch]) -> Result<Groups, Error> {
        let mut groups = Groups::new();
        for (file, rows) in by_file(self.decided.replaced.iter().copied()) {
            let partition = file_of(&self.compaction.run.zone, file).file.partition.clone().unwrap_or_default();
            groups.entry(partition).or_default().replaced.insert(file, rows);
        }
        for (number, batch) in winners.iter().enumerate() {
            for (partition, rows) in self.split(batch)? {
                let group = groups.entry(partition).or_default();
                group.winners.extend(rows.into_iter().map(|row| (number, row)));
            }
        }
        Ok(groups)
    }

    /// The rows of a batch by partition value.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<Part>, Error> {
        let columns = &self.compaction.plan.partition_by;
        let keys = sortable(batch, columns, "split rows by partition")?;
        let mut rows: Vec<usize> = (0..batch.num_rows()).collect();
        rows.sort_by(|a, b| keys.row(*a).cmp(&keys.row(*b)));
        rows.chunk_by(|a, b| keys.row(*a) == keys.row(*b))
            .map(|rows| {
                let value = |name: &String| {
                    let column = batch.column_by_name(name).expect("a partition column is a column");
                    partition_value(name, column, rows[0]).map_err(Error::Directory)
                };
                Ok((columns.iter().map(value).collect::<Result<_, _>>()?, rows.to_vec()))
            })
            .collect()
    }

    /// Sorts the rows of one partition value by key and writes them.
    async fn write_partition(
        &self,
        zone: &mut Zone,
        partition: Vec<PartitionValue>,
        rows: &[RecordBatch],
        outputs: &mut Outputs,
    ) -> Result<(), Error> {
        let Compaction { layout, plan, options, .. } = self.compaction;
        let directory = directory(&partition).map_err(Error::Directory)?;
        let file_layout = parquet_file::Layout {
            bloom_filters: filtered_columns(&plan.key, layout.file()),
            expected_rows: rows.iter().map(|batch| batch.num_rows() as u64).sum(),
            row_group_bytes: options.row_group_bytes,
            ..parquet_file::Layout::default()
        };
        let sorted = self.sorted(rows)?;
        let batches: Vec<RecordBatch> = rows
            .iter()
            .map(|batch| batch.project(layout.file_columns()).expect("a file's columns are those of a row"))
            .collect();
        let place = Arc::new(Place { directory, partition });
        let mut open: Option<ParquetFile> = None;
        for chunk in sorted.chunks(CHUNK_ROWS) {
            let mut file = match open.take() {
                Some(file) => file,
                None => {
                    let staged = zone.stage().await.map_err(Error::Zone)?;
                    ParquetFile::create(staged, Arc::clone(layout.file()), &file_layout).map_err(Error::File)?
                }
            };
            file.write(&interleave(&batches, chunk)?).await.map_err(Error::File)?;
            if file.bytes() >= options.target_bytes {
                outputs.add(file, &place).await?;
            } else {
                open = Some(file);
            }
        }
        match open {
            Some(file) => outputs.add(file, &place).await,
            None => Ok(()),
        }
    }

    /// The rows of several batches in the order of their key.
    fn sorted(&self, batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>, Error> {
        let act = "sort rows by key";
        let keys: Vec<Rows> =
            batches.iter().map(|batch| sortable(batch, &self.compaction.plan.key, act)).collect::<Result<_, _>>()?;
        let rows = |(number, batch): (usize, &RecordBatch)| (0..batch.num_rows()).map(move |row| (number, row));
        let mut order: Vec<(usize, usize)> = batches.iter().enumerate().flat_map(rows).collect();
        order.sort_by(|a, b| keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)));
        Ok(order)
    }
}

/// Where an output belongs.
struct Place {
    directory: String,
    partition: Vec<PartitionValue>,
}

/// Outputs that are written and not yet closed, and the entries of those that are.
struct Outputs {
    schema: String,
    waiting: Vec<(ParquetFile, Arc<Place>)>,
    closed: Vec<FileEntry>,
}

impl Outputs {
    fn new(schema: String) -> Self {
        Self { schema, waiting: Vec::new(), closed: Vec::new() }
    }

    /// Takes an output that is complete; closes all when enough wait.
    async fn add(&mut self, file: ParquetFile, place: &Arc<Place>) -> Result<(), Error> {
        self.waiting.push((file, Arc::clone(place)));
        let held: usize = self.waiting.iter().map(|(file, _)| file.memory()).sum();
        if self.waiting.len() < CLOSED_TOGETHER && held < HELD_BYTES { Ok(()) } else { self.close_waiting().await }
    }

    /// Closes what waits; the entries of all outputs.
    async fn close(mut self) -> Result<Vec<FileEntry>, Error> {
        self.close_waiting().await?;
        Ok(self.closed)
    }

    async fn close_waiting(&mut self) -> Result<(), Error> {
        let closing = self.waiting.drain(..).map(async |(file, place)| {
            let ClosedFile { staged, rows } = file.close().await.map_err(Error::File)?;
            let entry = staged.into_processed(&place.directory, place.partition.clone(), rows, self.schema.clone());
            Ok(entry.expect("an encoded directory has plain names only"))
        });
        self.closed.extend(try_join_all(closing).await?);
        Ok(())
    }
}

/// Columns of a batch as rows of bytes that compare as the values do.
fn sortable(batch: &RecordBatch, names: &[String], act: &'static str) -> Result<Rows, Error> {
    let columns: Vec<ArrayRef> = names.iter().filter_map(|name| batch.column_by_name(name).cloned()).collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(|source| Error::Arrow { act, source })?;
    converter.convert_columns(&columns).map_err(|source| Error::Arrow { act, source })
}

fn interleave(batches: &[RecordBatch], rows: &[(usize, usize)]) -> Result<RecordBatch, Error> {
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    interleave_record_batch(&batches, rows).map_err(|source| Error::Arrow { act: "put rows in order", source })
}

/// Rows of several batches, chunk by chunk.
fn interleaved(batches: &[RecordBatch], rows: &[(usize, usize)]) -> Result<Vec<RecordBatch>, Error> {
    rows.chunks(CHUNK_ROWS).map(|chunk| interleave(batches, chunk)).collect()
}
