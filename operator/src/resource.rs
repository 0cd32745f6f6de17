//! A custom resource as the cluster holds it, read part by part.
//!
//! The watches carry untyped objects: a resource that a newer version wrote still has a name and a status to
//! answer in, and does not end the watch of the others.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::Resource as _;
use kube::runtime::reflector::ObjectRef;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::condition::ConditionType;
use crate::error::Error;
use crate::labels::RECONCILE;

/// What a resource says that is kept as it is.
pub const PAUSED: &str = "annotation gristmill.dev/reconcile is Disabled: the operator changes none of its objects; remove the annotation to go on";

/// A custom resource of type `K` with a status of type `S`.
#[derive(Debug, Clone)]
pub struct CustomResource<K, S> {
    /// Name and namespace.
    pub reference: ObjectRef<DynamicObject>,
    /// Kind in the API.
    pub kind: ApiResource,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The status that it has; empty when there is none or it does not read.
    pub status: S,
    typed: Result<K, (String, String)>,
}

impl<K, S> CustomResource<K, S>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned,
    S: DeserializeOwned + Default,
{
    /// Reads an object; what does not read is kept as such.
    pub fn read(object: &DynamicObject) -> Self {
        let kind = ApiResource::erase::<K>(&());
        let status = object.data.get("status").cloned().map_or(Value::Null, with_our_conditions);
        Self {
            reference: ObjectRef::from_obj_with(object, kind.clone()),
            metadata: object.metadata.clone(),
            status: serde_json::from_value(status).unwrap_or_default(),
            typed: read_typed(object, &kind),
            kind,
        }
    }
}

impl<K, S> CustomResource<K, S> {
    /// The resource itself.
    ///
    /// # Errors
    /// A field or a value that this version does not know.
    pub fn typed(&self) -> Result<&K, Error> {
        self.typed
            .as_ref()
            .map_err(|(path, message)| Error::Unreadable { path: path.clone(), message: message.clone() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Whether a user keeps the operator from applying anything: annotation `gristmill.dev/reconcile: Disabled`.
    pub fn is_paused(&self) -> bool {
        let annotation = self.metadata.annotations.as_ref().and_then(|annotations| annotations.get(RECONCILE));
        annotation.is_some_and(|value| value.eq_ignore_ascii_case("Disabled"))
    }

    /// Kind and name, as messages have it.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind.kind, self.name())
    }

    /// The reference by which its objects are deleted after it.
    ///
    /// `blockOwnerDeletion` lets a foreground deletion wait until the pods are gone.
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: self.kind.api_version.clone(),
            kind: self.kind.kind.clone(),
            name: self.name().to_owned(),
            uid: self.metadata.uid.clone().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// Conditions are a list that others may add to; theirs are not ours to compare or to write.
fn with_our_conditions(mut status: Value) -> Value {
    if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
        let ours = ConditionType::ALL.map(ConditionType::as_str);
        let type_of = |condition: &Value| condition.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        conditions.retain(|condition| ours.contains(&type_of(condition).as_str()));
    }
    status
}

fn read_typed<K: DeserializeOwned>(object: &DynamicObject, kind: &ApiResource) -> Result<K, (String, String)> {
    let document = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": object.meta().name, "namespace": object.meta().namespace},
        "spec": object.data.get("spec").cloned().unwrap_or(Value::Null),
    });
    serde_path_to_error::deserialize(document).map_err(|error| (error.path().to_string(), error.inner().to_string()))
}
