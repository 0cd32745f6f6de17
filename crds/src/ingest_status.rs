//! What the operator observed of a `StreamIngest`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{ZoneStatus, pending};

/// What the operator observed.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = pending()))]
pub struct StreamIngestStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Time of the figures below (RFC 3339, UTC). They are written when one of them changed, at most every 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_time: Option<String>,
    /// Version of the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Consumer group that shows the lag in Kafka's tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
    /// Selector of the worker pods, for HPA and `kubectl scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// The RAW zone's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneStatus>,
    /// Complete up to here: every message of an earlier Kafka timestamp is committed (RFC 3339, UTC).
    ///
    /// It falls by a rewind only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// Partitions of the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// Every consumed offset by what became of it, over the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<MessageCounts>,
    /// Rows written, over the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowCounts>,
    /// What is not yet committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// Messages with a reject in the window of the budget, in percent, for example "0.2".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_percent: Option<String>,
    /// What retention did, and what holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionStatus>,
    /// The size that measured cost and backlog ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizing: Option<SizingStatus>,
    /// Ready: messages flow. Accepted: the spec is valid. ResolvedRefs: Secrets and ConfigMaps are there.
    /// BacklogWithinTarget: what waits is younger than scaling.catchUpDuration. RejectedWithinBudget: rejects are within
    /// rejected.maxPercent. ScalingLimited: there are fewer workers than are wanted. Stalled, Reconciling, Suspended and
    /// ReconciliationPaused are there only while they are True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The identity: to - from = accepted + rejected + tombstones + absent + gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageCounts {
    /// Messages of which at least one row was written.
    pub accepted: i64,
    /// Messages of which no row was written.
    pub rejected: i64,
    /// Messages without a value.
    pub tombstones: i64,
    /// Offsets that the broker did not deliver: transaction markers, aborted or compacted messages.
    pub absent: i64,
    /// Offsets that were lost and recorded as such.
    pub gaps: i64,
}

/// Rows over the whole log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowCounts {
    /// Rows in RAW files.
    pub accepted: i64,
    /// Reject records: one for each invalid row, or one for a message without rows.
    pub rejected: i64,
}

/// Distance between the end of the topic and what is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lag {
    /// Messages between the end offsets and the committed offsets.
    pub records: i64,
    /// Age of the oldest of them, in seconds; 0 when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// What retention did, over the whole log, and what holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionStatus {
    /// Files that were removed from the zone.
    pub removed_files: i64,
    /// Their bytes; a text, since JSON numbers lose digits above 2^53.
    pub removed_bytes: String,
    /// What holds files whose time has come: the consumer that has not yet passed them, a compaction that is not yet
    /// registered, or files that can't be archived and why; empty when nothing does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub held_by: String,
    /// Commit time of the oldest live file (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_file_time: Option<String>,
}

/// The size that measured cost and backlog ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizingStatus {
    /// Workers.
    pub desired_replicas: i32,
    /// CPU of each worker, for example 750m.
    pub cpu_per_worker: String,
    /// CPU of the pod template: a pod that is created now starts with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_cpu: Option<String>,
    /// What keeps the size below what is needed, or None.
    pub limited_by: String,
    /// Time of the decision (RFC 3339, UTC).
    pub time: String,
    /// The figures that led to it, in one sentence.
    pub explanation: String,
}
