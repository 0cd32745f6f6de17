//! Every label, annotation and name of an object that the operator creates.
//!
//! Labels of the custom resource are never copied to its objects: a GitOps tool that tracks by label would
//! take them for its own and delete them.

use std::collections::BTreeMap;

pub use gristmill_crds::names::{HOURLY_COMPACTION, SIZING, STREAM_INGEST, compaction_name, ingest_name};
use kube::api::ObjectMeta;

/// Field manager of every write, and the value of `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "gristmill-operator";
/// Annotation with a digest of the fields as they were applied last.
pub const APPLIED: &str = "gristmill.dev/applied";
/// Annotation of a Deployment or CronJob with the installation of the operator that has it.
pub const INSTALLATION: &str = "gristmill.dev/installation";
/// Annotation of a Deployment with the generation of the resource that its template was made for.
pub const GENERATION: &str = "gristmill.dev/generation";
/// Annotation of a Deployment with a digest of its template as it was applied last.
pub const TEMPLATE: &str = "gristmill.dev/template";
/// Annotation of a Deployment with the digest of the template to which it was rolled on the operator's own account.
pub const ROLLOUT: &str = "gristmill.dev/rollout";

/// Annotation of a resource: `Disabled` keeps the operator from applying anything.
pub const RECONCILE: &str = "gristmill.dev/reconcile";

/// Labels of the objects of a StreamIngest.
pub fn of_ingest(name: &str) -> BTreeMap<String, String> {
    labels("ingest", STREAM_INGEST, name)
}

/// Labels of the objects of an HourlyCompaction.
pub fn of_compaction(name: &str) -> BTreeMap<String, String> {
    labels("compaction", HOURLY_COMPACTION, name)
}

/// Name of the ConfigMap for documents with this digest: a new content is a new name, and so a new pod.
pub fn config_map_name(prefix: &str, digest: &str) -> String {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    format!("{prefix}-{}", hex.chars().take(10).collect::<String>())
}

/// The resource that an object belongs to by the label `key`.
pub fn owner_name<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

fn labels(component: &str, key: &str, name: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "gristmill"),
        ("app.kubernetes.io/component", component),
        ("app.kubernetes.io/instance", name),
        ("app.kubernetes.io/managed-by", MANAGER),
        (key, name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
