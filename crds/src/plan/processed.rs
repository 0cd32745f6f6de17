//! Where the rows of a Processed zone go: its directories, and how large its files are.

use super::columns::{check_columns, type_name, unknown_column};
use super::{ColumnPlan, FileEnd, IngestPlan, Problems, within, zone_url};
use crate::processed::{PartitionField, PartitionTransform, Processed, ProcessedFiles};
use crate::raw::Compression;
use crate::record::ColumnType;

/// Default size of a closed file: two of HDFS' default blocks.
const DEFAULT_TARGET_SIZE: u64 = 256 << 20;
/// Files below this part of the target are small: four of them make one that is not.
const SMALL_PART: u64 = 4;

/// Where rows are written, and how.
#[derive(Debug)]
pub(super) struct ProcessedPlan {
    pub(super) path: String,
    pub(super) partition_by: Vec<PartitionField>,
    pub(super) sort_by: Vec<String>,
    pub(super) target_size: u64,
    pub(super) merge_below: u64,
    pub(super) max_records: Option<u64>,
    pub(super) compression: Compression,
    pub(super) buckets: u32,
}

impl ProcessedPlan {
    pub(super) fn read(processed: &Processed, ingest: &IngestPlan, problems: &mut Problems) -> Self {
        // No `..`: a new field must be given a meaning here.
        let Processed { path, partition_by, sort_by, files, compression, buckets } = processed;
        let path = zone_url("spec.processed.path", path, problems);
        check_apart(&path, ingest, problems);
        let partition_by = check_partitions(partition_by, ingest, problems);
        check_sort(sort_by, ingest, problems);
        let ProcessedFiles { target_size, merge_below, max_records } = files.clone().unwrap_or_default();
        let (target_size, merge_below) = {
            let at = "spec.processed.files";
            let target = target_size.map(|size| size.to_bytes());
            let target = within(&format!("{at}.targetSize"), target, 1 << 20..=8 << 30, "1Mi to 8Gi", problems);
            let target = target.unwrap_or(DEFAULT_TARGET_SIZE);
            let below = merge_below.map(|size| size.to_bytes());
            let below = within(&format!("{at}.mergeBelow"), below, 1 << 10..=target, "1Ki to targetSize", problems);
            (target, below.unwrap_or(target / SMALL_PART))
        };
        Self {
            path,
            partition_by,
            sort_by: sort_by.clone(),
            target_size,
            merge_below,
            max_records: max_records.and_then(|records| rows(records, problems)),
            compression: compression.unwrap_or_default(),
            buckets: buckets.map_or(1, |count| bucket_count(count, problems)),
        }
    }
}

fn rows(records: i64, problems: &mut Problems) -> Option<u64> {
    let valid = u64::try_from(records).ok().filter(|records| *records > 0);
    if valid.is_none() {
        let message = format!("{records} is not a number of rows; write 1 or more, or remove it for no limit");
        problems.add("spec.processed.files.maxRecords", message);
    }
    valid
}

fn bucket_count(count: i32, problems: &mut Problems) -> u32 {
    let valid = u32::try_from(count).ok().filter(|count| (1..=256).contains(count));
    if valid.is_none() {
        problems.add("spec.processed.buckets", format!("{count} is outside 1 to 256"));
    }
    valid.unwrap_or(1)
}

/// Readers list the Processed zone: neither RAW nor its archive may lie in it, nor it in them.
fn check_apart(processed: &str, ingest: &IngestPlan, problems: &mut Problems) {
    let beside = |zone: &str| [zone.to_owned(), format!("{zone}_rejected")];
    let inside = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/"));
    let mut others = beside(&ingest.raw_path).to_vec();
    if let Some(FileEnd::Archive(archive)) = ingest.retention.as_ref().map(|retention| &retention.end) {
        others.push(archive.clone());
    }
    let pairs = beside(processed).into_iter().flat_map(|ours| others.iter().map(move |other| (ours.clone(), other)));
    if let Some((ours, other)) = pairs.into_iter().find(|(ours, other)| inside(ours, other) || inside(other, ours)) {
        problems.add(
            "spec.processed.path",
            format!("{ours:?} and {other:?} lie within each other; give each zone a directory of its own"),
        );
    }
}

fn check_partitions(fields: &[PartitionField], ingest: &IngestPlan, problems: &mut Problems) -> Vec<PartitionField> {
    let at = "spec.processed.partitionBy";
    if fields.is_empty() || fields.len() > 3 {
        problems.add(at, format!("has {} fields; write one to three", fields.len()));
    }
    let mut valid: Vec<PartitionField> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let PartitionField { column, transform } = field;
        let at = format!("{at}[{index}].column");
        match ingest.column(column) {
            None => problems.add(at, unknown_column(column, ingest)),
            Some(found) if !makes_directories(found, *transform) => problems.add(
                at,
                format!(
                    "{column:?} is a {}, whose values do not make directories by {transform:?}; {}",
                    type_name(found),
                    way_out(found, *transform)
                ),
            ),
            Some(_) if column.starts_with('_') => problems.add(
                at,
                format!("{column:?} begins with \"_\": Hive and PyArrow hide directories of such names, and the rows with them; rename the column"),
            ),
            Some(_) if valid.contains(field) => problems.add(at, format!("{column:?} stands here twice; remove one")),
            Some(_) => valid.push(field.clone()),
        }
    }
    valid
}

/// Types whose values make directories by a transform.
fn types_of(transform: PartitionTransform) -> &'static [ColumnType] {
    use ColumnType::{Boolean, Date, Int32, Int64, String, Timestamp};
    match transform {
        PartitionTransform::Identity => &[Int32, Int64, Boolean, Date, String],
        PartitionTransform::Year | PartitionTransform::Month | PartitionTransform::Day => &[Date, Timestamp],
        PartitionTransform::Hour => &[Timestamp],
    }
}

fn makes_directories(column: &ColumnPlan, transform: PartitionTransform) -> bool {
    !column.is_list() && types_of(transform).contains(&column.value_type.column_type())
}

/// What to write instead.
fn way_out(column: &ColumnPlan, transform: PartitionTransform) -> String {
    use PartitionTransform::{Day, Hour, Identity, Month, Year};
    let others: Vec<String> = [Identity, Year, Month, Day, Hour]
        .into_iter()
        .filter(|other| makes_directories(column, *other))
        .map(|other| format!("{other:?}"))
        .collect();
    let types: Vec<String> = types_of(transform).iter().map(|column_type| format!("{column_type:?}")).collect();
    let choose = format!("choose a column of type {}", types.join(" or "));
    if others.is_empty() { choose } else { format!("write transform: {}, or {choose}", others.join(" or ")) }
}

/// Columns whose order files have: lists have none.
fn check_sort(sort_by: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    let at = "spec.processed.sortBy";
    check_columns(at, sort_by, ingest, problems);
    for (index, column) in sort_by.iter().enumerate() {
        if ingest.column(column).is_some_and(ColumnPlan::is_list) {
            let message = format!("{column:?} is a List, which has no order; use another column");
            problems.add(format!("{at}[{index}]"), message);
        }
    }
}
