//! Some rows of some files, read in the order of the file.

use std::collections::BTreeMap;

use arrow::array::{BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use gristmill_core::compact::{RowAddress, conform};
use gristmill_core::log::{FileEntry, LiveFile};

use super::Error;
use crate::parquet_file::ParquetReader;
use crate::zone::ZoneReader;

/// Rows of one file.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    mask: BooleanArray,
}

impl Selection {
    /// These rows of a file of `length` rows.
    pub(super) fn of(rows: impl IntoIterator<Item = u32>, length: u64) -> Self {
        let length = usize::try_from(length).expect("a file's rows fit a u32");
        let mut mask = BooleanBufferBuilder::new(length);
        mask.append_n(length, false);
        rows.into_iter().for_each(|row| mask.set_bit(row as usize, true));
        Self { mask: BooleanArray::new(mask.finish(), None) }
    }

    /// All rows of a file but these.
    pub(super) fn without(rows: impl IntoIterator<Item = u32>, length: u64) -> Self {
        let Self { mask } = Self::of(rows, length);
        let (rows, _) = mask.into_parts();
        Self { mask: BooleanArray::new(!&rows, None) }
    }
}

/// Rows of a side by the number of their file.
pub(super) fn by_file(rows: impl IntoIterator<Item = RowAddress>) -> BTreeMap<u32, Vec<u32>> {
    let mut files: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for RowAddress { file, row } in rows {
        files.entry(file).or_default().push(row);
    }
    files
}

/// Reads the selected rows of a live file in the form of `target`; row groups without any are not fetched.
pub(super) async fn read(
    zone: &ZoneReader,
    live: &LiveFile,
    target: &SchemaRef,
    selection: &Selection,
) -> Result<Vec<RecordBatch>, Error> {
    let file = &live.file;
    let columns: Vec<&str> = target.fields().iter().map(|field| field.name().as_str()).collect();
    let reader = ParquetReader::open(zone, file).await.map_err(Error::File)?;
    let mut selected = Vec::new();
    for (group, rows) in reader.row_groups().into_iter().enumerate() {
        let in_group = selection.mask.slice(rows.start, rows.len());
        if in_group.true_count() == 0 {
            continue;
        }
        let mut batches = reader.batches(&columns, vec![group]).map_err(Error::File)?;
        let mut first = 0;
        while let Some(batch) = batches.next().await.map_err(Error::File)? {
            let mask = in_group.slice(first, batch.num_rows());
            first += batch.num_rows();
            let rows =
                filter_record_batch(&batch, &mask).map_err(|source| Error::Arrow { act: "select rows", source })?;
            if rows.num_rows() > 0 {
                selected.push(conformed(&rows, target, file)?);
            }
        }
    }
    Ok(selected)
}

/// Rows of a file in the form of `target`.
pub(super) fn conformed(batch: &RecordBatch, target: &SchemaRef, file: &FileEntry) -> Result<RecordBatch, Error> {
    let partition = file.partition.as_deref().unwrap_or_default();
    conform(batch, target, partition).map_err(|source| Error::Column { path: file.path.to_string(), source })
}

/// The files of a side in the form that numbers address.
pub(super) fn file_of(files: &[LiveFile], number: u32) -> &LiveFile {
    files.get(number as usize).expect("addresses come from these files")
}
