//! `startFrom` that is edited once the zone has a log: it changes nothing, and that is told. Pure.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::Stream;
use super::observe::Observed;
use crate::pod::{documents, mounted_config_map};

/// What is said of it.
pub const IGNORED: &str = "the zone has a log, and workers go on where that ends: spec.source.kafka.startFrom says only where a new zone begins; to read again, or to skip, use spec.rewind (kubectl gristmill rewind)";

/// Whether the documents that pods are given now differ in `startFrom` from those that they had, and nothing follows.
///
/// They are compared while the new ConfigMap is not there yet, so that it is said once.
pub fn is_ignored(stream: &Stream, observed: &Observed, wanted: &ConfigMap) -> bool {
    if stream.status.zone.is_none() || observed.config_map(&wanted.name_any()).is_some() {
        return false;
    }
    let template = observed.deployment.as_ref().and_then(|deployment| deployment.spec.as_ref()?.template.spec.as_ref());
    let live = template.and_then(mounted_config_map).and_then(|name| observed.config_map(name));
    let (Some(before), Some(after)) = (live.and_then(documents), documents(wanted)) else { return false };
    start_from(&before) != start_from(&after)
}

/// What documents say of it; left out, it is the default of the field.
fn start_from(documents: &[Value]) -> Value {
    let said = documents.first().and_then(|ingest| ingest.pointer("/spec/source/kafka/startFrom"));
    said.cloned().unwrap_or_else(|| json!({"position": "Earliest"}))
}
