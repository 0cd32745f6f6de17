//! Every reason of a condition and of an event: one word in PascalCase that tools may match.

use std::fmt;

/// Why a condition has its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Messages flow, or the topic is silent.
    Ingesting,
    /// The newest run succeeded.
    LastRunSucceeded,
    /// The newest run failed.
    LastRunFailed,
    /// No run has come to its end yet.
    NoRunYet,
    /// The next run has another size.
    RunResized,
    /// Workers, or the CPU of each, were changed.
    Resized,
    /// `startFrom` was edited, and the zone has a log.
    StartFromIgnored,
    /// No pods are to run.
    Suspended,
    /// No workers are asked for.
    ScaledToZero,
    /// Pods are on their way for the first time.
    Pending,
    /// A worker opens the zone and joins the group.
    Starting,
    /// Pods of a former spec are being replaced.
    RollingOut,
    /// A worker commits and leaves.
    Draining,
    /// Kafka is away.
    SourceUnavailable,
    /// The store of a zone is away.
    StoreUnavailable,
    /// The consumer group is that of another zone.
    ConsumerGroupShared,
    /// Consumption is held, or would be under `action: Hold`.
    RejectedBudgetExceeded,
    /// There is no pod, or one that does not answer.
    WorkerUnavailable,
    /// A node can't get the image.
    ImagePullFailed,
    /// No node takes a pod.
    Unschedulable,
    /// A process took more memory than its pod has.
    OutOfMemory,
    /// A process ends again and again, and left no report.
    CrashLoop,
    /// The spec is valid.
    Valid,
    /// The spec is valid, and the cluster's definition of the kind is older than the operator.
    CrdOutdated,
    /// The spec is refused.
    Invalid,
    /// `spec.ingestRef` names nothing.
    IngestNotFound,
    /// `spec.ingestRef` names a StreamIngest that is refused itself.
    IngestInvalid,
    /// An object of a wanted name belongs to someone else.
    NameTaken,
    /// Another installation of the operator has the resource.
    ManagedElsewhere,
    /// The API server refuses what the spec leads to.
    Refused,
    /// The API server can't be read or written.
    ApplyFailed,
    /// The operator ends.
    Stopping,
    /// Every Secret and ConfigMap is there, as far as pods have told.
    Resolved,
    /// A Secret is missing.
    SecretNotFound,
    /// A ConfigMap is missing.
    ConfigMapNotFound,
    /// A Secret or ConfigMap lacks a key.
    KeyNotFound,
    /// A value of a Secret or ConfigMap is not what its field is for.
    InvalidSecret,
    /// The oldest message that waits is young enough.
    WithinTarget,
    /// The oldest message that waits is older than `scaling.catchUpDuration`.
    BacklogOverTarget,
    /// Rejects are within the budget.
    WithinBudget,
    /// No worker tells the figure.
    NotReported,
    /// There are as many workers as are wanted.
    DesiredWithinRange,
    /// The topic has fewer partitions than workers are wanted.
    PartitionCount,
    /// `scaling.maxReplicas` keeps the size.
    MaxReplicas,
    /// `scaling.minReplicas` is more than is needed.
    MinReplicas,
    /// `scaling.maxCpu` keeps the size.
    MaxCpu,
    /// One partition needs more CPU than a worker may have.
    SkewedPartition,
    /// What was added last did not help.
    NotEffective,
    /// Figures of workers are missing.
    MetricsMissing,
    /// A quota refuses a pod.
    QuotaExceeded,
    /// The API server refuses a pod for another reason.
    ReplicaFailure,
    /// No node has room for a pod.
    NodeFull,
    /// Someone else decides the number of workers.
    ExternalScaler,
    /// The annotation `gristmill.dev/reconcile` is `Disabled`.
    ReconcileDisabled,
    /// What a process gave as its own reason.
    Reported(String),
}

/// Reasons that a process reports and that only a user ends: of the resource, of the zone, or by `gristmill resume`.
///
/// What may pass by itself or by an administrator of Kafka or HDFS is not among them.
const STALLING: [&str; 10] = [
    "CorruptLog",
    "DataLoss",
    "ForeignDirectory",
    "Invalid",
    "LostFile",
    "MessageTooLarge",
    "RowsAreGone",
    "TopicReplaced",
    "UnknownFormat",
    "ZoneMismatch",
];

impl Reason {
    /// The reason that a process reports, if the API server takes it as one; it refuses what is no single word.
    pub fn reported(word: &str) -> Option<Self> {
        let mut characters = word.chars();
        let is_word = characters.next().is_some_and(|first| first.is_ascii_uppercase())
            && characters.all(|character| character.is_ascii_alphanumeric())
            && word.len() <= 64;
        is_word.then(|| match word {
            "SecretNotFound" => Reason::SecretNotFound,
            "ConfigMapNotFound" => Reason::ConfigMapNotFound,
            "KeyNotFound" => Reason::KeyNotFound,
            "InvalidSecret" => Reason::InvalidSecret,
            "SourceUnavailable" => Reason::SourceUnavailable,
            "StoreUnavailable" => Reason::StoreUnavailable,
            "ConsumerGroupShared" => Reason::ConsumerGroupShared,
            "RejectedBudgetExceeded" => Reason::RejectedBudgetExceeded,
            other => Reason::Reported(other.to_owned()),
        })
    }

    /// The reason of a decision about the size.
    pub fn of_sizing(reason: gristmill_sizing::Reason) -> Self {
        use gristmill_sizing::Reason as Sizing;
        match reason {
            Sizing::DesiredWithinRange => Reason::DesiredWithinRange,
            Sizing::PartitionCount => Reason::PartitionCount,
            Sizing::MaxReplicas => Reason::MaxReplicas,
            Sizing::MinReplicas => Reason::MinReplicas,
            Sizing::MaxCpu => Reason::MaxCpu,
            Sizing::QuotaExceeded => Reason::QuotaExceeded,
            Sizing::ReplicaFailure => Reason::ReplicaFailure,
            Sizing::NodeFull => Reason::NodeFull,
            Sizing::ExternalScaler => Reason::ExternalScaler,
            Sizing::SkewedPartition => Reason::SkewedPartition,
            Sizing::NotEffective => Reason::NotEffective,
            Sizing::MetricsMissing => Reason::MetricsMissing,
            Sizing::SourceUnavailable => Reason::SourceUnavailable,
            Sizing::StoreUnavailable => Reason::StoreUnavailable,
            Sizing::RejectedBudgetExceeded => Reason::RejectedBudgetExceeded,
        }
    }

    /// The word in the API.
    pub fn as_str(&self) -> &str {
        match self {
            Reason::Ingesting => "Ingesting",
            Reason::LastRunSucceeded => "LastRunSucceeded",
            Reason::LastRunFailed => "LastRunFailed",
            Reason::NoRunYet => "NoRunYet",
            Reason::Resized => "Resized",
            Reason::RunResized => "RunResized",
            Reason::StartFromIgnored => "StartFromIgnored",
            Reason::Suspended => "Suspended",
            Reason::ScaledToZero => "ScaledToZero",
            Reason::Pending => "Pending",
            Reason::Starting => "Starting",
            Reason::RollingOut => "RollingOut",
            Reason::Draining => "Draining",
            Reason::SourceUnavailable => "SourceUnavailable",
            Reason::StoreUnavailable => "StoreUnavailable",
            Reason::ConsumerGroupShared => "ConsumerGroupShared",
            Reason::RejectedBudgetExceeded => "RejectedBudgetExceeded",
            Reason::WorkerUnavailable => "WorkerUnavailable",
            Reason::ImagePullFailed => "ImagePullFailed",
            Reason::Unschedulable => "Unschedulable",
            Reason::OutOfMemory => "OutOfMemory",
            Reason::CrashLoop => "CrashLoop",
            Reason::Valid => "Valid",
            Reason::CrdOutdated => "CRDOutdated",
            Reason::Invalid => "Invalid",
            Reason::IngestNotFound => "IngestNotFound",
            Reason::IngestInvalid => "IngestInvalid",
            Reason::NameTaken => "NameTaken",
            Reason::ManagedElsewhere => "ManagedElsewhere",
            Reason::Refused => "Refused",
            Reason::ApplyFailed => "ApplyFailed",
            Reason::Stopping => "Stopping",
            Reason::Resolved => "Resolved",
            Reason::SecretNotFound => "SecretNotFound",
            Reason::ConfigMapNotFound => "ConfigMapNotFound",
            Reason::KeyNotFound => "KeyNotFound",
            Reason::InvalidSecret => "InvalidSecret",
            Reason::WithinTarget => "WithinTarget",
            Reason::BacklogOverTarget => "BacklogOverTarget",
            Reason::WithinBudget => "WithinBudget",
            Reason::NotReported => "NotReported",
            Reason::DesiredWithinRange => "DesiredWithinRange",
            Reason::PartitionCount => "PartitionCount",
            Reason::MaxReplicas => "MaxReplicas",
            Reason::MinReplicas => "MinReplicas",
            Reason::MaxCpu => "MaxCpu",
            Reason::SkewedPartition => "SkewedPartition",
            Reason::NotEffective => "NotEffective",
            Reason::MetricsMissing => "MetricsMissing",
            Reason::QuotaExceeded => "QuotaExceeded",
            Reason::ReplicaFailure => "ReplicaFailure",
            Reason::NodeFull => "NodeFull",
            Reason::ExternalScaler => "ExternalScaler",
            Reason::ReconcileDisabled => "ReconcileDisabled",
            Reason::Reported(word) => word,
        }
    }

    /// Whether a Secret or ConfigMap is what fails: it may come at any moment, and pods then go on by themselves.
    pub fn is_reference(&self) -> bool {
        matches!(self, Reason::SecretNotFound | Reason::ConfigMapNotFound | Reason::KeyNotFound | Reason::InvalidSecret)
    }

    /// Whether it tells of a way to the wanted state, on which nothing has gone wrong.
    pub fn is_transition(&self) -> bool {
        matches!(self, Reason::Pending | Reason::Starting | Reason::RollingOut | Reason::Draining)
    }

    /// Whether nothing but an act of a user ends it: time does not, and no outage that passes.
    pub fn is_stalling(&self) -> bool {
        match self {
            Reason::Invalid
            | Reason::IngestInvalid
            | Reason::NameTaken
            | Reason::Refused
            | Reason::RejectedBudgetExceeded => true,
            Reason::Reported(word) => STALLING.contains(&word.as_str()),
            _ => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
