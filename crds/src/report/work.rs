//! What a worker did lately and what lies before it: the figures that its size is decided by.

use serde::{Deserialize, Serialize};

/// Figures of one worker. Rates and times are those of the window; the partitions are those that the worker owns now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkReport {
    /// Seconds over which the figures were counted: about a minute, less after the start and after a rebalance.
    pub window_seconds: f64,
    /// CPU seconds of the whole process in the window, librdkafka's threads included.
    pub cpu_seconds: f64,
    /// Kafka records that were decoded in the window.
    pub records: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Wall seconds of the window in which records were decoded.
    pub decode_seconds: f64,
    /// Wall seconds in which rows were encoded, the store's part of it included.
    pub encode_seconds: f64,
    /// Wall seconds from sealing a file until its entry was published. What a file encodes as it is sealed is in both.
    pub commit_seconds: f64,
    /// Wall seconds of the two above in which the process waited for the store.
    pub store_wait_seconds: f64,
    /// Threads that decode.
    pub decode_threads: u32,
    /// Partitions that the worker owns, those that are stuck included.
    pub partitions: u32,
    /// Records a second that arrive in its partitions; absent until their ends were seen twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<f64>,
    /// Records of its partitions that it has not read yet. What is read and not committed is no work to come.
    pub backlog: u64,
    /// Those of its partitions that it reads no more although they have records, as part of the figures above.
    #[serde(default)]
    pub stuck: StuckWork,
    /// The partition with most work among those that are not stuck, arrival and a share of the backlog together; absent
    /// while no arrival is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hottest: Option<PartitionWork>,
}

/// Partitions that no worker makes progress on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckWork {
    /// How many.
    pub partitions: u32,
    /// Records a second that arrive in them.
    pub arrival: f64,
    /// Records of them that are not read.
    pub backlog: u64,
}

/// What lies before a worker in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionWork {
    /// Its number.
    pub partition: i32,
    /// Records a second that arrive in it.
    pub arrival: f64,
    /// Records of it that are not read.
    pub backlog: u64,
}
