//! `StreamIngest`: XML messages of one Kafka topic become the rows of a RAW zone.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hadoop::Hadoop;
use crate::ingest_status::StreamIngestStatus;
use crate::network::NetworkPolicyOptions;
use crate::pod::PodOptions;
use crate::raw::Raw;
use crate::rejected::Rejected;
use crate::scalar::Bound;
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

/// How a message becomes rows.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Path of the element that is one row, from the root, for example /library/book.
    ///
    /// Names are separated by "/"; a name matches an element of any namespace.
    #[schemars(length(min = 2, max = 1024), regex(pattern = "^/"))]
    pub row_path: String,
    /// Columns of the row, at most 1000.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub columns: Vec<Column>,
}

/// One column: where its text is found, what it is formatted to, and which values are valid.
///
/// The order is fixed: trim, nullIf, type, then the rules required, pattern, min and max. A row that breaks a rule is rejected with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Name of the column in Parquet. Names that begin with kafka_ and record_index, generation, ingest_date, ingest_hour are reserved.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Path of the value relative to the row, or from the root of the message when it begins with "/".
    ///
    /// Names separated by "/"; the last step may be @attribute or text(). Examples: title, author/name, @id, /library/@region.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
    /// Type of the column. Default String. Boolean takes true, false, 1 and 0; Date takes YYYY-MM-DD.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub column_type: Option<ColumnType>,
    /// Rejects the row when the value is null: the element is missing, is empty (other types than String), or nullIf matched. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Removes white space at both ends before anything else. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim: Option<bool>,
    /// Texts that become null, compared after trimming, for example ["", "N/A"]. Quote words such as "NO".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    pub null_if: Vec<String>,
    /// Regular expression (Rust regex, not anchored) that a String must match, for example ^[0-9a-f-]{36}$.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,
    /// Smallest valid value of an Int32, Int64, Float64 or Date. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bound>,
    /// Greatest valid value of an Int32, Int64, Float64 or Date. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bound>,
}

/// Type of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColumnType {
    /// Text in UTF-8.
    #[default]
    String,
    /// true or 1, false or 0.
    Boolean,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 64-bit floating point number.
    Float64,
    /// Calendar day, YYYY-MM-DD.
    Date,
}
