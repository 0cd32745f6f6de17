//! The blocks that both resources have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::Quantity;

/// How the pods identify themselves to HDFS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hadoop {
    /// Simple authentication: HDFS believes the name it is given. It is no security boundary.
    pub simple: SimpleAuthentication,
}

/// A user name that HDFS believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimpleAuthentication {
    /// Name of the HDFS user that owns the files, for example etl.
    ///
    /// Ingest and compaction of one zone should be the same user: files are created with mode 0644.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z_][A-Za-z0-9._-]*$"))]
    pub user: String,
}

/// Resources of the pods that the operator creates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodOptions {
    /// CPU request of a pod. Default 500m. No limit is set, so that a pod may use idle CPU of its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory of a pod, as request and as limit. Default 256Mi for ingest, 1Gi for compaction.
    ///
    /// An ingest worker keeps its buffers below it. A compaction needs about 100 bytes and the key for each new row,
    /// and the new rows of one run themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// The log of a zone, as far as it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// Id of the zone, made once when the zone was created.
    pub id: String,
    /// Format of the zone's log.
    pub format: i32,
    /// Sequence of the newest entry.
    pub sequence: i64,
    /// Time of the newest entry (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit_time: Option<String>,
}
