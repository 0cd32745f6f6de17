//! What comes out: the size, whether it changes, and all that the explanation needs.

use std::time::Duration;

use crate::facts::{Limits, Mode, ObstacleKind, Size, StuckPartitions};

/// The outcome of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the document allows, made consistent.
    pub limits: Limits,
    /// The size that the decision began with.
    pub running: Size,
    /// The size that is to be.
    pub target: Size,
    /// How they differ.
    pub change: Change,
    /// Whether the operator is to carry it out. It is not in Advise, nor where someone else sets the replicas.
    pub acts: bool,
    /// Whether the fullest worker needs more than it has and may be given more, even if only since a moment.
    pub short: bool,
    /// Whether more may be needed than there is: now, at some time of the scale-down interval, or because nothing tells.
    pub may_need_more: bool,
    /// What keeps the size from what is needed.
    pub reason: Reason,
    /// Why nothing could be computed.
    pub hold: Option<Hold>,
    /// The figures that led to it; None where nothing was computed.
    pub figures: Option<Figures>,
    /// What else a reader should know.
    pub notes: Vec<Note>,
}

/// How a decision changes the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Not at all.
    Stay,
    /// It adds.
    Up,
    /// It takes away.
    Down,
    /// It moves the size to where the document allows it.
    Bounds,
}

/// The figures of a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Records a second that arrive and can be processed.
    pub arrival: f64,
    /// Records that wait and can be processed.
    pub backlog: f64,
    /// CPU seconds of a record.
    pub seconds_per_record: f64,
    /// Need of now, in thousandths of a core.
    pub need: f64,
    /// Largest need within the scale-down interval, once a whole one has been seen.
    pub peak: Option<f64>,
    /// Size for the need of now.
    pub wanted: Size,
    /// What the fullest worker of the size that is to be needs, in thousandths of a core.
    pub fullest: f64,
    /// Partitions that can have work.
    pub partitions: u32,
    /// Workers of the size that is to be which share them: those that have no room have none.
    pub sharing: u32,
    /// Partitions that can't.
    pub stuck: StuckPartitions,
    /// Records a second that are processed.
    pub throughput: f64,
    /// Share of their CPU that the workers used, in percent.
    pub used_percent: f64,
    /// Share of the time that the worker which waits most waited for the store, in percent.
    pub waiting_percent: f64,
}

/// What keeps the size from what is needed: the reasons of the condition ScalingLimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing.
    DesiredWithinRange,
    /// There are as many workers as partitions with work.
    PartitionCount,
    /// maxReplicas.
    MaxReplicas,
    /// minReplicas: it is more than is needed.
    MinReplicas,
    /// maxCpu.
    MaxCpu,
    /// A quota of the namespace.
    QuotaExceeded,
    /// Another rule of the cluster refuses CPU for a pod.
    ReplicaFailure,
    /// No node has room.
    NodeFull,
    /// Someone else sets the replicas.
    ExternalScaler,
    /// One partition needs more than a worker may have.
    SkewedPartition,
    /// What was added last did not help.
    NotEffective,
    /// Figures of workers are missing or old.
    MetricsMissing,
    /// Kafka can't be reached.
    SourceUnavailable,
    /// The store can't be reached.
    StoreUnavailable,
    /// Workers hold: more records are rejected than the budget allows.
    RejectedBudgetExceeded,
}

impl Reason {
    /// Whether something is to be changed before the size can be what is needed.
    pub fn is_limit(self) -> bool {
        self != Reason::DesiredWithinRange
    }

    /// The reason as conditions and `status.sizing.limitedBy` have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::DesiredWithinRange => "DesiredWithinRange",
            Reason::PartitionCount => "PartitionCount",
            Reason::MaxReplicas => "MaxReplicas",
            Reason::MinReplicas => "MinReplicas",
            Reason::MaxCpu => "MaxCpu",
            Reason::QuotaExceeded => "QuotaExceeded",
            Reason::ReplicaFailure => "ReplicaFailure",
            Reason::NodeFull => "NodeFull",
            Reason::ExternalScaler => "ExternalScaler",
            Reason::SkewedPartition => "SkewedPartition",
            Reason::NotEffective => "NotEffective",
            Reason::MetricsMissing => "MetricsMissing",
            Reason::SourceUnavailable => "SourceUnavailable",
            Reason::StoreUnavailable => "StoreUnavailable",
            Reason::RejectedBudgetExceeded => "RejectedBudgetExceeded",
        }
    }
}

/// Why nothing is computed: the size stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// There is no worker: the stream is suspended, or its pods are not created yet.
    NoWorker,
    /// No worker has told how many partitions there are.
    PartitionsUnknown,
    /// A worker has told nothing.
    NoFigures {
        /// The worker.
        worker: String,
    },
    /// What a worker told is old.
    Stale {
        /// The worker.
        worker: String,
        /// How old.
        age: Duration,
    },
    /// A worker that starts or leaves owns partitions: they are being moved.
    Moving {
        /// The worker.
        worker: String,
    },
    /// The workers together own fewer or more partitions than there are: they are being moved.
    PartitionsMissing {
        /// Partitions that figures are there of.
        known: u64,
        /// Partitions of the topic.
        partitions: u32,
    },
    /// A worker does not know yet how many records arrive.
    ArrivalUnknown {
        /// The worker.
        worker: String,
    },
    /// No worker has processed enough to tell what a record costs.
    CostUnknown,
    /// A worker consumes nothing: the rejected budget is spent.
    Held {
        /// The worker.
        worker: String,
    },
    /// A worker can't reach Kafka.
    SourceUnavailable {
        /// The worker.
        worker: String,
    },
    /// A worker can't reach the store.
    StoreUnavailable {
        /// The worker.
        worker: String,
    },
}

impl Hold {
    /// The reason that a condition has for it.
    pub fn reason(&self) -> Reason {
        match self {
            Hold::NoWorker
            | Hold::PartitionsUnknown
            | Hold::NoFigures { .. }
            | Hold::Stale { .. }
            | Hold::Moving { .. }
            | Hold::PartitionsMissing { .. }
            | Hold::ArrivalUnknown { .. }
            | Hold::CostUnknown => Reason::MetricsMissing,
            Hold::Held { .. } => Reason::RejectedBudgetExceeded,
            Hold::SourceUnavailable { .. } => Reason::SourceUnavailable,
            Hold::StoreUnavailable { .. } => Reason::StoreUnavailable,
        }
    }
}

/// Something that a reader of the decision should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// More is needed, and has been for less than a whole measurement.
    Confirming {
        /// Time until it counts.
        left: Duration,
    },
    /// A change was made a moment ago; the next one waits.
    Stabilizing {
        /// Time until then.
        left: Duration,
    },
    /// Less would do now; not for long enough yet.
    TooEarlyForLess {
        /// For how long needs have been seen.
        seen: Duration,
    },
    /// Less would do now; not for the largest need of the interval.
    PeakKeeps,
    /// What is taken away is as much as one step may.
    StepOfDown,
    /// Partitions don't divide evenly.
    Uneven {
        /// Partitions of the fullest worker.
        fullest: u32,
        /// Fewest workers that are more than there are and have equally many each.
        even: Option<u32>,
    },
    /// Partitions with records that no worker makes progress on.
    Stuck(StuckPartitions),
    /// One partition has a large part of the work.
    Hot {
        /// Its number.
        partition: i32,
        /// Its share, in percent.
        percent: f64,
    },
    /// A record costs more on one worker.
    SlowWorker {
        /// How many times the average.
        times: f64,
    },
    /// What was added last did not raise the throughput.
    NotEffective {
        /// The size before it.
        from: Size,
        /// The size after it.
        to: Size,
        /// Records a second before it.
        before: f64,
        /// Records a second now.
        now: f64,
    },
    /// Something keeps a decision from being carried out.
    Obstacle(ObstacleKind),
    /// Pods can't be given more CPU; workers are added instead.
    WorkersInstead,
    /// Less would do, and pods can't be given less CPU.
    LessRefused,
    /// Fewer workers would do with more CPU each than a worker could be given in the last day.
    GrantedBefore {
        /// What a worker had when it was given no more, in thousandths of a core.
        cpu: u32,
    },
}

impl Decision {
    /// The size to be had, where `wish` is the one that was to be had before and may be refused. It stays the wish until
    /// less than it has done for a scale-down interval, as anything is taken away.
    pub fn wish(&self, wish: Size) -> Size {
        if self.change == Change::Stay && self.may_need_more { wish } else { self.target }
    }

    /// A decision that leaves the size to the document.
    pub(crate) fn manual(limits: Limits, running: Size) -> Decision {
        debug_assert!(limits.mode == Mode::Manual);
        Decision {
            limits,
            running,
            target: running,
            change: Change::Stay,
            acts: false,
            short: false,
            may_need_more: false,
            reason: Reason::DesiredWithinRange,
            hold: None,
            figures: None,
            notes: Vec::new(),
        }
    }
}
