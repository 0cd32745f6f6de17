//! The part of a resource that a process needs. A change outside it never restarts a pod.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::hourly_compaction::{HourlyCompaction, HourlyCompactionSpec};
use crate::raw::Raw;
use crate::source::KafkaSource;
use crate::stream_ingest::{StreamIngest, StreamIngestSpec};

/// Documents of an ingest worker: the StreamIngest without what concerns only its pod.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestProjection {
    /// The projected resource: name, namespace and spec.
    pub ingest: StreamIngest,
}

/// Documents of a compaction: the HourlyCompaction, and the StreamIngest that it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactionProjection {
    /// The projected HourlyCompaction.
    pub compaction: HourlyCompaction,
    /// The projected StreamIngest.
    pub ingest: StreamIngest,
}

impl IngestProjection {
    /// Projects a resource for its worker.
    pub fn new(ingest: &StreamIngest) -> Self {
        // No `..`: a new field must be placed here or left out on purpose.
        let StreamIngestSpec {
            source,
            record,
            rejected,
            raw,
            hadoop,
            scaling: _,
            rewind,
            suspend: _,
            pod: _,
            network_policy: _,
        } = ingest.spec.clone();
        let spec = StreamIngestSpec {
            source,
            record,
            rejected,
            raw,
            hadoop,
            scaling: None,
            rewind,
            suspend: None,
            pod: None,
            network_policy: None,
        };
        Self { ingest: StreamIngest { metadata: name_only(&ingest.metadata), spec, status: None } }
    }

    /// The YAML documents that the pod mounts.
    pub fn documents(&self) -> Vec<serde_json::Value> {
        vec![document(&self.ingest)]
    }

    /// Digest of the documents; it stands in every entry of the zone's log.
    pub fn digest(&self) -> String {
        spec_digest(&self.documents())
    }
}

impl CompactionProjection {
    /// Projects both resources for a compaction.
    pub fn new(compaction: &HourlyCompaction, ingest: &StreamIngest) -> Self {
        // No `..`: a new field must be placed here or left out on purpose.
        let HourlyCompactionSpec {
            ingest_ref,
            schedule: _,
            time_zone: _,
            starting_deadline: _,
            backoff_limit: _,
            processed,
            deduplication,
            lateness,
            columns,
            sizing,
            hadoop,
            suspend: _,
            pod: _,
        } = compaction.spec.clone();
        let spec = HourlyCompactionSpec {
            ingest_ref,
            schedule: None,
            time_zone: None,
            starting_deadline: None,
            backoff_limit: None,
            processed,
            deduplication,
            lateness,
            columns,
            sizing,
            hadoop,
            suspend: None,
            pod: None,
        };
        let mut ingest = IngestProjection::new(ingest).ingest;
        // What says how messages come in does not concern what is already in RAW.
        let KafkaSource { start_from, on_data_loss, security, config, .. } = &mut ingest.spec.source.kafka;
        (*start_from, *on_data_loss, *security) = (None, None, None);
        config.clear();
        let Raw { path: _, files, compression, retention } = &mut ingest.spec.raw;
        (*files, *compression, *retention) = (None, None, None);
        (ingest.spec.rejected, ingest.spec.rewind) = (None, None);
        Self { compaction: HourlyCompaction { metadata: name_only(&compaction.metadata), spec, status: None }, ingest }
    }

    /// The YAML documents that the pod mounts.
    pub fn documents(&self) -> Vec<serde_json::Value> {
        vec![document(&self.compaction), document(&self.ingest)]
    }

    /// Digest of the documents; it stands in every entry of the zone's log.
    pub fn digest(&self) -> String {
        spec_digest(&self.documents())
    }
}

/// `sha256:<hex>` of documents in a canonical form: JSON with sorted keys.
pub fn spec_digest(documents: &[serde_json::Value]) -> String {
    let mut hasher = Sha256::new();
    for document in documents {
        // serde_json's map is sorted by key, so that equal documents have equal bytes.
        hasher.update(document.to_string().as_bytes());
        hasher.update(b"\n");
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn name_only(
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
    k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        ..Default::default()
    }
}

fn document<T: Serialize>(resource: &T) -> serde_json::Value {
    serde_json::to_value(resource).expect("our resources have string keys only")
}
