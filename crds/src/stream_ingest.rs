//! `StreamIngest`: XML messages of one Kafka topic become the rows of a RAW zone.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::hadoop::Hadoop;
use crate::ingest_status::StreamIngestStatus;
use crate::network::NetworkPolicyOptions;
use crate::pod::PodOptions;
use crate::raw::Raw;
use crate::record::Record;
use crate::rejected::Rejected;
use crate::scaling::Scaling;
use crate::source::{Rewind, Source};

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
    scale(
        spec_replicas_path = ".spec.scaling.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    doc = "Lands the XML messages of a Kafka topic as Parquet files in a RAW zone, each message exactly once.",
    label("app.kubernetes.io/part-of", "gristmill"),
    annotation("argocd.argoproj.io/sync-wave", "-1"),
    annotation("argocd.argoproj.io/sync-options", "ServerSideApply=true,Prune=false,Delete=false"),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name has more than 40 characters; shorten it: names of pods and jobs are made from it"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].reason", name = "Reason", type_ = "string"),
    printcolumn(json_path = ".status.lag.records", name = "Lag", type_ = "integer"),
    printcolumn(json_path = ".status.lag.seconds", name = "Behind", type_ = "integer"),
    printcolumn(json_path = ".status.rejectedPercent", name = "Rejected%", type_ = "string"),
    printcolumn(json_path = ".status.readyReplicas", name = "Workers", type_ = "integer"),
    printcolumn(json_path = ".status.sizing.cpuPerWorker", name = "CPU", type_ = "string"),
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
    /// What becomes of invalid messages, and how many are too many. Default: the defaults of its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// Where the rows are written.
    pub raw: Raw,
    /// Identity towards HDFS. Needed for an hdfs:// path in a cluster; on a laptop HADOOP_USER_NAME is honoured without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hadoop: Option<Hadoop>,
    /// How many workers there are, and how much CPU each of them has. Default: mode Advise, one worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Reads the topic again from another position, once for each nonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewind: Option<Rewind>,
    /// No pods while it is true; they commit and leave first. Default false. Data and positions stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Resources, place and surroundings of the worker pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodOptions>,
    /// The NetworkPolicy of the worker pods. Default {mode: Ingress}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicyOptions>,
}
