//! Parquet files of a zone: written into a staged file as they grow, read by the ranges that are needed.
//!
//! A row group is encoded in memory and leaves it as soon as it is complete, so that a file of any size costs the
//! memory of one row group. Reading fetches the footer, then the columns asked for, one row group at a time.

mod distinct;
mod encoded;
mod reader;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{DEFAULT_BLOOM_FILTER_NDV, WriterProperties};
use parquet::schema::types::ColumnPath;

use self::distinct::distinct_columns;
use self::encoded::Encoded;
pub use self::reader::{Batches, ParquetReader};
use crate::zone::{StagedFile, StagedWriter, ZoneError};

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
    /// Columns of so many values that a dictionary would take time and save next to nothing.
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
        let without_dictionary = distinct_columns(first, self.expected_rows, self.row_group_bytes);
        Self { without_dictionary, ..self.clone() }
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
    encoder: ArrowWriter<Encoded>,
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
        let encoder = ArrowWriter::try_new(Encoded::default(), schema, Some(layout.properties())).map_err(encode)?;
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
        while let Some(piece) = self.encoder.inner_mut().take_piece() {
            self.staged.write(piece).await.map_err(Error::Zone)?;
        }
        Ok(())
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

fn encode(source: ParquetError) -> Error {
    Error::Encode { source }
}
