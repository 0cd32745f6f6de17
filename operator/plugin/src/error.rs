//! What a user is told when a verb can't do its work: what, where, and the next act.

use kube::core::Status;

use crate::kind::{Kind, ResourceName};

/// A verb that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cluster is known.
    #[error(
        "cannot tell which cluster to ask; give --kubeconfig FILE or set KUBECONFIG, and see `kubectl config get-contexts`"
    )]
    NoCluster {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The cluster has never heard of our kinds.
    #[error("this cluster does not know {}; an administrator installs the definitions: kubectl apply --server-side -f crds/", .kind.plural())]
    NoDefinitions {
        /// The kind that was asked for.
        kind: Kind,
    },
    /// The user may not.
    #[error("this user must not {} ({message}); docs/guide/plugin.md has the Role that is enough", .act)]
    Forbidden {
        /// What was tried.
        act: Act,
        /// The API server's sentence.
        message: String,
    },
    /// The API server does not take what it is given.
    #[error("the API server refuses to {act}: {message}")]
    Refused {
        /// What was tried.
        act: Act,
        /// The API server's sentence.
        message: String,
    },
    /// No answer.
    #[error("cannot {act}")]
    Failed {
        /// What was tried.
        act: Act,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// Nothing of this name.
    #[error("no {} {:?} in namespace {namespace}; {}", kinds(.name), .name.name, listed(.there))]
    NotFound {
        /// What was asked for.
        name: ResourceName,
        /// Where.
        namespace: String,
        /// What there is.
        there: Vec<ResourceName>,
    },
    /// Both kinds have a resource of this name.
    #[error("{name:?} is a StreamIngest and an HourlyCompaction; write sti/{name} or hc/{name}")]
    Ambiguous {
        /// The name.
        name: String,
    },
    /// The verb is not for this kind.
    #[error("{verb} is for a resource of kind {}, and {name} is none", .wanted.as_str())]
    OtherKind {
        /// The verb.
        verb: &'static str,
        /// The kind that it is for.
        wanted: Kind,
        /// What was given.
        name: ResourceName,
    },
    /// The operator has not made an object yet.
    #[error(
        "{what} does not exist yet in namespace {namespace}; `kubectl gristmill status {name} -n {namespace}` says why"
    )]
    NotYet {
        /// The object.
        what: String,
        /// The resource that it comes from.
        name: ResourceName,
        /// Where.
        namespace: String,
    },
    /// No worker can be asked.
    #[error("no worker of {name} can be asked in namespace {namespace}: {why}")]
    NoWorker {
        /// The StreamIngest.
        name: String,
        /// Where.
        namespace: String,
        /// Its pods, and the next act.
        why: String,
    },
    /// A worker answers with a refusal.
    #[error("the worker in pod {pod} refuses: {why}")]
    WorkerRefuses {
        /// Its pod.
        pod: String,
        /// The worker's sentence.
        why: String,
    },
    /// A worker's answer is of another version.
    #[error("the worker in pod {pod} does not answer {path} as this plugin (version {}) expects: {why}; use the plugin of the workers' version", env!("CARGO_PKG_VERSION"))]
    OtherVersion {
        /// Its pod.
        pod: String,
        /// The question.
        path: String,
        /// What does not read.
        why: String,
    },
    /// A worker can't be reached.
    #[error("the worker in pod {pod} does not answer: {why}")]
    WorkerSilent {
        /// Its pod.
        pod: String,
        /// Why not.
        why: String,
    },
    /// What the user wrote can't be.
    #[error("{0}")]
    Usage(String),
    /// A run failed, or did not end in time.
    #[error("{0}")]
    Run(String),
    /// Nothing can be written to the terminal.
    #[error("cannot write the output")]
    Output {
        /// Why not.
        source: std::io::Error,
    },
}

/// A request to the API server, as a Role would allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Verb of the API.
    pub verb: &'static str,
    /// Resource as a Role names it, with its group.
    pub resource: &'static str,
    /// Its namespace; all of them without one.
    pub namespace: Option<String>,
}

impl Act {
    /// A request in one namespace.
    pub fn new(verb: &'static str, resource: &'static str, namespace: &str) -> Self {
        Self { verb, resource, namespace: Some(namespace.to_owned()) }
    }

    /// The error that comes of it.
    pub fn failed(self, error: kube::Error) -> Error {
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                Error::Forbidden { act: self, message: sentence(&status) }
            }
            kube::Error::Api(status) => Error::Refused { act: self, message: sentence(&status) },
            other => Error::Failed { act: self, source: Box::new(other) },
        }
    }
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} in ", self.verb, self.resource)?;
        match &self.namespace {
            Some(namespace) => write!(f, "namespace {namespace}"),
            None => f.write_str("all namespaces"),
        }
    }
}

fn sentence(status: &Status) -> String {
    if status.message.is_empty() { format!("HTTP {} {}", status.code, status.reason) } else { status.message.clone() }
}

fn kinds(name: &ResourceName) -> &'static str {
    name.kind.map_or("StreamIngest or HourlyCompaction", Kind::as_str)
}

/// Names that a message can bear.
const NAMED: usize = 20;

fn listed(names: &[ResourceName]) -> String {
    let first = names.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "there is none at all; -n names another namespace, `kubectl gristmill status -A` looks in all".to_owned(),
        count if count > NAMED => format!("there are {first} and {} more", count - NAMED),
        _ => format!("there is {first}"),
    }
}

/// The error with its causes in one line.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
