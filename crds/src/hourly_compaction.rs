//! `HourlyCompaction`: what is new in a RAW zone moves on to a Processed zone, once and without duplicates.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hadoop::Hadoop;
use crate::pod::PodOptions;
use crate::shared::ZoneStatus;

/// Moves what is new in the RAW zone of a StreamIngest to a Processed zone every hour, deduplicated and partitioned.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "gristmill.dev",
    version = "v1alpha1",
    kind = "HourlyCompaction",
    plural = "hourlycompactions",
    namespaced,
    status = "HourlyCompactionStatus",
    derive = "PartialEq",
    shortname = "hc",
    category = "gristmill",
    doc = "Moves what is new in the RAW zone of a StreamIngest to a Processed zone every hour, deduplicated and partitioned.",
    label("app.kubernetes.io/part-of", "gristmill"),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name has more than 40 characters; shorten it: names of pods and jobs are made from it"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].reason", name = "Reason", type_ = "string"),
    printcolumn(json_path = ".status.lastSuccessfulTime", name = "Last Run", type_ = "date"),
    printcolumn(json_path = ".status.runs[0].result", name = "Result", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date"),
    printcolumn(json_path = ".spec.processed.path", name = "Processed", type_ = "string", priority = 1)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HourlyCompactionSpec {
    /// The StreamIngest whose RAW zone is compacted, in the same namespace.
    pub ingest_ref: IngestRef,
    /// When a run starts, in cron syntax. Default "5 * * * *": five minutes past every hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub schedule: Option<String>,
    /// Time zone of the schedule, a name of the IANA database. Default Etc/UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// Where the clean rows are written.
    pub processed: Processed,
    /// Which rows are the same, and which of them stays.
    pub deduplication: Deduplication,
    /// Identity towards HDFS. Default: that of the StreamIngest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hadoop: Option<Hadoop>,
    /// Resources, place and surroundings of the pod of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodOptions>,
}

/// A StreamIngest of the same namespace.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngestRef {
    /// Name of the StreamIngest. It can't be changed: positions in the Processed zone's log belong to its RAW zone.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("ingestRef.name can't be changed; create a new HourlyCompaction with its own processed.path"))]
    pub name: String,
}

/// Where the clean rows are written.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
}

/// One level of directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionField {
    /// A column of the StreamIngest, of type Int32, Int64, Boolean, Date or String.
    #[schemars(length(min = 1, max = 128))]
    pub column: String,
    /// What the directory is named by.
    pub transform: PartitionTransform,
}

/// What a directory is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PartitionTransform {
    /// The value itself: COLUMN=VALUE. The column is then not repeated in the file.
    Identity,
}

/// Which rows are the same, and which of them stays.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.orderBy) == has(oldSelf.orderBy) && (!has(self.orderBy) || self.orderBy == oldSelf.orderBy)")
    .message("deduplication.orderBy can't be changed; create a new HourlyCompaction with its own processed.path"))]
pub struct Deduplication {
    /// Columns that identify a row in the whole zone, at most 16. Float64 and lists can't be keys. It can't be changed.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 128)))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self == oldSelf")
            .message("deduplication.key can't be changed; create a new HourlyCompaction with its own processed.path")
    )]
    pub key: Vec<String>,
    /// Columns that decide which row of a key stays: the greatest, null lowest. Default: none.
    ///
    /// Rows that are equal here are decided by Kafka timestamp, topic id, partition and offset: the latest stays. It can't be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub order_by: Vec<String>,
}

/// What the operator observed.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HourlyCompactionStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The Processed zone's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneStatus>,
    /// How far the RAW zone has been consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePosition>,
    /// End of the newest run that succeeded (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<String>,
    /// Name of the Job that runs now, empty when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_job: Option<String>,
    /// The last 5 runs, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub runs: Vec<Run>,
    /// Ready: the last run succeeded. Accepted: the spec is valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// How far a RAW zone has been consumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourcePosition {
    /// Id of the RAW zone.
    pub zone: String,
    /// Sequence of its last entry whose rows are in the Processed zone; -1 before the first run.
    pub consumed_sequence: i64,
}

/// One run, as the Processed zone's log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Sequence of the entry that the run committed.
    pub sequence: i64,
    /// Start (RFC 3339, UTC).
    pub start_time: String,
    /// End (RFC 3339, UTC).
    pub completion_time: String,
    /// What became of it.
    pub result: RunResult,
    /// Rows by what became of them.
    pub rows: RunRows,
    /// Live files before and after.
    pub files: RunFiles,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunResult {
    /// Outputs and position are committed and published.
    Succeeded,
}

/// Rows of a run by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRows {
    /// Rows read from new RAW files.
    pub read: i64,
    /// Rows that lost against another row of the same run.
    pub duplicate_in_delta: i64,
    /// Rows that lost against a row of the zone, or equal it in all columns.
    pub duplicate_in_zone: i64,
    /// Rows written that were not in the zone before, or replace one.
    pub written: i64,
}

/// Live files of a zone around a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunFiles {
    /// Live files before the run.
    pub before: i64,
    /// Live files after the run.
    pub after: i64,
}
