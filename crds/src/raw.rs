//! Where rows are written, when a file is closed, and how long it stays.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{HumanDuration, Period, Quantity};

/// Where rows are written.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Raw {
    /// Directory of the RAW zone, hdfs://HOST[:PORT]/PATH or file:///PATH. It can't be changed.
    ///
    /// Rejected messages and rows are written to a sibling directory with the suffix _rejected.
    #[schemars(length(min = 8, max = 1024), regex(pattern = r"^(hdfs|file)://"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("raw.path can't be changed; create a new StreamIngest for another zone: its startFrom says where it begins, and `gristmill inspect --json` where this one stands"))]
    pub path: String,
    /// When an open file is closed and committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<RawFiles>,
    /// Compression of the Parquet files. Default Zstd. A change concerns new files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// How long rows stay in RAW. Default: for ever.
    ///
    /// A file goes when it is older than `after` and every registered compaction has consumed it. Rejects have
    /// rejected.retention of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RawRetention>,
}

/// When an open RAW file is closed and committed: at the size, the number of records or the age, whichever comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawFiles {
    /// Size of a closed Parquet file. Default 128Mi, from 1Mi to 8Gi. The worker's memory may close it earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_size: Option<Quantity>,
    /// Messages of a file at the most, for example 1000000. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_records: Option<i64>,
    /// Longest time that a message waits before it is committed, also when the topic falls silent. Default 5m, from 1s to 24h.
    ///
    /// A shorter time makes rows visible sooner and files smaller: 5m is at most 288 files a day and worker, 1m 1,440.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<HumanDuration>,
}

/// Compression of Parquet files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Compression {
    /// zstd: small files.
    #[default]
    Zstd,
    /// snappy: larger files, less CPU.
    Snappy,
    /// None: what is stored is compressed already, or is read far more often than kept.
    Uncompressed,
}

/// How long rows stay, and what becomes of them then.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.archivePath) == (self.action == 'Archive')")
    .message("archivePath is set if and only if action is Archive"))]
pub struct RawRetention {
    /// Age at which a file goes, counted from its commit, for example 30d. Units d (24 hours), h, m, s and ms.
    pub after: Period,
    /// Delete or Archive.
    pub action: RetentionAction,
    /// With action Archive: the directory that files are copied to, hdfs://HOST[:PORT]/PATH or file:///PATH.
    ///
    /// Copies keep their place below it, and are compared with their originals before those go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 1024), regex(pattern = r"^(hdfs|file)://"))]
    pub archive_path: Option<String>,
}

/// What becomes of a file at the end of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetentionAction {
    /// It is deleted.
    Delete,
    /// It is copied to archivePath, byte for byte, and then deleted.
    Archive,
}
