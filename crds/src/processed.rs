//! The Processed zone of an `HourlyCompaction`: its place, its directories and its files.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::Compression;
use crate::scalar::Quantity;

/// Where the clean rows are written, and how.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.buckets) ? self.buckets : 1) == (has(oldSelf.buckets) ? oldSelf.buckets : 1)")
    .message("processed.buckets can't be changed; create a new HourlyCompaction with its own processed.path"))]
pub struct Processed {
    /// Directory of the Processed zone, hdfs://HOST[:PORT]/PATH or file:///PATH. It can't be changed.
    #[schemars(length(min = 8, max = 1024), regex(pattern = r"^(hdfs|file)://"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("processed.path can't be changed; create a new HourlyCompaction for another zone"))]
    pub path: String,
    /// Directories that rows are split into, outermost first, at most 3. It can't be changed.
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self == oldSelf")
            .message("processed.partitionBy can't be changed; create a new HourlyCompaction with its own processed.path")
    )]
    pub partition_by: Vec<PartitionField>,
    /// Columns that the rows of a file are sorted by, at most 16; after them by the key. Default: the key alone.
    ///
    /// A change concerns files that are written from then on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub sort_by: Vec<String>,
    /// How large files are, and which are put together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<ProcessedFiles>,
    /// Compression of the Parquet files. Default Zstd. A change concerns new files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Parts that keys are spread over by their hash. Default 1, at most 256. It can't be changed.
    ///
    /// Several pods can share a run only if there are several: no file spans buckets. The price is as many times more files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub buckets: Option<i32>,
}

/// How large files of a Processed zone are, and which are put together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessedFiles {
    /// Size of a closed Parquet file, if its directory has so many rows. Default 256Mi, from 1Mi to 8Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_size: Option<Quantity>,
    /// Files below this size are put together once a directory has four of them. Default: a quarter of targetSize.
    ///
    /// From 1Ki to targetSize. A greater size means fewer files, and more that a run writes anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_below: Option<Quantity>,
    /// Rows of a file at the most, for example 10000000. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_records: Option<i64>,
}

/// One level of directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionField {
    /// A column of the StreamIngest. Identity takes Int32, Int64, Boolean, Date or String; Year, Month and Day a Date or a
    /// Timestamp; Hour a Timestamp.
    #[schemars(length(min = 1, max = 128))]
    pub column: String,
    /// What the directory is named by.
    pub transform: PartitionTransform,
}

/// What a directory is named by.
///
/// Years, months, days and hours are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PartitionTransform {
    /// The value itself: COLUMN=VALUE. The column is then not repeated in the file.
    Identity,
    /// The year: COLUMN_year=2026. The column itself stays in the file, as it does with the others below.
    Year,
    /// The month: COLUMN_month=2026-11.
    Month,
    /// The day: COLUMN_day=2026-11-23.
    Day,
    /// The hour: COLUMN_hour=2026-11-23-05.
    Hour,
}

impl PartitionField {
    /// The name of the directory's column: the column's own, or with the transform behind it: `updated_at_month`.
    pub fn directory_column(&self) -> String {
        match self.transform.suffix() {
            None => self.column.clone(),
            Some(suffix) => format!("{}_{suffix}", self.column),
        }
    }
}

impl PartitionTransform {
    /// What a directory's name has behind the column's; none for the value itself.
    fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Year => Some("year"),
            Self::Month => Some("month"),
            Self::Day => Some("day"),
            Self::Hour => Some("hour"),
        }
    }
}
