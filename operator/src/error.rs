//! Why a reconcile failed, whose fault that is, and when to try again.

use gristmill_crds::plan::Invalid;

use crate::labels::INSTALLATION;
use crate::reason::Reason;

/// Name of an object in messages, for example `Deployment books-ingest`.
pub type ObjectName = String;

/// A reconcile that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caches are fed by the controller's own watches; they end with it.
    #[error("the watch caches ended; the operator is stopping")]
    CacheEnded,
    /// The spec has a field or a value that this version does not know.
    #[error("this version of the operator cannot read it: {path}: {message}")]
    Unreadable {
        /// Path of the field, for example `spec.record.columns[3].type`.
        path: String,
        /// What is there and what is expected.
        message: String,
    },
    /// The plan refuses the spec.
    #[error("{}", problems(.0))]
    Invalid(Invalid),
    /// `spec.ingestRef` names nothing.
    #[error(
        "spec.ingestRef.name: StreamIngest {name:?} does not exist in namespace {namespace:?}; create it, or create this HourlyCompaction anew with the right name"
    )]
    IngestNotFound {
        /// The name as written.
        name: String,
        /// Namespace of the compaction.
        namespace: String,
    },
    /// `spec.ingestRef` names a StreamIngest that is refused itself.
    #[error("StreamIngest {name:?} is not valid; correct it first: {message}")]
    IngestInvalid {
        /// Its name.
        name: String,
        /// Its problems.
        message: String,
    },
    /// An object of the wanted name belongs to someone else.
    #[error(
        "{object} exists and belongs to {owner}; create this resource under another name, or delete {object} if nobody needs it any more"
    )]
    NameTaken {
        /// The object.
        object: ObjectName,
        /// Who has it.
        owner: String,
    },
    /// An object of the wanted name belongs to a resource of this name that was deleted a moment ago.
    #[error("{object} belongs to a former {owner} and is being deleted after it")]
    FormerOwner {
        /// The object.
        object: ObjectName,
        /// The resource that is gone.
        owner: String,
    },
    /// The API server refuses what the spec leads to, for example an unknown time zone.
    #[error("the API server refuses {object}: {message}; correct the field of the spec that it comes from")]
    Refused {
        /// The object.
        object: ObjectName,
        /// The API server's sentence.
        message: String,
    },
    /// Another installation of the operator has the resource.
    #[error(
        "{kind} {name} is of the operator installation {other}, and this one is {ours}: both watch namespace {namespace}. Leave it to one of them by --watch-namespace (watchNamespaces of the chart), or uninstall one. If {other} is gone: kubectl annotate {} -n {namespace} {name} {mark}-",
        .kind.to_lowercase(), mark = INSTALLATION
    )]
    ManagedElsewhere {
        /// Kind of the object that is marked.
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// The installation that has marked it.
        other: String,
        /// The installation of this operator.
        ours: String,
    },
    /// An object could not be read.
    #[error("cannot read {object}")]
    Read {
        /// The object.
        object: ObjectName,
        /// Why.
        source: kube::Error,
    },
    /// An object could not be written.
    #[error("cannot apply {object}")]
    Apply {
        /// The object.
        object: ObjectName,
        /// Why.
        source: kube::Error,
    },
    /// An object that is not wanted any more could not be deleted.
    #[error("cannot delete {object}")]
    Delete {
        /// The object.
        object: ObjectName,
        /// Why.
        source: kube::Error,
    },
    /// The status could not be written.
    #[error("cannot write the status of {object}")]
    WriteStatus {
        /// The resource.
        object: ObjectName,
        /// Why.
        source: kube::Error,
    },
}

/// Whose act ends the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The author of a resource.
    Spec,
    /// The cluster.
    External,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// When the resource changes; before that the result is the same.
    OnChange,
    /// After a while, and longer after each failure.
    Backoff,
}

impl Error {
    /// Reason of the condition that tells of it.
    pub fn reason(&self) -> Reason {
        match self {
            Error::CacheEnded => Reason::Stopping,
            Error::Unreadable { .. } | Error::Invalid(_) => Reason::Invalid,
            Error::IngestNotFound { .. } => Reason::IngestNotFound,
            Error::IngestInvalid { .. } => Reason::IngestInvalid,
            Error::NameTaken { .. } => Reason::NameTaken,
            Error::FormerOwner { .. } => Reason::Pending,
            Error::Refused { .. } => Reason::Refused,
            Error::ManagedElsewhere { .. } => Reason::ManagedElsewhere,
            Error::Read { .. } | Error::Apply { .. } | Error::Delete { .. } | Error::WriteStatus { .. } => {
                Reason::ApplyFailed
            }
        }
    }

    /// Whose act ends it.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Unreadable { .. }
            | Error::Invalid(_)
            | Error::IngestNotFound { .. }
            | Error::IngestInvalid { .. }
            | Error::NameTaken { .. }
            | Error::Refused { .. } => Fault::Spec,
            Error::CacheEnded
            | Error::ManagedElsewhere { .. }
            | Error::FormerOwner { .. }
            | Error::Read { .. }
            | Error::Apply { .. }
            | Error::Delete { .. }
            | Error::WriteStatus { .. } => Fault::External,
        }
    }

    /// When to try again. A taken name and a refusal may end without a change of the resource.
    pub fn retry(&self) -> Retry {
        match self {
            Error::Unreadable { .. }
            | Error::Invalid(_)
            | Error::IngestNotFound { .. }
            | Error::IngestInvalid { .. } => Retry::OnChange,
            Error::CacheEnded
            | Error::NameTaken { .. }
            | Error::ManagedElsewhere { .. }
            | Error::FormerOwner { .. }
            | Error::Refused { .. }
            | Error::Read { .. }
            | Error::Apply { .. }
            | Error::Delete { .. }
            | Error::WriteStatus { .. } => Retry::Backoff,
        }
    }

    /// Whether a status was refused since the definition in the cluster lacks one of its fields.
    pub fn tells_of_an_outdated_definition(&self) -> bool {
        matches!(self, Error::WriteStatus { source, .. } if api_message(source).contains("field not declared in schema"))
    }

    /// The whole sentence for a condition, the API server's own words included.
    pub fn to_message(&self) -> String {
        match self {
            Error::Apply { source, .. } if is_forbidden(source) => format!(
                "{self}: {}; change the role or the policy that forbids it, or the field that it names; it is tried again",
                api_message(source)
            ),
            Error::FormerOwner { .. } => format!("{self}; it is tried again"),
            Error::Read { source, .. }
            | Error::Apply { source, .. }
            | Error::Delete { source, .. }
            | Error::WriteStatus { source, .. } => format!("{self}: {}; it is tried again", api_message(source)),
            Error::CacheEnded
            | Error::Unreadable { .. }
            | Error::Invalid(_)
            | Error::IngestNotFound { .. }
            | Error::IngestInvalid { .. }
            | Error::NameTaken { .. }
            | Error::ManagedElsewhere { .. }
            | Error::Refused { .. } => self.to_string(),
        }
    }
}

/// What the API server said; kube's own text repeats it in Rust's debug form.
pub fn api_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether a role or an admission policy stands in the way.
fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

/// All problems, one a line; the resource is the one that carries the message, so its name is left out.
fn problems(invalid: &Invalid) -> String {
    invalid.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
