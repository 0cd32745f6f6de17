//! What one observation of a StreamIngest consists of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most workers that a document may ask for.
pub(crate) const MOST_REPLICAS: u32 = 1_000;

/// All that a decision is made of, beside what is remembered in [`History`](crate::History).
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Now, in seconds since 1970.
    pub time: u64,
    /// What the document allows.
    pub limits: Limits,
    /// Partitions of the topic; 0 while no worker has told.
    pub partitions: u32,
    /// The workers that there are, those included that told nothing.
    pub workers: Vec<Worker>,
    /// What kept an earlier decision from being carried out.
    pub obstacles: Vec<Obstacle>,
    /// The size in effect: replicas of the Deployment, and the CPU that its pods have.
    pub running: Size,
}

/// Workers, and the CPU of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Workers.
    pub replicas: u32,
    /// CPU of each worker, in thousandths of a core.
    pub cpu: u32,
}

impl Size {
    /// CPU of all workers, in thousandths of a core.
    pub fn total(self) -> u64 {
        u64::from(self.replicas) * u64::from(self.cpu)
    }
}

/// `spec.scaling`, with its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Who decides.
    pub mode: Mode,
    /// Fewest workers.
    pub min_replicas: u32,
    /// Most workers.
    pub max_replicas: u32,
    /// CPU of one worker at the most, in thousandths of a core.
    pub max_cpu_per_worker: u32,
    /// CPU of all workers at the most, in thousandths of a core.
    pub max_cpu: Option<u32>,
    /// Share of its CPU that a worker is to use.
    pub target_utilization_percent: u32,
    /// Time in which a backlog is to be worked off.
    pub catch_up: Duration,
    /// Time between two decisions that add.
    pub stabilization: Duration,
    /// Time for which less must be enough before anything is taken away.
    pub scale_down: Duration,
}

impl Limits {
    /// The limits as far as they make sense together: the API server refuses the others, and no order of fields is
    /// to make a decision panic.
    /// These limits where no worker can be given less CPU than this: there are only as many as may have it together.
    pub(crate) fn keeping(&self, cpu: u32) -> Limits {
        let max_cpu_per_worker = self.max_cpu_per_worker.max(cpu);
        let together = self.max_cpu.filter(|_| cpu > 0).map_or(u32::MAX, |max_cpu| max_cpu / cpu.max(1));
        let max_replicas = self.max_replicas.min(together).max(self.min_replicas);
        Limits { max_cpu_per_worker, max_replicas, ..self.clone() }
    }

    pub(crate) fn consistent(&self) -> Limits {
        let min_replicas = self.min_replicas.clamp(1, MOST_REPLICAS);
        Limits {
            mode: self.mode,
            min_replicas,
            max_replicas: self.max_replicas.clamp(min_replicas, MOST_REPLICAS),
            max_cpu_per_worker: self.max_cpu_per_worker.clamp(1, 1_000_000),
            max_cpu: self.max_cpu.map(|cpu| cpu.max(1)),
            target_utilization_percent: self.target_utilization_percent.clamp(1, 100),
            catch_up: self.catch_up.max(Duration::from_secs(1)),
            stabilization: self.stabilization,
            scale_down: self.scale_down,
        }
    }
}

/// Who decides about the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The document. Nothing is computed.
    Manual,
    /// The document; the decision is computed and shown.
    Advise,
    /// The decision.
    Auto,
}

/// What is known of one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Name of its pod.
    pub name: String,
    /// How old its figures are; None if it has told none.
    pub age: Option<Duration>,
    /// What it does.
    pub phase: Phase,
    /// Time over which the figures below were counted.
    pub window: Duration,
    /// CPU seconds of the whole process in the window.
    pub cpu_seconds: f64,
    /// Records that it processed in the window.
    pub records: u64,
    /// CPU that its pod has, in thousandths of a core.
    pub cpu: u32,
    /// Partitions that it owns, stuck ones included.
    pub partitions: u32,
    /// Records a second that arrive in its partitions; None until two end offsets are known.
    pub arrival: Option<f64>,
    /// Records of its partitions that it has not read yet. What it has read and not committed is no work to come: a
    /// file stays open for minutes, and its rows would look like a backlog that comes and goes.
    pub backlog: u64,
    /// Its partitions that it reads no more although they have records, as part of the figures above.
    pub stuck: StuckPartitions,
    /// The partition with most work among those that are not stuck.
    pub hottest: Option<HotPartition>,
    /// Share of the window in which it waited for the store, in percent.
    pub waiting_percent: f64,
}

impl Worker {
    /// A worker that has told nothing, with the CPU of its pod in thousandths of a core.
    pub fn silent(name: String, phase: Phase, cpu: u32) -> Self {
        Worker {
            name,
            age: None,
            phase,
            window: Duration::ZERO,
            cpu_seconds: 0.0,
            records: 0,
            cpu,
            partitions: 0,
            arrival: None,
            backlog: 0,
            stuck: StuckPartitions::default(),
            hottest: None,
            waiting_percent: 0.0,
        }
    }
}

/// Partitions that no worker can make progress on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StuckPartitions {
    /// How many.
    pub partitions: u32,
    /// Records a second that arrive in them.
    pub arrival: f64,
    /// Records of them that are not read.
    pub backlog: u64,
}

/// The partition of a worker that has most work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HotPartition {
    /// Its number.
    pub partition: i32,
    /// Records a second that arrive in it.
    pub arrival: f64,
    /// Records of it that are not read.
    pub backlog: u64,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It opens the zone and joins the group, and owns nothing. So does a pod that has not told anything yet.
    Starting,
    /// Records flow, or the topic is silent.
    Ingesting,
    /// It consumes nothing: more records are rejected than the budget allows.
    Held,
    /// It waits for Kafka.
    SourceUnavailable,
    /// It waits for the store.
    StoreUnavailable,
    /// It leaves.
    Draining,
}

/// What kept a decision from being carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What it is.
    pub kind: ObstacleKind,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// Kinds of obstacles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObstacleKind {
    /// More CPU for a pod is refused.
    ResizeRefused(Refuser),
    /// The node of a pod has no more CPU for it.
    ResizeNodeFull,
    /// Less CPU for a pod is refused.
    LessCpuRefused {
        /// By whom.
        by: Refuser,
        /// What it keeps, in thousandths of a core.
        kept: u32,
    },
    /// A quota refuses another pod.
    PodOverQuota,
    /// No node has room for another pod.
    PodUnschedulable,
    /// Someone else sets the replicas.
    ForeignOwner(String),
}

/// What refuses CPU of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuser {
    /// What the namespace allows: a quota or a limit range.
    Namespace,
    /// Another rule of the cluster, such as an admission policy.
    Policy,
}

impl ObstacleKind {
    /// Whether pods that there are get no more CPU.
    pub fn refuses_cpu(&self) -> bool {
        match self {
            Self::ResizeRefused(_) | Self::ResizeNodeFull => true,
            Self::LessCpuRefused { .. } | Self::PodOverQuota | Self::PodUnschedulable | Self::ForeignOwner(_) => false,
        }
    }

    /// Whether there is no room for another pod.
    pub(crate) fn refuses_pod(&self) -> bool {
        match self {
            Self::PodOverQuota | Self::PodUnschedulable => true,
            Self::ResizeRefused(_) | Self::ResizeNodeFull | Self::LessCpuRefused { .. } | Self::ForeignOwner(_) => {
                false
            }
        }
    }
}
