//! Pass 1: key, order and coordinates of the delta's rows, and of the zone's rows that have one of their keys.

use std::collections::HashSet;
use std::ops::Range;

use arrow::datatypes::SchemaRef;
use gristmill_core::compact::{Contender, ContenderReader, KeyHash, Origin, Side};
use gristmill_core::log::LiveFile;

use super::filter::DeltaKeys;
use super::selection::conformed;
use super::{Compaction, Error};
use crate::parquet_file::ParquetReader;
use crate::zone::ZoneReader;

/// The rows that take part.
pub(super) struct Scan<'c> {
    compaction: &'c Compaction<'c>,
    reader: ContenderReader,
    columns: SchemaRef,
    keys: DeltaKeys,
    /// What has been read so far.
    pub(super) contenders: Vec<Contender>,
}

/// A row group of a file of one side.
struct Group<'f> {
    live: &'f LiveFile,
    side: Side,
    file: u32,
    number: usize,
    rows: Range<usize>,
}

impl<'c> Scan<'c> {
    pub(super) fn new(compaction: &'c Compaction<'c>, reader: ContenderReader) -> Result<Self, Error> {
        let columns = compaction
            .layout
            .select(&reader.columns())
            .map_err(|source| Error::Column { path: compaction.plan.processed_path.clone(), source })?;
        let keys = DeltaKeys::new(&compaction.plan.key);
        Ok(Self { compaction, reader, columns, keys, contenders: Vec::new() })
    }

    /// Reads every row of the delta.
    pub(super) async fn delta(&mut self) -> Result<(), Error> {
        let files = &self.compaction.run.delta;
        let rows: u64 = files.iter().map(|live| live.file.rows).sum();
        self.contenders.reserve_exact(usize::try_from(rows).unwrap_or(0));
        for (file, live) in (0..).zip(files) {
            let reader = ParquetReader::open(self.compaction.raw, &live.file).await.map_err(Error::File)?;
            for (number, rows) in reader.row_groups().into_iter().enumerate() {
                let group = Group { live, side: Side::Delta, file, number, rows };
                self.read(&reader, &group, |_| true).await?;
            }
        }
        Ok(())
    }

    /// Reads the rows of the zone that have a key of the delta, in the row groups that may hold one.
    pub(super) async fn zone(&mut self, zone: &ZoneReader) -> Result<(), Error> {
        let files = &self.compaction.run.zone;
        if files.is_empty() {
            return Ok(());
        }
        let keys: HashSet<KeyHash> = self.contenders.iter().map(|contender| contender.key).collect();
        for (file, live) in (0..).zip(files) {
            let reader = ParquetReader::open(zone, &live.file).await.map_err(Error::File)?;
            for (number, rows) in reader.row_groups().into_iter().enumerate() {
                if self.keys.may_be_in(&reader, number).await? {
                    let group = Group { live, side: Side::Zone, file, number, rows };
                    self.read(&reader, &group, |key| keys.contains(&key)).await?;
                }
            }
        }
        self.keys.forget();
        Ok(())
    }

    async fn read(
        &mut self,
        reader: &ParquetReader<'_>,
        group: &Group<'_>,
        takes_part: impl Fn(KeyHash) -> bool,
    ) -> Result<(), Error> {
        let Group { live, side, file, number, ref rows } = *group;
        let keep_keys = side == Side::Delta && !self.compaction.run.zone.is_empty();
        let columns: Vec<&str> = self.columns.fields().iter().map(|field| field.name().as_str()).collect();
        let mut batches = reader.batches(&columns, vec![number]).map_err(Error::File)?;
        let mut first = rows.start;
        while let Some(batch) = batches.next().await.map_err(Error::File)? {
            let batch = conformed(&batch, &self.columns, &live.file)?;
            let origin = Origin { side, file, first_row: u32::try_from(first).expect("a file's rows fit a u32") };
            self.reader
                .read(&batch, origin, &takes_part, &mut self.contenders)
                .map_err(|source| Error::Column { path: live.file.path.to_string(), source })?;
            if keep_keys {
                self.keys.add(&batch);
            }
            first += batch.num_rows();
        }
        Ok(())
    }
}
