//! `HourlyCompaction`: what is new in a RAW zone moves on to a Processed zone, once and without duplicates.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compaction_status::HourlyCompactionStatus;
use crate::hadoop::Hadoop;
use crate::pod::PodOptions;
use crate::processed::Processed;
use crate::scalar::{HumanDuration, Period, Quantity};
use crate::scaling::ScalingMode;

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
    annotation("argocd.argoproj.io/sync-wave", "-1"),
    annotation("argocd.argoproj.io/sync-options", "ServerSideApply=true,Prune=false,Delete=false"),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name has more than 40 characters; shorten it: names of pods and jobs are made from it"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].reason", name = "Reason", type_ = "string"),
    printcolumn(json_path = ".status.lastSuccessfulTime", name = "Last Run", type_ = "date"),
    printcolumn(json_path = ".status.runs[0].result", name = "Result", type_ = "string"),
    printcolumn(json_path = ".status.processedThrough", name = "Through", type_ = "date"),
    printcolumn(json_path = ".status.nextRunTime", name = "Next", type_ = "string"),
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
    /// How late a run may start after its time, for example when the cluster was away. Default 50m, from 10s to 24h.
    ///
    /// A run that is missed is no loss: the next one takes what it would have taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_deadline: Option<HumanDuration>,
    /// How often a run that failed is tried again before the next one is due. Default 3, from 0 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub backoff_limit: Option<i32>,
    /// Where the clean rows are written, and how.
    pub processed: Processed,
    /// Which rows are the same, and which of them stays.
    pub deduplication: Deduplication,
    /// Which rows come too late, and what becomes of them. Default: no row is late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness: Option<Lateness>,
    /// Columns of the StreamIngest that the Processed zone has, for example [record_id, title]. Default: all.
    ///
    /// Their order is that of the StreamIngest. Columns that another field of this resource names are kept without being
    /// named here: key, orderBy, partitionBy, sortBy and lateness. A column that the zone's files hold already can't be
    /// left out later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub columns: Vec<String>,
    /// How much CPU and memory a run has, and who decides it. Default: mode Advise, with pod.cpu and pod.memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Sizing>,
    /// Identity towards HDFS. Default: that of the StreamIngest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hadoop: Option<Hadoop>,
    /// No run starts while it is true; one that runs goes on. Default false. Data and positions stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
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

/// Which rows are the same, and which of them stays.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.orderBy) == has(oldSelf.orderBy) && (!has(self.orderBy) || self.orderBy == oldSelf.orderBy)")
        .message("deduplication.orderBy can't be changed; create a new HourlyCompaction with its own processed.path"),
    validation = Rule::new("(has(self.keep) ? self.keep : 'Latest') == (has(oldSelf.keep) ? oldSelf.keep : 'Latest')")
        .message("deduplication.keep can't be changed; create a new HourlyCompaction with its own processed.path")
)]
pub struct Deduplication {
    /// Columns that identify a row in the whole zone, at most 16. Float64 and lists can't be keys. It can't be changed.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 128)))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self == oldSelf")
            .message("deduplication.key can't be changed; create a new HourlyCompaction with its own processed.path")
    )]
    pub key: Vec<String>,
    /// Which row of a key stays: the Latest (the default) or the Earliest. It can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Columns that decide which row of a key is the latest: the greatest, null lowest, then NaN. Default: none.
    ///
    /// Rows that are equal here are decided by Kafka timestamp, topic id, partition, offset and row of the message. Of one
    /// message that was read again after a rewind only the last reading takes part. It can't be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub order_by: Vec<String>,
}

/// Which row of a key stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Keep {
    /// The greatest by orderBy: a later version replaces an earlier one.
    #[default]
    Latest,
    /// The smallest by orderBy: what came first stays as it is, unless something earlier comes.
    Earliest,
}

/// Which rows come too late, and what becomes of them.
///
/// A row is late when its time lies before what was processed through at the last run, less `allowed`. A row without a
/// time is never late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lateness {
    /// The column with the time of a row, a Timestamp or a Date of the StreamIngest. A Date is late when all of its day is.
    #[schemars(length(min = 1, max = 128))]
    pub column: String,
    /// How far behind a row may be, for example 30d. Units d (24 hours), h, m, s and ms. At most 36525d.
    pub allowed: Period,
    /// What becomes of late rows: Merge (the default) or Reject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<LatePolicy>,
}

/// What becomes of rows that come too late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LatePolicy {
    /// They are written like all others; the run counts them.
    #[default]
    Merge,
    /// They are written to the sibling directory of the zone with the suffix _rejected, with reason Late.
    Reject,
}

/// How much CPU and memory a run has, and who decides it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sizing {
    /// Manual, Advise (the default) or Auto. In Manual and Advise pod.cpu and pod.memory count, and one pod runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ScalingMode>,
    /// Time in which a run is to end. Default 5m, from 10s to 24h. A shorter time takes more CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_duration: Option<HumanDuration>,
    /// CPU of one pod at the most. Default "4".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_per_pod: Option<Quantity>,
    /// Memory of one pod at the most. Default 8Gi, from 128Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_per_pod: Option<Quantity>,
    /// Local disk that a run may take for what its memory does not hold. Default 20Gi, from 64Mi to 16Ti.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_spill_per_pod: Option<Quantity>,
    /// Pods that may share a run. Default 1. More than one takes as many processed.buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub max_parallelism: Option<i32>,
}
