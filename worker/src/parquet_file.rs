//! Parquet files of a zone: written into a staged file as they grow, read by the ranges that are needed.
//!
//! A row group is encoded in memory and leaves it as soon as it is complete, so that a file of any size costs the
//! memory of one row group. Reading fetches the footer, then the columns asked for, one row group at a time.

mod distinct;

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use gristmill_core::log::FileEntry;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};
use parquet::file::properties::{DEFAULT_BLOOM_FILTER_NDV, WriterProperties};
use parquet::schema::types::ColumnPath;

pub(crate) use self::distinct::distinct_columns;
use crate::blocking::blocking;
use crate::zone::{StagedFile, StagedWriter, ZoneError, ZoneReader};

/// Rows handed out at a time: a few hundred kilobytes of a usual row, and enough for column-wise work to pay.
const BATCH_ROWS: usize = 8192;

/// What is read first, in the hope that the whole footer lies in it; a file up to this length is read in one go.
const TAIL_BYTES: u64 = 256 << 10;

/// Level 3, which others write, saved 1.6 % of the bytes of books and took 1.7 s more of a compaction's 9.5 s of user time.
const ZSTD_LEVEL: i32 = 1;

/// A key that is not in a row group is taken for one that is in 1 of 100,000 cases: 4 bytes a row. A delta of 10,000
/// keys then reads the key columns of every tenth row group in vain; at the 5 % of Parquet's default it reads all.
const BLOOM_FALSE_POSITIVES: f64 = 1e-5;

/// Blocks of a bloom filter and its largest size, as Parquet defines them.
const BLOOM_BYTES: std::ops::RangeInclusive<usize> = 32..=128 << 20;

/// A Parquet file that can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Rows can't be encoded.
    #[error("cannot encode rows as Parquet")]
    Encode {
        /// Why.
        source: ParquetError,
    },
    /// The bytes of a file are not what was committed.
    #[error("cannot read {path} as Parquet; the file is damaged: restore it, nothing was changed")]
    Decode {
        /// The file's published name.
        path: String,
        /// Why.
        source: ParquetError,
    },
    /// The zone or its store fails.
    #[error(transparent)]
    Zone(ZoneError),
}

/// How a file is laid out.
#[derive(Debug, Clone)]
pub struct Layout {
    /// A row group is complete at this encoded size, or when its encoders take so much memory, bloom filters aside.
    pub row_group_bytes: usize,
    /// How pages are compressed.
    pub compression: gristmill_crds::Compression,
    /// Columns of which hardly a value comes twice: a dictionary would take time and save nothing.
    pub without_dictionary: Vec<String>,
    /// Columns with a bloom filter.
    pub bloom_filters: Vec<String>,
    /// Rows of the file at most: a filter needs memory for them, up to those of a whole row group.
    pub expected_rows: u64,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            row_group_bytes: 32 << 20,
            compression: Default::default(),
            without_dictionary: Vec::new(),
            bloom_filters: Vec::new(),
            expected_rows: DEFAULT_BLOOM_FILTER_NDV,
        }
    }
}

impl Layout {
    /// The layout of a file that begins with these rows.
    pub fn beginning_with(&self, first: &RecordBatch) -> Self {
        Self { without_dictionary: distinct_columns(first), ..self.clone() }
    }

    /// Bytes that the bloom filters of a row group in progress take: they are made for all rows that may come, and folded to
    /// what those need that did.
    pub fn filter_bytes(&self) -> usize {
        // The size that the encoder gives a filter: m = -8 n / ln(1 - p^(1/8)) bits, a power of two in bytes.
        let bits = -8.0 * self.filter_rows() as f64 / (1.0 - BLOOM_FALSE_POSITIVES.powf(1.0 / 8.0)).ln();
        let bytes = (bits as usize / 8).clamp(*BLOOM_BYTES.start(), *BLOOM_BYTES.end()).next_power_of_two();
        self.bloom_filters.len() * bytes
    }

    fn filter_rows(&self) -> u64 {
        self.expected_rows.clamp(1, DEFAULT_BLOOM_FILTER_NDV)
    }

    /// What Parquet's writer is told.
    pub fn properties(&self) -> WriterProperties {
        let compression = match self.compression {
            gristmill_crds::Compression::Zstd => {
                Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).expect("1 is a level of zstd"))
            }
            gristmill_crds::Compression::Snappy => Compression::SNAPPY,
            gristmill_crds::Compression::Uncompressed => Compression::UNCOMPRESSED,
        };
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_bytes(Some(self.row_group_bytes))
            // In the form that Parquet's readers parse; they distrust the statistics of other writers.
            .set_created_by(concat!("gristmill version ", env!("CARGO_PKG_VERSION")).to_owned());
        for column in &self.without_dictionary {
            // Plain: Parquet's delta encodings are shorter, but Spark reads them since 3.3 only.
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.as_str()), false);
        }
        for column in &self.bloom_filters {
            let path = ColumnPath::from(column.as_str());
            properties = properties
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path, self.filter_rows());
        }
        properties.build()
    }
}

/// A Parquet file that is being written. Dropping it leaves a staged name that is never committed.
pub struct ParquetFile {
    encoder: ArrowWriter<Vec<u8>>,
    staged: StagedWriter,
    rows: u64,
    most_memory: usize,
}

/// A Parquet file that is closed and durable, and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedFile {
    /// Name, length and digest.
    pub staged: StagedFile,
    /// Rows in it.
    pub rows: u64,
}

impl ParquetFile {
    /// Begins a file of this schema.
    ///
    /// # Errors
    /// Parquet can't hold the schema.
    pub fn create(staged: StagedWriter, schema: SchemaRef, layout: &Layout) -> Result<Self, Error> {
        let encoder = ArrowWriter::try_new(Vec::new(), schema, Some(layout.properties())).map_err(encode)?;
        Ok(Self { encoder, staged, rows: 0, most_memory: layout.row_group_bytes + layout.filter_bytes() })
    }

    /// Appends rows; a row group that they complete goes to the store.
    ///
    /// # Errors
    /// The rows are of another schema, or the store fails; the file is then of no use.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.encode(batch)?;
        self.hand_over().await
    }

    /// Encodes rows, without giving what is complete to the store: [`Self::hand_over`] does.
    ///
    /// # Errors
    /// The rows are of another schema; the file is then of no use.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let before = self.encoder.flushed_row_groups().len();
        self.encoder.write(batch).map_err(encode)?;
        self.rows += batch.num_rows() as u64;
        // Encoders and dictionaries may be larger than what they encode to.
        if self.encoder.memory_size() >= self.most_memory {
            self.encoder.flush().map_err(encode)?;
        }
        if self.encoder.flushed_row_groups().len() > before {
            self.encoder.sync().map_err(|source| encode(source.into()))?;
        }
        Ok(())
    }

    /// Encodes what there is to the end, the footer included; the file takes no more rows.
    ///
    /// # Errors
    /// Parquet can't hold the rows.
    pub fn complete(&mut self) -> Result<(), Error> {
        self.encoder.finish().map(drop).map_err(encode)
    }

    /// Gives what is complete to the store.
    ///
    /// # Errors
    /// The store fails; the file is then of no use.
    pub async fn hand_over(&mut self) -> Result<(), Error> {
        let encoded = mem::take(self.encoder.inner_mut());
        if encoded.is_empty() {
            return Ok(());
        }
        self.staged.write(encoded.into()).await.map_err(Error::Zone)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Length that the file would have if it were closed now, within the error of an estimate.
    pub fn bytes(&self) -> u64 {
        (self.encoder.bytes_written() + self.encoder.in_progress_size()) as u64
    }

    /// Length of the row groups that are complete.
    pub fn complete_bytes(&self) -> u64 {
        self.encoder.bytes_written() as u64
    }

    /// Ends the row group in progress: only then is its length known.
    ///
    /// # Errors
    /// Parquet can't hold the rows.
    pub fn end_row_group(&mut self) -> Result<(), Error> {
        self.encoder.flush().map_err(encode)?;
        self.encoder.sync().map_err(|source| encode(source.into()))
    }

    /// Memory of the row group in progress.
    pub fn memory(&self) -> usize {
        self.encoder.memory_size()
    }

    /// Completes the file and makes it durable.
    ///
    /// # Errors
    /// The store fails; the rows must be written to another file.
    pub async fn close(mut self) -> Result<ClosedFile, Error> {
        self.complete()?;
        self.close_completed().await
    }

    /// Makes a file durable that was completed.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub async fn close_completed(mut self) -> Result<ClosedFile, Error> {
        self.hand_over().await?;
        let staged = self.staged.close().await.map_err(Error::Zone)?;
        Ok(ClosedFile { staged, rows: self.rows })
    }
}

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

    /// Bytes of the file that hold these columns of a row group: what is fetched to read them.
    pub fn bytes(&self, row_group: usize, columns: &[&str]) -> usize {
        let group = self.metadata.metadata().row_group(row_group);
        let chunks = group
            .columns()
            .iter()
            .filter(|chunk| chunk.column_path().parts().first().is_some_and(|root| columns.contains(&root.as_str())));
        chunks.map(|chunk| usize::try_from(chunk.compressed_size()).unwrap_or(0)).sum()
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
            .with_batch_size(BATCH_ROWS)
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

fn encode(source: ParquetError) -> Error {
    Error::Encode { source }
}

/// Where the footer begins, by the last 8 bytes of the file.
fn footer_start(length: u64, tail: &Bytes) -> Result<u64, ParquetError> {
    let last: &[u8; 8] = tail.last_chunk().ok_or_else(|| ParquetError::EOF("shorter than a footer".to_owned()))?;
    let footer = FooterTail::try_new(last)?.metadata_length() as u64 + last.len() as u64;
    length.checked_sub(footer).ok_or_else(|| ParquetError::EOF("the footer is longer than the file".to_owned()))
}

/// Rows are addressed by what the log says of the file, so that it must be true.
fn check_rows(file: &FileEntry, metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    let found: i64 = metadata.row_groups().iter().map(|group| group.num_rows()).sum();
    if u32::try_from(found).is_ok_and(|found| u64::from(found) == file.rows) {
        return Ok(());
    }
    Err(ParquetError::General(format!("it has {found} rows where {} were committed", file.rows)))
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
