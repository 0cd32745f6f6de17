//! A RAW zone of books for the benchmark of the compaction: files and entries as an ingest would have left them.
//!
//! `bench-zone DIRECTORY ROWS [--first N] [--files N] [--duplicates PERCENT] [--generation N]` appends ROWS rows to the zone
//! `DIRECTORY/books/raw`, which `gristmill compact --local DIRECTORY` reads. Row N is the same in every call: its id, its
//! year and its offset follow from its number, so that rows of a second generation are those of a rewind. Of 100 rows
//! PERCENT have the id of an earlier row.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;
use gristmill::parquet_file::{Layout, ParquetFile};
use gristmill::store::FileStore;
use gristmill::zone::{Appended, Expected, Opened, Surroundings, Zone};
use gristmill_core::log::{Data, Digest, FileZone, PartitionStart, RawData};
use gristmill_core::raw::{row_schema, schema_id};
use gristmill_crds::StreamIngest;
use gristmill_crds::plan::IngestPlan;

/// Rows of a batch.
const BATCH: u64 = 8192;
/// Rows are of one partition each file, of so many.
const PARTITIONS: u64 = 8;
/// Kafka's timestamp of the first row, and that of each next one a millisecond later.
const BEGINNING: i64 = 1_763_000_000_000_000;

struct Wish {
    directory: String,
    rows: u64,
    first: u64,
    files: u64,
    duplicates: u64,
    generation: i32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let wish = wish(std::env::args().skip(1))?;
    let schema = row_schema(&plan()?.record.columns);
    let mut zone = open(&wish.directory).await?;
    let per_file = wish.rows.div_ceil(wish.files);
    for file in 0..wish.files {
        let first = wish.first + file * per_file;
        let last = (first + per_file).min(wish.first + wish.rows);
        if first < last {
            append(&mut zone, &schema, &wish, first, last).await?;
        }
    }
    Ok(())
}

fn wish(mut arguments: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let usage = "bench-zone DIRECTORY ROWS [--first N] [--files N] [--duplicates PERCENT] [--generation N]";
    let directory = arguments.next().ok_or(usage)?;
    let rows = arguments.next().ok_or(usage)?.parse()?;
    let mut options = HashMap::new();
    while let Some(name) = arguments.next() {
        options.insert(name, arguments.next().ok_or(usage)?.parse::<u64>()?);
    }
    let mut option = |name: &str, default| options.remove(name).unwrap_or(default);
    let wish = Wish {
        directory,
        rows,
        first: option("--first", 0),
        files: option("--files", 32).max(1),
        duplicates: option("--duplicates", 10),
        generation: i32::try_from(option("--generation", 0))?,
    };
    if options.is_empty() { Ok(wish) } else { Err(usage.into()) }
}

fn plan() -> Result<IngestPlan, Box<dyn Error>> {
    let documents = include_str!("../compact.yaml");
    let ingest = documents.split("\n---\n").next().ok_or("compact.yaml has two documents")?;
    Ok(IngestPlan::try_from(&serde_saphyr::from_str::<StreamIngest>(ingest)?)?)
}

async fn open(directory: &str) -> Result<Zone, Box<dyn Error>> {
    let directory = std::path::absolute(directory)?;
    let url = format!("file://{}/books/raw", directory.display()).parse()?;
    let expected = Expected::Raw {
        cluster_id: "bench".to_owned(),
        topic: "books".to_owned(),
        topic_id: "bench-topic".to_owned(),
        group: "bench".to_owned(),
        rewind: None,
    };
    let surroundings = Surroundings::of_process(Arc::new(FileStore::default()), url);
    Ok(match Zone::open(surroundings, expected, Digest::of(b"bench")).await? {
        Opened::Ready(zone) => zone,
        Opened::Empty(empty) => {
            let starts = (0..i32::try_from(PARTITIONS)?).map(|partition| PartitionStart { partition, start_offset: 0 });
            empty.create_raw(starts.collect()).await?
        }
    })
}

/// Writes a file of rows and commits it.
async fn append(zone: &mut Zone, schema: &SchemaRef, wish: &Wish, first: u64, last: u64) -> Result<(), Box<dyn Error>> {
    let mut file = ParquetFile::create(zone.stage().await?, Arc::clone(schema), &Layout::default())?;
    let mut next = first;
    while next < last {
        let end = (next + BATCH).min(last);
        file.write(&batch(schema, wish, next..end)?).await?;
        next = end;
    }
    let closed = file.close().await?;
    let entry = closed.staged.into_raw(
        FileZone::Raw,
        "ingest_date=2026-11-23/ingest_hour=05",
        closed.rows,
        schema_id(schema),
    )?;
    let partition = partition_of(first, wish);
    let from = zone.fold().next(partition);
    let messages = last - first;
    let range = gristmill_bench::accepted_range(partition, from, messages)?;
    let data = RawData { partitions: vec![range], added: vec![entry], removed: vec![], schemas: vec![] };
    match zone.append(Data::Raw(data)).await? {
        Appended::Won(sequence) => Ok(zone.publish(sequence).await?),
        Appended::Lost(_) => Err("somebody else writes this zone".into()),
    }
}

/// A file holds rows of one partition.
fn partition_of(row: u64, wish: &Wish) -> i32 {
    let per_file = wish.rows.div_ceil(wish.files).max(1);
    i32::try_from(row / per_file % PARTITIONS).unwrap_or(0)
}

/// A number without a pattern.
fn mixed(number: u64) -> u64 {
    let number = (number.wrapping_add(0x9E37_79B9_7F4A_7C15) ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The number of the row whose id a row has: its own, or an earlier one.
fn identity(row: u64, duplicates: u64) -> u64 {
    if row > 0 && mixed(row ^ 0x00D0_0B1E) % 100 < duplicates { mixed(row) % row } else { row }
}

fn id(number: u64) -> String {
    let (first, second) = (mixed(number), mixed(!number));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        first >> 32,
        (first >> 16) & 0xFFFF,
        first & 0xFFFF,
        second >> 48,
        second & 0xFFFF_FFFF_FFFF
    )
}

fn title(number: u64) -> String {
    const WORDS: [&str; 16] = [
        "river", "night", "letters", "history", "garden", "winter", "stone", "bread", "mill", "journey", "silence",
        "light", "harbour", "song", "field", "glass",
    ];
    let mut title = String::from("The");
    for shift in [0, 4, 8, 12] {
        let word = WORDS[usize::try_from((mixed(number) >> shift) & 15).unwrap_or(0)];
        write!(title, " {word}").unwrap_or_default();
    }
    title
}

fn batch(schema: &SchemaRef, wish: &Wish, rows: std::ops::Range<u64>) -> Result<RecordBatch, Box<dyn Error>> {
    let partition = partition_of(rows.start, wish);
    let count = usize::try_from(rows.end - rows.start)?;
    let of =
        |make: &dyn Fn(u64) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.clone().map(make))) };
    let same = |text: &str| of(&|_| text.to_owned());
    let signed = |row: u64| i64::try_from(row).unwrap_or(i64::MAX);
    let times = |scale: i64| -> ArrayRef {
        let time = |row: u64| BEGINNING + signed(row) * 1000 * scale;
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.clone().map(time)).with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| -> Result<ArrayRef, Box<dyn Error>> {
            Ok(match field.name().as_str() {
                "record_id" => of(&|row| id(identity(row, wish.duplicates))),
                "title" => of(&title),
                "author_name" => of(&|row| format!("author {}", mixed(row) % 50_000)),
                "author_country" => of(&|row| {
                    ["AR", "DE", "FR", "IN", "JP", "US"][usize::try_from(mixed(row) % 6).unwrap_or(0)].to_owned()
                }),
                // Of its id: a row that comes again lies where the first one lay.
                "publication_year" => Arc::new(Int32Array::from_iter_values(
                    rows.clone()
                        .map(|row| 1970 + i32::try_from(mixed(identity(row, wish.duplicates)) % 50).unwrap_or(0)),
                )),
                "price" => Arc::new(
                    Decimal128Array::from_iter_values(rows.clone().map(|row| i128::from(mixed(row) % 10_000)))
                        .with_precision_and_scale(10, 2)?,
                ),
                "updated_at" => times(7),
                "kafka_topic" => same("books"),
                "kafka_topic_id" => same("bench-topic"),
                "kafka_partition" => Arc::new(Int32Array::from(vec![partition; count])),
                "kafka_offset" => Arc::new(Int64Array::from_iter_values(rows.clone().map(signed))),
                "kafka_timestamp" => times(1),
                "kafka_key" => Arc::new(BinaryArray::from_iter_values(rows.clone().map(|row| row.to_be_bytes()))),
                "record_index" => Arc::new(Int32Array::from(vec![0; count])),
                "generation" => Arc::new(Int32Array::from(vec![wish.generation; count])),
                other => return Err(format!("the benchmark has no values for column {other}").into()),
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
