//! Reading a live Parquet file by the ranges that are needed.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use gristmill_core::log::FileEntry;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FooterTail, PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder,
};

use super::Error;
use crate::blocking::blocking;
use crate::zone::ZoneReader;

/// Rows handed out at a time at the most: a few hundred kilobytes of a usual row, and enough for column-wise work to pay.
const BATCH_ROWS: usize = 8192;

/// Bytes of the rows handed out at a time, as they are decoded: of wide rows there are fewer. Encoded they may be a hundredth
/// of it, so that nothing else bounds them.
const BATCH_BYTES: usize = 4 << 20;

/// What is read first, in the hope that the whole footer lies in it; a file up to this length is read in one go.
const TAIL_BYTES: u64 = 256 << 10;

/// A live Parquet file, open for reading.
pub struct ParquetReader<'z> {
    zone: &'z ZoneReader,
    file: FileEntry,
    /// The end of the file from this offset on: all of it if it is short.
    tail: (u64, Bytes),
    metadata: ArrowReaderMetadata,
}

impl<'z> ParquetReader<'z> {
    /// Reads the footer of a live file.
    ///
    /// # Errors
    /// The file is lost or damaged, or the store fails.
    pub async fn open(zone: &'z ZoneReader, file: &FileEntry) -> Result<Self, Error> {
        let decode = |source| Error::Decode { path: file.path.to_string(), source };
        let start = file.bytes.saturating_sub(TAIL_BYTES);
        let tail = zone.read_range(file, start..file.bytes).await.map_err(Error::Zone)?;
        let (start, tail) = match footer_start(file.bytes, &tail).map_err(decode)? {
            footer if footer < start => (footer, zone.read_range(file, footer..file.bytes).await.map_err(Error::Zone)?),
            _ => (start, tail),
        };
        let metadata = decode_metadata(file.bytes, start, &tail).map_err(decode)?;
        check_rows(file, &metadata).map_err(decode)?;
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).map_err(decode)?;
        Ok(Self { zone, file: file.clone(), tail: (start, tail), metadata })
    }

    /// The schema of the file.
    pub fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// The rows of each row group, counted through the file.
    pub fn row_groups(&self) -> Vec<Range<usize>> {
        let rows = self.metadata.metadata().row_groups().iter().map(|group| group.num_rows());
        rows.scan(0, |first, rows| {
            let start = *first;
            *first += usize::try_from(rows).unwrap_or(0);
            Some(start..*first)
        })
        .collect()
    }

    /// Memory that reading these columns of a row group takes: the bytes of the file that hold them, which are fetched, and
    /// the rows that are handed out at a time.
    pub fn memory(&self, row_group: usize, columns: &[&str]) -> usize {
        let fetched =
            self.chunks(row_group, columns).map(|chunk| usize::try_from(chunk.compressed_size()).unwrap_or(0));
        fetched.sum::<usize>() + self.decoded(row_group, columns).min(BATCH_BYTES)
    }

    fn chunks(&self, row_group: usize, columns: &[&str]) -> impl Iterator<Item = &ColumnChunkMetaData> {
        let is_read = |chunk: &&ColumnChunkMetaData| {
            chunk.column_path().parts().first().is_some_and(|root| columns.contains(&root.as_str()))
        };
        self.metadata.metadata().row_group(row_group).columns().iter().filter(is_read)
    }

    /// Bytes of these columns of a row group as they are decoded.
    fn decoded(&self, row_group: usize, columns: &[&str]) -> usize {
        self.chunks(row_group, columns).fold(0, |sum, chunk| sum.saturating_add(decoded(chunk)))
    }

    /// Rows to hand out at a time: fewer where they are wide.
    fn batch_rows(&self, row_groups: &[usize], columns: &[&str]) -> usize {
        let fits = |row_group: &usize| {
            let rows = usize::try_from(self.metadata.metadata().row_group(*row_group).num_rows()).unwrap_or(0);
            let width = (self.decoded(*row_group, columns) / rows.max(1)).max(1);
            (BATCH_BYTES / width).clamp(1, BATCH_ROWS)
        };
        row_groups.iter().map(fits).min().unwrap_or(BATCH_ROWS)
    }

    /// Whether a column may have a null in a row group; a column that the file lacks may.
    pub fn may_have_null(&self, row_group: usize, column: &str) -> bool {
        let Ok(index) = self.schema().index_of(column) else { return true };
        let chunk = self.metadata.metadata().row_group(row_group).column(index);
        chunk.statistics().and_then(|statistics| statistics.null_count_opt()) != Some(0)
    }

    /// The bloom filter of a column in a row group; `None` if it was written without one or lacks the column.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn bloom_filter(&self, row_group: usize, column: &str) -> Result<Option<Sbbf>, Error> {
        let Ok(index) = self.schema().index_of(column) else { return Ok(None) };
        let chunk = self.metadata.metadata().row_group(row_group).column(index);
        let (Some(offset), Some(length)) = (chunk.bloom_filter_offset(), chunk.bloom_filter_length()) else {
            return Ok(None);
        };
        let (Ok(offset), Ok(length)) = (u64::try_from(offset), u64::try_from(length)) else { return Ok(None) };
        let bytes = self.fetch(offset..offset + length).await?;
        Sbbf::from_bytes(&bytes).map(Some).map_err(|source| self.decode(source))
    }

    /// Begins to read columns of row groups; a column that the file lacks is left out.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn batches(&self, columns: &[&str], row_groups: Vec<usize>) -> Result<Batches<'_, 'z>, Error> {
        let roots = columns.iter().filter_map(|column| self.schema().index_of(column).ok());
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let decoder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone())
            .with_batch_size(self.batch_rows(&row_groups, columns))
            .with_projection(mask)
            .with_row_groups(row_groups)
            .build()
            .map_err(|source| self.decode(source))?;
        Ok(Batches { reader: self, decoder: Some(decoder) })
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let (start, tail) = &self.tail;
        if range.start >= *start && range.end <= self.file.bytes {
            let within = |offset: u64| usize::try_from(offset - start).expect("the tail is in memory");
            return Ok(tail.slice(within(range.start)..within(range.end)));
        }
        self.zone.read_range(&self.file, range).await.map_err(Error::Zone)
    }

    fn decode(&self, source: ParquetError) -> Error {
        Error::Decode { path: self.file.path.to_string(), source }
    }
}

/// Rows of a live file, batch by batch in their order.
pub struct Batches<'r, 'z> {
    reader: &'r ParquetReader<'z>,
    decoder: Option<ParquetPushDecoder>,
}

impl Batches<'_, '_> {
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// The file is lost or damaged, or the store fails.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        self.next_with(|batch| batch).await
    }

    /// What `work` makes of the next rows, on the thread that decodes them; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(RecordBatch) -> T + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let mut work = work;
        loop {
            // It is away only while a thread has it; a read that was given up has no next one.
            let Some(mut decoder) = self.decoder.take() else { return Ok(None) };
            let (decoder, decoded) = blocking(move || {
                let decoded = match decoder.try_decode() {
                    Ok(DecodeResult::Data(batch)) => Decoded::Rows(work(batch)),
                    Ok(DecodeResult::NeedsData(ranges)) => Decoded::Needs(ranges, work),
                    Ok(DecodeResult::Finished) => Decoded::End,
                    Err(error) => Decoded::Failed(error),
                };
                (decoder, decoded)
            })
            .await;
            let decoder = self.decoder.insert(decoder);
            match decoded {
                Decoded::Rows(made) => return Ok(Some(made)),
                Decoded::End => return Ok(None),
                Decoded::Failed(error) => return Err(self.reader.decode(error)),
                Decoded::Needs(ranges, unused) => {
                    let mut data = Vec::with_capacity(ranges.len());
                    for range in &ranges {
                        data.push(self.reader.fetch(range.clone()).await?);
                    }
                    decoder.push_ranges(ranges, data).map_err(|source| self.reader.decode(source))?;
                    work = unused;
                }
            }
        }
    }
}

/// What one step of a decoder came to.
enum Decoded<T, W> {
    Rows(T),
    /// These bytes first; the work is still to be done.
    Needs(Vec<Range<u64>>, W),
    End,
    Failed(ParquetError),
}

/// Bytes of a column of a row group as it is decoded: those of its texts, which the writer has counted, else of its pages,
/// and at the most 16 bytes a value for numbers and places of texts.
fn decoded(chunk: &ColumnChunkMetaData) -> usize {
    let values = usize::try_from(chunk.num_values()).unwrap_or(0).saturating_mul(16);
    let texts = match chunk.column_type() {
        Type::BYTE_ARRAY => chunk.unencoded_byte_array_data_bytes().unwrap_or(chunk.uncompressed_size()),
        _ => 0,
    };
    values.saturating_add(usize::try_from(texts).unwrap_or(0))
}

/// Where the footer begins, by the last 8 bytes of the file.
fn footer_start(length: u64, tail: &Bytes) -> Result<u64, ParquetError> {
    let last: &[u8; 8] = tail.last_chunk().ok_or_else(|| ParquetError::EOF("shorter than a footer".to_owned()))?;
    let footer = FooterTail::try_new(last)?.metadata_length() as u64 + last.len() as u64;
    length.checked_sub(footer).ok_or_else(|| ParquetError::EOF("the footer is longer than the file".to_owned()))
}

/// Rows are addressed by what the log says of the file, so that it must be true.
fn check_rows(file: &FileEntry, metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    let counts: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    let found = counts.iter().try_fold(0_u32, |sum, count| sum.checked_add(u32::try_from(*count).ok()?));
    if found.is_some_and(|found| u64::from(found) == file.rows) {
        return Ok(());
    }
    Err(ParquetError::General(format!("its row groups have {counts:?} rows where {} were committed", file.rows)))
}

fn decode_metadata(length: u64, start: u64, tail: &Bytes) -> Result<ParquetMetaData, ParquetError> {
    let mut decoder = ParquetMetaDataPushDecoder::try_new(length)?.with_page_index_policy(PageIndexPolicy::Skip);
    decoder.push_range(start..length, tail.clone())?;
    match decoder.try_decode()? {
        DecodeResult::Data(metadata) => Ok(metadata),
        DecodeResult::NeedsData(_) | DecodeResult::Finished => {
            Err(ParquetError::EOF("the footer is incomplete".to_owned()))
        }
    }
}
