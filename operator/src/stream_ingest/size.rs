//! How many workers the document wants, and whether somebody else decides that. Pure.

use gristmill_crds::ScalingMode;
use gristmill_crds::plan::IngestPlan;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use crate::condition::State;
use crate::labels::MANAGER;
use crate::reason::Reason;

/// How many workers there are to be, and why there are not as many as are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicas {
    /// What the operator applies; none leaves it to somebody else.
    pub replicas: Option<i32>,
    /// Workers that the resource asks for.
    pub wanted: i32,
    /// What keeps the operator from it.
    pub limit: Option<Limit>,
}

/// What keeps the operator from as many workers as are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// One worker reads at least one partition: another would only wait.
    Partitions(i32),
    /// This field manager sets the replicas of the Deployment.
    Scaler(String),
}

/// Decides from the plan, the partitions as workers reported them last, and the live Deployment.
///
/// A scaler of the Deployment itself is let do where the resource names no number. Fighting it would start and stop
/// workers for ever, each time with a rebalance.
pub fn decide(plan: &IngestPlan, partitions: Option<i32>, live: Option<&Deployment>) -> Replicas {
    let wanted = if plan.suspend { 0 } else { plan.scaling.initial_replicas() };
    let is_told = plan.suspend || plan.scaling.replicas.is_some();
    let scaler = live.filter(|_| !is_told).and_then(scaler);
    let most = partitions.filter(|partitions| *partitions > 0);
    if let Some(scaler) = scaler {
        let by_scaler = live.and_then(|live| live.spec.as_ref()?.replicas).unwrap_or(wanted);
        let limit = match plan.scaling.mode {
            ScalingMode::Auto => Some(Limit::Scaler(scaler)),
            ScalingMode::Manual | ScalingMode::Advise => most.filter(|most| by_scaler > *most).map(Limit::Partitions),
        };
        return Replicas { replicas: None, wanted: by_scaler, limit };
    }
    let limit = most.filter(|most| wanted > *most);
    Replicas { replicas: Some(limit.unwrap_or(wanted)), wanted, limit: limit.map(Limit::Partitions) }
}

impl Replicas {
    /// What `ScalingLimited` says of it; the cluster may have more to say.
    pub fn limited(&self, deployment: &str) -> Option<State> {
        Some(match self.limit.as_ref()? {
            Limit::Partitions(partitions) if self.replicas.is_some() => State::holds(
                Reason::PartitionCount,
                format!(
                    "{} workers are wanted and {partitions} run, one for each partition of the topic; lower spec.scaling, or add partitions",
                    self.wanted
                ),
            ),
            Limit::Partitions(partitions) => State::holds(
                Reason::PartitionCount,
                format!(
                    "the scaler of Deployment {deployment} runs {} workers, and the topic has {partitions} partitions: the others wait; let it scale up to {partitions}",
                    self.wanted
                ),
            ),
            Limit::Scaler(manager) => State::holds(
                Reason::ExternalScaler,
                format!(
                    "{manager} sets the replicas of Deployment {deployment}, which mode Auto decides; let it scale the StreamIngest in mode Manual, or remove it and delete the Deployment, which is made anew: no worker runs meanwhile"
                ),
            ),
        })
    }
}

/// The field manager that scales a Deployment beside us. What a person did by kubectl is an edit, and is undone.
fn scaler(deployment: &Deployment) -> Option<String> {
    let entries = deployment.metadata.managed_fields.iter().flatten();
    let managers = entries.filter(|entry| owns_replicas(entry)).filter_map(|entry| entry.manager.as_deref());
    managers.filter(|manager| *manager != MANAGER && !manager.starts_with("kubectl")).map(str::to_owned).next()
}

/// Whether an entry of the managed fields has `spec.replicas`.
pub fn owns_replicas(entry: &ManagedFieldsEntry) -> bool {
    entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn plan(scaling: Value) -> IngestPlan {
        let text = include_str!("../../../manifests/quickstart/books.yaml");
        let mut documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("the quickstart is YAML");
        documents[0]["spec"]["scaling"] = scaling;
        let ingest: gristmill_crds::StreamIngest =
            serde_json::from_value(documents.remove(0)).expect("the quickstart is a StreamIngest");
        IngestPlan::try_from(&ingest).expect("the quickstart is valid")
    }

    fn scaled_by(manager: &str, replicas: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"managedFields": [
                {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": manager, "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]},
            "spec": {"replicas": replicas, "selector": {}, "template": {}},
        }))
        .expect("a Deployment")
    }

    #[rstest]
    #[case::as_wanted(json!({"replicas": 3}), Some(4), Some(3), None)]
    #[case::capped(json!({"replicas": 6}), Some(4), Some(4), Some(Limit::Partitions(4)))]
    #[case::not_known_yet(json!({"replicas": 6}), None, Some(6), None)]
    #[case::fewest(json!({"mode": "Auto", "minReplicas": 6}), Some(4), Some(4), Some(Limit::Partitions(4)))]
    #[case::none(json!({"replicas": 0}), Some(4), Some(0), None)]
    fn there_are_never_more_workers_than_partitions(
        #[case] scaling: Value,
        #[case] partitions: Option<i32>,
        #[case] replicas: Option<i32>,
        #[case] limit: Option<Limit>,
    ) {
        let size = decide(&plan(scaling), partitions, None);
        assert_eq!((size.replicas, size.limit), (replicas, limit));
    }

    #[rstest]
    #[case::told(json!({"mode": "Manual", "replicas": 2}), "kube-controller-manager", Some(2), None)]
    #[case::let_do(json!({"mode": "Manual"}), "kube-controller-manager", None, None)]
    #[case::said(json!({"mode": "Auto"}), "keda-operator", None, Some(Limit::Scaler("keda-operator".to_owned())))]
    #[case::person(json!({"mode": "Auto"}), "kubectl", Some(1), None)]
    fn scaler_of_the_deployment_is_let_do_unless_the_resource_names_a_number(
        #[case] scaling: Value,
        #[case] manager: &str,
        #[case] replicas: Option<i32>,
        #[case] limit: Option<Limit>,
    ) {
        let size = decide(&plan(scaling), Some(4), Some(&scaled_by(manager, 3)));
        assert_eq!((size.replicas, size.limit), (replicas, limit));
    }

    #[test]
    fn scaler_that_runs_more_workers_than_partitions_is_told() {
        let size = decide(&plan(json!({})), Some(4), Some(&scaled_by("kube-controller-manager", 9)));
        assert_eq!((size.replicas, size.limit), (None, Some(Limit::Partitions(4))));
    }
}
