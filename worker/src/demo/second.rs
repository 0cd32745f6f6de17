//! The second round in words: what a run has read and left alone, that keys are unique, and how to query the zone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, TimeUnit};
use gristmill_core::compact::Layout;
use gristmill_core::log::{FileKey, FileZone, RunFiles, RunRows, TypedValue};
use gristmill_crds::plan::CompactionPlan;

use super::show;
use crate::compact::{Outcome, Report};
use crate::exit::Failure;
use crate::zone::ZoneReader;

/// Years on a line.
const YEARS: usize = 9;

/// What a zone has at a moment.
pub(super) struct Before {
    raw_files: usize,
    zone: HashSet<FileKey>,
    zone_rows: u64,
}

impl Before {
    /// Files and rows of both zones; nothing of one that is not there.
    pub(super) fn of(raw: &ZoneReader, processed: &ZoneReader) -> Self {
        let zone = show::live(processed, FileZone::Processed);
        Self {
            raw_files: show::live(raw, FileZone::Raw).count(),
            zone: zone.map(|live| FileKey { zone: live.file.zone, path: live.file.path.clone() }).collect(),
            zone_rows: show::live(processed, FileZone::Processed).map(|live| live.file.rows).sum(),
        }
    }

    /// What the run has read, of how much, and what it has left alone.
    pub(super) fn told(&self, raw: &ZoneReader, processed: &ZoneReader, report: &Report) -> Option<String> {
        let Outcome::Committed { from, summary, .. } = &report.outcome else { return None };
        let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late: _, rejected: _ } = summary.rows;
        let RunFiles { before, after: _, bytes_before: _, bytes_after: _ } = summary.files;
        let new = raw.fold().added_after(FileZone::Raw, *from).len();
        let kept = processed.fold().live().keys().filter(|key| self.zone.contains(*key)).count();
        Some(format!(
            "{new} of {} RAW files are new and were read, {read} rows: {duplicate_in_delta} repeat another of them, \
             {duplicate_in_zone} repeat one of the zone's {} rows, {written} were written; {kept} of the zone's {before} \
             files stay as they were",
            self.raw_files, self.zone_rows,
        ))
    }
}

/// Rows against distinct keys, and rows by year.
pub(super) async fn keys(processed: &ZoneReader) -> Result<(), Failure> {
    let (mut rows, mut keys) = (0_u64, BTreeSet::new());
    let mut years: BTreeMap<String, u64> = BTreeMap::new();
    for live in show::live(processed, FileZone::Processed) {
        let batch: RecordBatch = show::read(processed, &live.file, &["record_id"]).await?;
        let ids = batch.column(0).as_string::<i32>();
        keys.extend((0..ids.len()).map(|row| ids.value(row).to_owned()));
        rows += live.file.rows;
        let year = live.file.partition.as_deref().and_then(|values| values.first());
        *years.entry(year.map_or_else(String::new, |year| told(&year.value))).or_default() += live.file.rows;
    }
    println!("\nThe zone has {rows} rows and {} keys: each key once. Rows by publication_year:", keys.len());
    let cells: Vec<String> = years.iter().map(|(year, rows)| format!("{year} {rows:>4}")).collect();
    for line in cells.chunks(YEARS) {
        println!("  {}", line.join("   "));
    }
    Ok(())
}

fn told(value: &TypedValue) -> String {
    match value {
        TypedValue::Int32(Some(number)) => number.to_string(),
        TypedValue::Int64(Some(number)) => number.to_string(),
        TypedValue::String(Some(text)) => text.clone(),
        TypedValue::Boolean(Some(is)) => is.to_string(),
        TypedValue::Date(Some(date)) => date.to_string(),
        TypedValue::Int32(None)
        | TypedValue::Int64(None)
        | TypedValue::String(None)
        | TypedValue::Boolean(None)
        | TypedValue::Date(None) => "none".to_owned(),
    }
}

/// The commands that query the zone: with the type of the column that names its directories, which the files do not hold.
pub(super) fn queries(plan: &CompactionPlan) -> String {
    let zone = plan.processed_path.trim_start_matches("file://");
    let zone = Path::new(zone).display();
    let layout = Layout::new(&plan.columns, &plan.partition_by);
    let columns: Vec<String> = layout.rows().fields().iter().map(|field| spark(field)).collect();
    format!(
        "
Query the zone with DuckDB, and with PySpark:
  duckdb -c \"SELECT publication_year, count(*) AS books, avg(price) AS price
    FROM read_parquet('{zone}/**/*.parquet', hive_partitioning = true, hive_types = {{'publication_year': INTEGER}})
    GROUP BY ALL ORDER BY ALL\"

  books = spark.read.schema(\"{}\").parquet(\"{zone}\")
  books.groupBy(\"publication_year\").count().orderBy(\"publication_year\").show()
",
        columns.join(", ")
    )
}

/// A column as Spark's DDL has it.
fn spark(field: &Field) -> String {
    let of_type = |data_type: &DataType| match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => "TIMESTAMP".to_owned(),
        DataType::Binary => "BINARY".to_owned(),
        _ => "STRING".to_owned(),
    };
    let data_type = match field.data_type() {
        DataType::List(item) => format!("ARRAY<{}>", of_type(item.data_type())),
        other => of_type(other),
    };
    format!("{} {data_type}", field.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Documents;

    #[test]
    fn queries_name_every_column_with_its_type() {
        let documents = Documents::parse("books.yaml".as_ref(), super::super::BOOKS).expect("documents");
        let plan = documents.compaction_plan(None).expect("valid");
        let told = queries(&plan.with_paths("file:///d/raw".into(), "group".into(), "file:///d/processed".into()));
        assert!(told.contains("hive_types = {'publication_year': INTEGER}"), "{told}");
        assert!(told.contains("read_parquet('/d/processed/**/*.parquet'"), "{told}");
        for column in ["record_id STRING", "publication_year INT", "price DECIMAL(10, 2)", "updated_at TIMESTAMP"] {
            assert!(told.contains(column), "{column} in {told}");
        }
    }
}
