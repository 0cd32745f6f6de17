//! `StreamIngest`: XML messages of one Kafka topic become the rows of a RAW zone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::scalar::{HumanDuration, Quantity};
use crate::shared::{Hadoop, PodOptions, ZoneStatus};

/// Lands the XML messages of a Kafka topic as Parquet files in a RAW zone, each message exactly once.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "gristmill.dev",
    version = "v1alpha1",
    kind = "StreamIngest",
    plural = "streamingests",
    namespaced,
    status = "StreamIngestStatus",
    derive = "PartialEq",
    shortname = "sti",
    category = "gristmill",
    doc = "Lands the XML messages of a Kafka topic as Parquet files in a RAW zone, each message exactly once.",
    label("app.kubernetes.io/part-of", "gristmill"),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name has more than 40 characters; shorten it: names of pods and jobs are made from it"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].reason", name = "Reason", type_ = "string"),
    printcolumn(json_path = ".status.lag.records", name = "Lag", type_ = "integer"),
    printcolumn(json_path = ".status.readyReplicas", name = "Workers", type_ = "integer"),
    printcolumn(json_path = ".status.zone.lastCommitTime", name = "Last Commit", type_ = "date"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date"),
    printcolumn(json_path = ".status.consumerGroup", name = "Group", type_ = "string", priority = 1),
    printcolumn(json_path = ".spec.raw.path", name = "RAW", type_ = "string", priority = 1),
    printcolumn(json_path = ".status.zone.sequence", name = "Sequence", type_ = "integer", priority = 1)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamIngestSpec {
    /// Where the messages come from.
    pub source: Source,
    /// How a message becomes rows, and which rows are valid.
    pub record: Record,
    /// Where the rows are written.
    pub raw: Raw,
    /// Identity towards HDFS. Needed for an hdfs:// path in a cluster; on a laptop HADOOP_USER_NAME is honoured without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hadoop: Option<Hadoop>,
    /// Resources of the worker pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodOptions>,
}

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// A Kafka topic.
    pub kafka: KafkaSource,
}

/// One Kafka topic.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaSource {
    /// Comma-separated host:port list of brokers to begin with, for example kafka-0.kafka:9092,kafka-1.kafka:9092.
    #[schemars(length(min = 1, max = 4096))]
    pub bootstrap_servers: String,
    /// Name of the topic. It can't be changed: offsets in the zone's log belong to this topic.
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("source.kafka.topic can't be changed; create a new StreamIngest with its own raw.path for another topic"))]
    pub topic: String,
    /// Consumer group. Default gristmill.NAMESPACE.NAME.HASH with 8 hex digits of the SHA-256 of raw.path.
    ///
    /// It is fixed when the zone is created. Offsets are committed to it for lag tools and never read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub consumer_group: Option<String>,
    /// Where to begin when the zone is new. Default Earliest. Without effect once the zone has a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<StartFrom>,
}

/// Where to begin in a topic when the zone is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartFrom {
    /// Earliest: every message that the brokers still hold. Latest: only messages that come after the zone's creation.
    pub position: StartPosition,
}

/// A position in a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StartPosition {
    /// The oldest message that the brokers hold.
    #[default]
    Earliest,
    /// The end of the topic at the time when the zone is created.
    Latest,
}

/// Where rows are written.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Raw {
    /// Directory of the RAW zone, hdfs://HOST[:PORT]/PATH or file:///PATH. It can't be changed.
    ///
    /// Rejected messages and rows are written to a sibling directory with the suffix _rejected.
    #[schemars(length(min = 8, max = 1024), regex(pattern = r"^(hdfs|file)://"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("raw.path can't be changed; create a new StreamIngest for another zone: its startFrom says where it begins"))]
    pub path: String,
    /// When an open file is closed and committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<RawFiles>,
}

/// When an open RAW file is closed and committed: at the size or at the age, whichever comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawFiles {
    /// Size of a closed Parquet file. Default 128Mi. The worker's memory may close it earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_size: Option<Quantity>,
    /// Longest time that a message waits before it is committed, also when the topic falls silent. Default 5m.
    ///
    /// A shorter time makes rows visible sooner and files smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<HumanDuration>,
}

/// What the operator observed.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamIngestStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Time of the figures below (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_time: Option<String>,
    /// Version of the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Consumer group that shows the lag in Kafka's tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
    /// Pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// The RAW zone's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneStatus>,
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
    /// Ready: messages flow. Accepted: the spec is valid.
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
}
