//! How many StreamIngests may be rolled at once on the operator's own account.
//!
//! A new default image, other defaults or another detail of the template concern all resources of all tenants. So many
//! of them as the operator was told to are rolled at a time; the others keep the template that they have. A resource
//! whose own spec changed is never kept waiting, nor one that has no available pod: it can only get better.
//!
//! What a rollout is due to stands in annotations of the Deployment, so that it survives the operator.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use sha2::{Digest, Sha256};
use tracing::debug;

use crate::labels::{GENERATION, ROLLOUT, TEMPLATE};

/// Namespace and name of a Deployment.
type Key = (String, String);

/// The rollouts on the operator's own account.
pub struct Rollouts {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    caches: Vec<Store<Deployment>>,
    /// Rollouts that were begun and that no cache shows yet, by the digest of the template.
    begun: BTreeMap<Key, String>,
}

/// What becomes of a template that differs from the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is applied; nobody else is concerned.
    Free,
    /// It is applied and counts until it is through.
    Counted,
    /// The live one stays.
    Waits,
}

impl Rollouts {
    /// At most `limit` at once.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Counts the Deployments of this cache, too.
    pub fn count(&self, deployments: Store<Deployment>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).caches.push(deployments);
    }

    /// The Deployment as it may be applied now: as wanted, or with the template that it has.
    pub fn admit(&self, wanted: Deployment, live: Option<&Deployment>, generation: i64) -> Deployment {
        let template = digest(&wanted);
        let key = key(&wanted);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = || state.taken(&key);
        let turn = turn(live, &template, generation, self.limit, taken);
        match turn {
            Turn::Free => {
                // A rollout on the operator's account, should one have been begun, ends with this template.
                state.begun.remove(&key);
                let counted = live.is_some_and(|live| annotation(live, ROLLOUT) == Some(&template));
                marked(wanted, generation, template, counted)
            }
            Turn::Counted => {
                state.begun.insert(key, template.clone());
                marked(wanted, generation, template, true)
            }
            Turn::Waits => {
                debug!(deployment = key.1, "waits for its turn to be rolled");
                live.map_or_else(|| wanted.clone(), |live| with_live_template(wanted.clone(), live))
            }
        }
    }

    /// A rollout that was admitted could not be applied.
    pub fn gave_up(&self, namespace: &str, name: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun.remove(&(namespace.to_owned(), name.to_owned()));
    }
}

/// Whether a Deployment has another template than the live one was applied with: its pods are replaced in any case.
pub fn is_rolled(wanted: &Deployment, live: &Deployment) -> bool {
    annotation(live, TEMPLATE) != Some(&digest(wanted))
}

impl State {
    /// Rollouts under way but that of `except`.
    fn taken(&self, except: &Key) -> usize {
        let live: BTreeMap<Key, _> =
            self.caches.iter().flat_map(Store::state).map(|deployment| (key(&deployment), deployment)).collect();
        let unseen = |key: &Key, template: &String| {
            live.get(key).is_some_and(|live| annotation(live, ROLLOUT) != Some(template))
        };
        let begun = self.begun.iter().filter(|(key, template)| *key != except && unseen(key, template)).count();
        begun + live.iter().filter(|(key, live)| *key != except && is_counted(live)).count()
    }
}

fn turn(
    live: Option<&Deployment>,
    template: &str,
    generation: i64,
    limit: usize,
    taken: impl FnOnce() -> usize,
) -> Turn {
    let Some(live) = live else { return Turn::Free };
    let same_template = annotation(live, TEMPLATE) == Some(template);
    let own_change = annotation(live, GENERATION).is_some_and(|of| of != generation.to_string());
    let available = live.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0);
    if same_template || own_change || available == 0 {
        Turn::Free
    } else if is_counted(live) || taken() < limit {
        // Who holds a place may use it: rollouts that are stuck would else wait for each other.
        Turn::Counted
    } else {
        Turn::Waits
    }
}

/// Whether a rollout on the operator's account is under way.
///
/// `NewReplicaSetAvailable` says that it was through once: pods that fail later are no rollout, nor are more pods for
/// which there is no quota.
fn is_counted(live: &Deployment) -> bool {
    if annotation(live, ROLLOUT).is_none() || annotation(live, ROLLOUT) != annotation(live, TEMPLATE) {
        return false;
    }
    let wanted = live.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let unseen = DeploymentStatus::default();
    let status = live.status.as_ref().unwrap_or(&unseen);
    let updated = status.updated_replicas.unwrap_or(0);
    let through = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("NewReplicaSetAvailable")
    });
    status.observed_generation < live.metadata.generation
        || status.replicas.unwrap_or(0) > updated
        || (updated.min(status.available_replicas.unwrap_or(0)) < wanted && !through)
}

fn marked(mut deployment: Deployment, generation: i64, template: String, counted: bool) -> Deployment {
    let annotations = deployment.annotations_mut();
    annotations.insert(GENERATION.to_owned(), generation.to_string());
    if counted {
        annotations.insert(ROLLOUT.to_owned(), template.clone());
    }
    annotations.insert(TEMPLATE.to_owned(), template);
    deployment
}

fn with_live_template(mut wanted: Deployment, live: &Deployment) -> Deployment {
    for key in [GENERATION, TEMPLATE, ROLLOUT] {
        if let Some(value) = annotation(live, key) {
            wanted.annotations_mut().insert(key.to_owned(), value.to_owned());
        }
    }
    if let (Some(wanted), Some(live)) = (&mut wanted.spec, &live.spec) {
        wanted.template.clone_from(&live.template);
    }
    wanted
}

fn digest(deployment: &Deployment) -> String {
    let template = deployment.spec.as_ref().map(|spec| &spec.template);
    let text = serde_json::to_string(&template).expect("objects of Kubernetes have string keys only");
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn annotation<'a>(deployment: &'a Deployment, key: &str) -> Option<&'a str> {
    deployment.annotations().get(key).map(String::as_str)
}

fn key(deployment: &Deployment) -> Key {
    (deployment.namespace().unwrap_or_default(), deployment.name_any())
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// A Deployment of three pods with the template `old`, at generation 7 of its resource.
    fn live(name: &str, annotations: Value, status: Value) -> Deployment {
        let mut of_all = json!({GENERATION: "7", TEMPLATE: "old"});
        let more = annotations.as_object().expect("annotations").clone();
        of_all.as_object_mut().expect("annotations").extend(more);
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "library", "generation": 3, "annotations": of_all},
            "spec": {"replicas": 3, "selector": {}, "template": {}},
            "status": status,
        }))
        .expect("a Deployment")
    }

    fn settled() -> Value {
        json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3})
    }

    #[rstest]
    #[case::same_template("old", 7, settled(), 9, Turn::Free)]
    #[case::own_change("new", 8, settled(), 9, Turn::Free)]
    #[case::nothing_to_lose("new", 7, json!({"observedGeneration": 3, "replicas": 3}), 9, Turn::Free)]
    #[case::one_is_free("new", 7, settled(), 4, Turn::Counted)]
    #[case::none_is_free("new", 7, settled(), 5, Turn::Waits)]
    fn turn_depends_on_what_has_changed_and_on_the_others(
        #[case] template: &str,
        #[case] generation: i64,
        #[case] status: Value,
        #[case] taken: usize,
        #[case] expected: Turn,
    ) {
        let live = live("books", json!({}), status);
        assert_eq!(turn(Some(&live), template, generation, 5, || taken), expected);
    }

    #[test]
    fn deployment_that_an_older_operator_made_takes_its_turn() {
        let mut live = live("books", json!({}), settled());
        live.metadata.annotations = None;
        assert_eq!(turn(Some(&live), "new", 7, 5, || 5), Turn::Waits);
        assert_eq!(turn(None, "new", 7, 5, || 5), Turn::Free);
    }

    #[rstest]
    #[case::through(json!({ROLLOUT: "old"}), settled(), false)]
    #[case::not_seen_yet(json!({ROLLOUT: "old"}), json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}), true)]
    #[case::being_replaced(json!({ROLLOUT: "old"}), json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}), true)]
    #[case::old_pod_is_leaving(json!({ROLLOUT: "old"}), json!({"observedGeneration": 3, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}), true)]
    #[case::new_pods_do_not_come_up(json!({ROLLOUT: "old"}), json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}), true)]
    #[case::failed_after_it_was_through(json!({ROLLOUT: "old"}), json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}), false)]
    #[case::no_quota_for_more_after_it_was_through(json!({ROLLOUT: "old"}), json!({"observedGeneration": 3, "replicas": 2,
        "updatedReplicas": 2, "availableReplicas": 2,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}), false)]
    #[case::of_its_own_account(json!({}), json!({"observedGeneration": 2}), false)]
    #[case::of_an_earlier_template(json!({ROLLOUT: "older"}), json!({"observedGeneration": 2}), false)]
    fn rollout_counts_until_it_is_through(#[case] annotations: Value, #[case] status: Value, #[case] counted: bool) {
        assert_eq!(is_counted(&live("books", annotations, status)), counted);
    }

    #[test]
    fn rollouts_that_are_stuck_do_not_wait_for_each_other() {
        let stuck = json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2});
        let stuck = live("books", json!({ROLLOUT: "old"}), stuck);
        assert_eq!(turn(Some(&stuck), "new", 7, 2, || 4), Turn::Counted);
    }

    #[test]
    fn rollout_that_no_cache_shows_yet_counts() {
        let (books, maps) = (live("books", json!({}), settled()), live("maps", json!({}), settled()));
        let mut writer = Writer::new(());
        let rollouts = Rollouts::new(1);
        rollouts.count(writer.as_reader());
        for deployment in [&books, &maps] {
            writer.apply_watcher_event(&Event::Apply(deployment.clone()));
        }
        let wanted = |live: &Deployment| Deployment { status: None, ..live.clone() };
        let template = |deployment: &Deployment| annotation(deployment, TEMPLATE).map(str::to_owned);
        let begun = rollouts.admit(wanted(&books), Some(&books), 7);
        assert_ne!(template(&begun), Some("old".to_owned()));
        assert_eq!(template(&rollouts.admit(wanted(&maps), Some(&maps), 7)), Some("old".to_owned()), "it waits");
        rollouts.gave_up("library", "books");
        assert_ne!(template(&rollouts.admit(wanted(&maps), Some(&maps), 7)), Some("old".to_owned()));
    }
}
