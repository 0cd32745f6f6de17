//! The status of an `HourlyCompaction`: what its runs told of themselves.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{ZoneStatus, pending};

/// What the operator observed.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
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
    /// Every message before it is in the Processed zone (RFC 3339, UTC), unless a producer's clock goes back. Absent until
    /// each partition has had a message with a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed_through: Option<String>,
    /// When the next run starts by the schedule (RFC 3339, UTC). Absent while the resource is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<String>,
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
    /// The size of the next run. Absent in mode Manual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizing: Option<CompactionSizing>,
    /// Ready: the last run succeeded. Accepted: the spec is valid. ResolvedRefs: the StreamIngest, Secrets and ConfigMaps are
    /// there. Stalled, Reconciling, Suspended and ReconciliationPaused are there only while they are True.
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
    /// Entries of the RAW zone after it when the newest run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog_entries: Option<i64>,
    /// Bytes of the RAW files that those entries added; a text, since JSON numbers lose digits above 2^53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog_bytes: Option<String>,
}

/// One run, as the Processed zone's log holds it. A run that several pods shared is one run here: their rows, files and
/// CPU time are added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Sequence of the entry that the run committed; of several pods the last one.
    pub sequence: i64,
    /// Who started it: Schedule or Manual. Absent for a run outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<RunTrigger>,
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
    /// The buckets of a run that was for some of them only, `gristmill compact --shard`. Absent if it was for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<RunBuckets>,
    /// Pods that shared it. Absent for a run of one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<i32>,
    /// What it took. Absent where nobody could tell: in runs beside an ingest in one process, in those that computed the
    /// whole zone anew, and in runs of versions that did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<RunCost>,
    /// CPU that all its pods requested together, for example 750m. Absent for a run outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
}

/// Some of the buckets of a zone that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunBuckets {
    /// The first one, from 0.
    pub first: i32,
    /// The last one.
    pub last: i32,
}

/// What a run took, by which the next one is sized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunCost {
    /// Bytes of the RAW files that were new to it; a text, since JSON numbers lose digits above 2^53.
    pub delta_bytes: String,
    /// CPU time of all its processes, in milliseconds.
    pub cpu_milliseconds: i64,
}

/// The size of the next run, from what waits and what the last runs took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompactionSizing {
    /// CPU of each pod, for example 750m. In mode Auto its request.
    pub cpu: String,
    /// Memory of each pod, for example 2Gi. In mode Auto its request and limit.
    pub memory: String,
    /// Pods that share the run.
    pub parallelism: i32,
    /// Memory without which a pod was ended, or which a run asked for. The next runs get no less, until mode Manual is set
    /// once or spec.pod.memory says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_memory: Option<String>,
    /// The figures that led to it, in one sentence.
    pub explanation: String,
    /// Inputs, formula with numbers in it, result, what limits it and what would change it, a line each.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
}

/// Who started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunTrigger {
    /// The schedule.
    Schedule,
    /// A user, for example by `kubectl create job --from=cronjob/...`.
    Manual,
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
    /// Rows that came too late, by lateness, whatever became of them.
    #[serde(default)]
    pub late: i64,
    /// Of the late rows those that were rejected.
    #[serde(default)]
    pub rejected: i64,
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
    /// Bytes of the live files before the run.
    #[serde(default)]
    pub bytes_before: i64,
    /// Bytes of the live files after the run.
    #[serde(default)]
    pub bytes_after: i64,
}
