//! A resource as the cluster holds it. Read leniently: one that the operator refuses is still shown.

use gristmill_crds::{HourlyCompactionStatus, StreamIngestStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kind::{Kind, ResourceName};

/// A resource of either kind.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Generation of its spec.
    pub generation: Option<i64>,
    /// Its spec as it is written.
    pub spec: Value,
    /// Generation that the status speaks of.
    pub observed_generation: Option<i64>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// Its status as it is written.
    pub status: Value,
}

impl Resource {
    /// Reads what a resource says, as far as it can be read.
    pub fn read(kind: Kind, object: DynamicObject) -> Self {
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        let part = |field: &str| object.data.get(field).cloned().unwrap_or_default();
        let status = part("status");
        Self {
            kind,
            namespace,
            name,
            generation: object.metadata.generation,
            spec: part("spec"),
            observed_generation: status.get("observedGeneration").and_then(Value::as_i64),
            conditions: status.get("conditions").map(read).unwrap_or_default(),
            status,
        }
    }

    /// How it is named on the command line.
    pub fn to_name(&self) -> ResourceName {
        ResourceName { kind: Some(self.kind), name: self.name.clone() }
    }

    /// Whether it is to have no pods.
    pub fn is_suspended(&self) -> bool {
        self.spec.get("suspend").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The condition of this type.
    pub fn condition(&self, condition_type: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == condition_type)
    }

    /// Whether the ingest holds because too many messages are rejected.
    pub fn is_held(&self) -> bool {
        self.condition("Ready").is_some_and(|ready| ready.status == "False" && ready.reason == HELD)
    }

    /// A text of the spec, for example `/source/kafka/topic`.
    pub fn text(&self, pointer: &str) -> &str {
        self.spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The status of a StreamIngest, as far as it can be read.
    pub fn ingest_status(&self) -> StreamIngestStatus {
        read(&self.status)
    }

    /// The status of an HourlyCompaction, as far as it can be read.
    pub fn compaction_status(&self) -> HourlyCompactionStatus {
        read(&self.status)
    }
}

/// Reason of `Ready` while consumption is held.
pub const HELD: &str = "RejectedBudgetExceeded";

/// A status of another version shows nothing rather than hide the resource.
fn read<T: DeserializeOwned + Default>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
