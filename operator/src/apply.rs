//! Brings objects to what they should be, and writes nothing when they are.
//!
//! Server-side apply with one field manager and force. An object is skipped when both hold:
//! - its annotation `gristmill.dev/applied` has the digest of what is wanted now. A field that is no longer
//!   wanted changes the digest, and only an apply removes it;
//! - every wanted field has the wanted value in the live object. What others changed shows here; what the
//!   API server or others added does not matter.
//!
//! An object of a wanted name that belongs to someone else is never taken over.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::context::Operator;
use crate::error::{Error, ObjectName};
use crate::installation::Installation;
use crate::labels::{APPLIED, MANAGER};

/// An object that the operator creates.
pub trait Child:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Child for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
}

/// Applies the objects of one custom resource.
pub struct Applier<'a> {
    client: &'a Client,
    installation: &'a Installation,
    namespace: &'a str,
    owner: OwnerReference,
}

impl<'a> Applier<'a> {
    /// An applier for objects that belong to `owner`.
    pub fn new(operator: &'a Operator, namespace: &'a str, owner: OwnerReference) -> Self {
        Self { client: &operator.client, installation: &operator.settings.installation, namespace, owner }
    }

    /// Makes the live object what is wanted.
    ///
    /// # Errors
    /// The name is taken, another installation has the object, the API server refuses the object, or it can't be reached.
    pub async fn apply<K: Child>(&self, mut wanted: K, live: Option<&K>) -> Result<(), Error> {
        wanted.meta_mut().owner_references = Some(vec![self.owner.clone()]);
        let wanted = stamped(wanted);
        let object = title(&wanted);
        let found = match live {
            Some(live) => Some(live.clone()),
            None => self.read(&wanted).await?,
        };
        if let Some(found) = &found {
            self.check_ours(&wanted, found)?;
            // Another one may have been faster than our cache.
            self.installation.check(Some(found))?;
            if is_as_wanted(found, &wanted) {
                return Ok(());
            }
            if is_sealed(found, &wanted) {
                warn!(namespace = self.namespace, %object, "its text is not the one that its name stands for; it is made anew");
                self.delete(found).await?;
            }
        }
        let parameters = PatchParams::apply(MANAGER).force();
        match self.api::<K>().patch(&wanted.name_any(), &parameters, &Patch::Apply(&wanted)).await {
            Ok(_) => {
                info!(namespace = self.namespace, %object, "applied");
                Ok(())
            }
            Err(kube::Error::Api(answer)) if answer.is_invalid() => {
                Err(Error::Refused { object, message: answer.message })
            }
            Err(source) => Err(Error::Apply { object, source }),
        }
    }

    /// Deletes ConfigMaps that nothing can use any more.
    ///
    /// # Errors
    /// The API server refuses or can't be reached.
    pub async fn prune(&self, config_maps: Vec<Arc<ConfigMap>>) -> Result<(), Error> {
        for config_map in config_maps {
            self.delete(config_map.as_ref()).await?;
        }
        Ok(())
    }

    /// Deletes an object that is not wanted any more, if this resource controls it.
    ///
    /// # Errors
    /// The API server refuses or can't be reached.
    pub async fn remove<K: Child>(&self, live: Option<&K>) -> Result<(), Error> {
        match live {
            Some(live) if controller(live).is_some_and(|owner| owner.uid == self.owner.uid) => self.delete(live).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn delete<K: Child>(&self, live: &K) -> Result<(), Error> {
        let object = title(live);
        // By uid: the cache may lag behind an object of the same name that was made again.
        let preconditions = Preconditions { uid: live.uid(), resource_version: None };
        let parameters = DeleteParams::background().preconditions(preconditions);
        match self.api::<K>().delete(&live.name_any(), &parameters).await {
            Ok(_) => {
                info!(namespace = self.namespace, %object, "deleted");
                Ok(())
            }
            Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
            Err(source) => Err(Error::Delete { object, source }),
        }
    }

    fn api<K: Child>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    /// Reads an object that the cache does not have: it may exist without our labels.
    async fn read<K: Child>(&self, wanted: &K) -> Result<Option<K>, Error> {
        let read = self.api::<K>().get_opt(&wanted.name_any()).await;
        read.map_err(|source| Error::Read { object: title(wanted), source })
    }

    /// Ours is what this resource controls, or what nobody controls and carries our labels: a restored backup.
    fn check_ours<K: Child>(&self, wanted: &K, found: &K) -> Result<(), Error> {
        let taken = |owner: String| Err(Error::NameTaken { object: title(wanted), owner });
        match controller(found) {
            Some(owner) if owner.uid == self.owner.uid => Ok(()),
            // It was deleted and created anew: the garbage collector follows within seconds.
            Some(owner) if (&owner.kind, &owner.name) == (&self.owner.kind, &self.owner.name) => {
                Err(Error::FormerOwner { object: title(wanted), owner: format!("{} {}", owner.kind, owner.name) })
            }
            Some(owner) => taken(format!("{} {} (uid {})", owner.kind, owner.name, owner.uid)),
            None if wanted.labels().iter().all(|(key, value)| found.labels().get(key) == Some(value)) => Ok(()),
            None => taken("someone else".to_owned()),
        }
    }
}

fn controller<K: Child>(object: &K) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}

/// ConfigMaps that nothing can use any more.
///
/// Kept are the current one, each one in use, and the newest of the others: a Job that the CronJob controller
/// makes from the template that it saw a moment ago, and `kubectl rollout undo`, still find theirs.
pub fn unused(config_maps: &[Arc<ConfigMap>], current: &str, in_use: &BTreeSet<String>) -> Vec<Arc<ConfigMap>> {
    let mut others: Vec<&Arc<ConfigMap>> = config_maps
        .iter()
        .filter(|map| map.name_any() != current && !in_use.contains(&map.name_any()))
        .filter(|map| map.metadata.deletion_timestamp.is_none())
        .collect();
    others.sort_by_key(|map| std::cmp::Reverse((map.creation_timestamp(), map.name_any())));
    others.into_iter().skip(1).cloned().collect()
}

/// The object with a digest of itself.
fn stamped<K: Child>(mut object: K) -> K {
    let digest = Sha256::digest(json(&object).to_string().as_bytes());
    let hex = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    object.annotations_mut().insert(APPLIED.to_owned(), hex);
    object
}

/// Whether an apply would change nothing.
fn is_as_wanted<K: Child>(live: &K, wanted: &K) -> bool {
    contains(&json(live), &json(wanted))
}

/// Whether a write would be refused: an immutable ConfigMap with other data.
fn is_sealed<K: Child>(live: &K, wanted: &K) -> bool {
    let (live, wanted) = (json(live), json(wanted));
    live.get("immutable") == Some(&Value::Bool(true)) && live.get("data") != wanted.get("data")
}

/// Whether every field of `wanted` has its value in `live`.
///
/// The API server leaves out what is empty, so that an empty field and none are the same.
///
/// Lists that merge by key may hold more than is wanted. Other lists and selectors are whole to Kubernetes: an element
/// more, such as one more peer of a NetworkPolicy, is another value.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let same = |live: &Value| {
                if WHOLE.contains(&key.as_str()) {
                    without_empty(live) == without_empty(wanted)
                } else {
                    contains(live, wanted)
                }
            };
            live.get(key).map_or_else(|| is_empty(&without_empty(wanted)), same)
        }),
        (Value::Array(live), Value::Array(wanted)) if wanted.iter().any(has_merge_key) => {
            wanted.iter().all(|wanted| live.iter().any(|live| contains(live, wanted)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// A value without its empty fields, on each level.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(key, field)| (key.clone(), without_empty(field)));
            kept.filter(|(_, field)| !is_empty(field)).collect()
        }
        // An empty element is one: a peer without a field is everybody.
        Value::Array(elements) => elements.iter().map(without_empty).collect(),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Maps that Kubernetes takes as one value (`x-kubernetes-map-type: atomic`).
const WHOLE: [&str; 4] = ["selector", "podSelector", "namespaceSelector", "nodeSelector"];

/// Keys by which lists of Kubernetes merge (`x-kubernetes-list-map-keys`).
const MERGE_KEYS: [&str; 6] = ["name", "containerPort", "mountPath", "ip", "topologyKey", "uid"];

fn has_merge_key(element: &Value) -> bool {
    MERGE_KEYS.iter().any(|key| element.get(key).is_some())
}

fn json<K: Child>(object: &K) -> Value {
    serde_json::to_value(object).expect("objects of Kubernetes have string keys only")
}

fn title<K: Child>(object: &K) -> ObjectName {
    format!("{} {}", K::kind(&()), object.name_any())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::contains;

    #[rstest]
    #[case::added_by_the_server(json!({"a": 1, "b": 2}), json!({"a": 1}), true)]
    #[case::changed_by_someone(json!({"a": 2}), json!({"a": 1}), false)]
    #[case::removed_by_someone(json!({}), json!({"a": 1}), false)]
    #[case::default_in_a_list(json!([{"name": "x", "protocol": "TCP"}]), json!([{"name": "x"}]), true)]
    #[case::element_added_to_a_list(json!([{"name": "y"}, {"name": "x"}]), json!([{"name": "x"}]), true)]
    #[case::element_missing_in_a_list(json!([{"name": "y"}]), json!([{"name": "x"}]), false)]
    #[case::argument_added(json!(["a", "b"]), json!(["a"]), false)]
    #[case::peer_added(json!({"from": [{"podSelector": {}}, {}]}), json!({"from": [{"podSelector": {}}]}), false)]
    #[case::default_in_a_whole_list(json!([{"port": 53, "protocol": "TCP"}]), json!([{"port": 53}]), true)]
    #[case::selector_narrowed(
        json!({"podSelector": {"matchLabels": {"a": "b", "c": "d"}}}),
        json!({"podSelector": {"matchLabels": {"a": "b"}}}),
        false
    )]
    #[case::empty_value_is_dropped(
        json!({"env": [{"name": "NO_PROXY"}]}), json!({"env": [{"name": "NO_PROXY", "value": ""}]}), true
    )]
    #[case::empty_list_is_dropped(json!({"egress": [{}]}), json!({"egress": [{"to": []}]}), true)]
    #[case::empty_selector_is_stripped(json!({"podSelector": {}}), json!({"podSelector": {"matchLabels": {}}}), true)]
    #[case::value_where_none_is_wanted(json!({"value": "x"}), json!({"value": ""}), false)]
    #[case::zero_is_no_empty_value(json!({}), json!({"replicas": 0}), false)]
    fn live_object_is_compared_by_wanted_fields(
        #[case] live: serde_json::Value,
        #[case] wanted: serde_json::Value,
        #[case] as_wanted: bool,
    ) {
        assert_eq!(contains(&live, &wanted), as_wanted);
    }
}
