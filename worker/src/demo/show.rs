//! What a demo prints: one line a step, then rows, rejects, the identity and the files.

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use gristmill_core::log::{FileEntry, FileZone, Inspection, LiveFile, RunFiles, RunRows, inspect};

use crate::cli;
use crate::compact;
use crate::exit::{Exit, Failure};
use crate::ingest;
use crate::parquet_file::ParquetReader;
use crate::produce;
use crate::rejected;
use crate::zone::ZoneReader;

/// Rows of the sample.
const SAMPLE: usize = 5;
/// Columns of the sample, so that a row fits into a terminal.
const COLUMNS: [&str; 5] = ["record_id", "title", "author_name", "author_country", "price"];

pub(super) fn produced(summary: &produce::Summary) -> String {
    let produce::Summary { messages, books, duplicates, malformed, invalid, late, tombstones, bytes } = summary;
    format!(
        "{messages} messages, {books} books, {bytes} bytes: {duplicates} repeat an earlier one, {malformed} not well-formed, \
         {invalid} with a bad book, {late} late, {tombstones} tombstones"
    )
}

pub(super) fn ingested(summary: &ingest::Summary) -> String {
    let ingest::Summary { commits, messages, rows, rejected_rows, files, bytes, .. } = summary;
    format!(
        "{messages} messages in {commits} commits: {rows} rows, {rejected_rows} rejects, {files} files, {bytes} bytes"
    )
}

pub(super) fn compacted(report: &compact::Report) -> String {
    match &report.outcome {
        compact::Outcome::NothingNew => "nothing new, nothing changed".to_owned(),
        compact::Outcome::Committed { summary, .. } => {
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late: _, rejected: _ } = summary.rows;
            let RunFiles { before, after, bytes_before: _, bytes_after: _ } = summary.files;
            format!(
                "{read} rows read: {duplicate_in_delta} duplicates among them, {duplicate_in_zone} in the zone, {written} \
                 written; {before} -> {after} files"
            )
        }
    }
}

/// A few rows of the Processed zone.
pub(super) async fn rows(processed: &ZoneReader) -> Result<(), Failure> {
    let Some(file) = live(processed, FileZone::Processed).map(|live| &live.file).max_by_key(|file| file.rows) else {
        return Ok(());
    };
    let batch = read(processed, file, &COLUMNS).await?;
    let sample = batch.slice(0, batch.num_rows().min(SAMPLE));
    println!("\nRows of {}", file.path);
    match pretty_format_batches(&[sample]) {
        Ok(table) => println!("{table}"),
        Err(error) => return Err(Failure::new(Exit::Bug, "Internal", &error)),
    }
    Ok(())
}

/// How often each reason occurred, with the newest example of it.
pub(super) async fn rejects(raw: &ZoneReader) -> Result<(), Failure> {
    let counts = rejected::count(raw, &rejected::Filter::default()).await?;
    println!("\nRejects, the newest example each\n{}", cli::reject_counts(&counts).trim_end());
    Ok(())
}

/// Every offset of the topic by what became of it.
pub(super) fn identity(raw: &ZoneReader) {
    if let Inspection::Raw(raw) = inspect(raw.fold()) {
        println!("\nThe identity: {}", cli::identity(&raw));
    }
}

/// Where the files are.
pub(super) fn files(raw: &ZoneReader, processed: &ZoneReader) {
    println!("\nFiles");
    for (reader, zone, url) in [
        (raw, FileZone::Raw, raw.surroundings().url().to_string()),
        (raw, FileZone::Rejected, raw.surroundings().url().rejected().to_string()),
        (processed, FileZone::Processed, processed.surroundings().url().to_string()),
    ] {
        let (count, bytes, rows) = live(reader, zone)
            .fold((0, 0, 0), |(count, bytes, rows), live| (count + 1, bytes + live.file.bytes, rows + live.file.rows));
        println!("  {url}: {count} files, {rows} rows, {bytes} bytes");
    }
}

pub(super) fn live(reader: &ZoneReader, zone: FileZone) -> impl Iterator<Item = &LiveFile> {
    reader.fold().live().values().filter(move |live| live.file.zone == zone)
}

pub(super) async fn read(zone: &ZoneReader, file: &FileEntry, columns: &[&str]) -> Result<RecordBatch, Failure> {
    let failure = |error: crate::parquet_file::Error| Failure::new(Exit::Zone, "LostFile", &error);
    let reader = ParquetReader::open(zone, file).await.map_err(failure)?;
    let mut batches = reader.batches(columns, (0..reader.row_groups().len()).collect()).map_err(failure)?;
    let mut all = Vec::new();
    while let Some(batch) = batches.next().await.map_err(failure)? {
        all.push(batch);
    }
    let Some(schema) = all.first().map(RecordBatch::schema) else {
        return Ok(RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty())));
    };
    arrow::compute::concat_batches(&schema, &all).map_err(|error| Failure::new(Exit::Bug, "Internal", &error))
}
