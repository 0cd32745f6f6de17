//! A checkpoint as bytes: Parquet with zstd inside, a row for each live file, all else of the fold in the footer.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use gristmill_core::log::{Digest, Fold, LiveRecord, Sequence, Unreadable, UnreadableFold, ZoneId};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};

/// Where the footer holds everything but the live files.
const STATE: &str = "gristmill.state";
/// Where the footer holds the digest of state and rows: what is damaged is refused, since nothing else tells it again.
const DIGEST: &str = "gristmill.digest";
/// Live files encoded at a time.
const ROWS_AT_A_TIME: usize = 8192;

/// Writes a fold as the bytes of its checkpoint.
pub(super) fn encode(fold: &Fold) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("sequence", DataType::UInt64, false),
        Field::new("path", DataType::Utf8, false),
        Field::new("record", DataType::Utf8, false),
    ]));
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    let state = String::from_utf8(fold.encode_state()).expect("JSON is UTF-8");
    let mut hash = Sha256::new();
    hash.update(state.as_bytes());
    let mut records = fold.live_records();
    while records.len() > 0 {
        let rows: Vec<LiveRecord> = records.by_ref().take(ROWS_AT_A_TIME).collect();
        let json: Vec<String> = rows.iter().map(record).collect();
        json.iter().for_each(|record| hash.update(record.as_bytes()));
        let sequences = UInt64Array::from_iter_values(rows.iter().map(|row| row.sequence.0));
        let paths = StringArray::from_iter_values(rows.iter().map(|row| row.file.path.as_str()));
        let columns: Vec<Arc<dyn Array>> =
            vec![Arc::new(sequences), Arc::new(paths), Arc::new(StringArray::from(json))];
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    let digest = Digest::from_hash(hash.finalize().into()).to_string();
    writer.append_key_value_metadata(KeyValue::new(STATE.to_owned(), state));
    writer.append_key_value_metadata(KeyValue::new(DIGEST.to_owned(), digest));
    writer.into_inner()
}

fn record(row: &LiveRecord) -> String {
    serde_json::to_string(row).expect("a record holds only texts, numbers and lists of them")
}

/// Reads the fold of a checkpoint.
pub(super) fn decode(zone: ZoneId, sequence: Sequence, bytes: Bytes) -> Result<Fold, Unreadable> {
    let damaged = |error: ParquetError| Unreadable::Field(error.to_string());
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(damaged)?;
    let footer = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let of_footer = |key: &str| {
        let value = footer.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        value.ok_or_else(|| Unreadable::Field(format!("{key}: is missing")))
    };
    let (state, digest) = (of_footer(STATE)?, of_footer(DIGEST)?);
    let mut hash = Sha256::new();
    hash.update(state.as_bytes());
    let mut live = Vec::new();
    for batch in builder.build().map_err(damaged)? {
        let batch = batch.map_err(|error| damaged(error.into()))?;
        let records = batch.column_by_name("record").and_then(|column| column.as_any().downcast_ref::<StringArray>());
        let records = records.ok_or_else(|| Unreadable::Field("record: is missing".to_owned()))?;
        for record in records.iter().flatten() {
            hash.update(record.as_bytes());
            let row: LiveRecord =
                serde_json::from_str(record).map_err(|error| Unreadable::of_field("record", &error))?;
            live.push(row);
        }
    }
    // The state first: a newer version is told by its format and not by a digest that it computes otherwise.
    let fold = Fold::restore(zone, sequence, state.as_bytes(), live).map_err(|error| match error {
        UnreadableFold::State(unreadable) => unreadable,
        UnreadableFold::Foreign { .. } | UnreadableFold::Twice(_) => Unreadable::Field(error.to_string()),
    })?;
    if Digest::from_hash(hash.finalize().into()).as_str() == digest {
        Ok(fold)
    } else {
        Err(Unreadable::Field(format!("{DIGEST}: is not that of the content")))
    }
}
