//! How many workers there are and how much CPU each has, and who decides it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{HumanDuration, Quantity};

/// How many workers there are, and how much CPU each of them has.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.replicas) || !has(self.mode) || self.mode != 'Auto'")
        .message("replicas is decided by the operator in mode Auto; remove it and set minReplicas and maxReplicas, or write mode: Manual"),
    validation = Rule::new("!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas")
        .message("minReplicas is greater than maxReplicas")
)]
pub struct Scaling {
    /// Manual, Advise (the default) or Auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ScalingMode>,
    /// Workers in mode Manual and Advise, from 0. Default: minReplicas. `kubectl scale`, HPA and KEDA set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// Fewest workers in mode Auto. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: Option<i32>,
    /// Most workers in mode Auto. Default 10. There are never more than the topic has partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: Option<i32>,
    /// CPU of one worker at the most; above it another worker is added. Default "2".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_per_worker: Option<Quantity>,
    /// CPU of all workers together at the most, for example "8". Default: no limit but maxReplicas and maxCpuPerWorker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu: Option<Quantity>,
    /// Share of its CPU that a worker is to use, in percent. Default 70, from 10 to 95. The rest is for peaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 95))]
    pub target_utilization_percent: Option<i32>,
    /// Time in which a backlog is to be worked off. Default 30m. A shorter time takes more CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up_duration: Option<HumanDuration>,
    /// Time between two decisions that add CPU or workers. Default 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stabilization_interval: Option<HumanDuration>,
    /// Time for which less must be enough before CPU or workers are taken away. Default 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down_interval: Option<HumanDuration>,
}

/// Who decides about the size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScalingMode {
    /// You, by what the resource says. Nothing is computed.
    Manual,
    /// You; status.sizing says what the operator would do, and why.
    #[default]
    Advise,
    /// The operator, by measured cost and backlog.
    Auto,
}
