//! Runs a StreamIngest: observe, plan, build, apply, status.

pub mod build;
pub mod conditions;
pub mod observe;
pub mod ready;
pub mod resume;
pub mod size;
pub mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill_crds::plan::IngestPlan;
use gristmill_crds::{StreamIngest, StreamIngestStatus};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::controller::Action;

use crate::apply::{Applier, unused};
use crate::context::Operator;
use crate::error::Error;
use crate::pod::mounted_config_map;
use crate::resource::CustomResource;
use crate::transitions;
use build::{Wanted, build};
use conditions::Outcome;
use observe::{Cache, Observed, observe};

/// How often the figures of a worker are read.
const REFRESH: Duration = Duration::from_secs(15);

/// A StreamIngest as the cluster holds it.
pub type Stream = CustomResource<StreamIngest, StreamIngestStatus>;

/// What a reconcile of a StreamIngest is given.
pub struct Context {
    /// What both controllers share.
    pub operator: Arc<Operator>,
    /// The objects of all StreamIngests.
    pub cache: Cache,
}

/// Brings the cluster to what the resource says, and its status to what the cluster says.
///
/// # Errors
/// The spec is refused, or the API server is. The status tells of it already.
pub async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        // Its objects are deleted after it by the garbage collector; its data stays.
        return Ok(Action::await_change());
    }
    let operator = &context.operator;
    let stream = Stream::read(&object);
    let observed = observe(&stream, &context).await?;
    let outcome = settle(&stream, &observed, operator).await;
    let status = status::next(&stream, &observed, &outcome, (operator.now)());
    if status::is_due(&stream.status, &status) {
        crate::status::write(&operator.client, &stream, &status, observed.outdated.as_ref()).await?;
        transitions::publish(operator, &stream, &stream.status.conditions, &status.conditions).await;
    }
    outcome?;
    operator.retries.reset(&stream.reference);
    Ok(Action::requeue(REFRESH))
}

/// Plan, size, build, apply; of a resource that is paused the plan and the size alone.
async fn settle(stream: &Stream, observed: &Observed, operator: &Operator) -> Outcome {
    let ingest = stream.typed()?;
    let plan = IngestPlan::try_from(ingest).and_then(IngestPlan::in_cluster).map_err(Error::Invalid)?;
    let size = size::decide(&plan, stream.status.partitions, observed.deployment.as_deref());
    if stream.is_paused() {
        return Ok((plan, size));
    }
    // No `..`: a new object must be applied here.
    let Wanted { service_account, config_map, deployment, disruption_budget, network_policy } =
        build(ingest, &plan, &size, &operator.settings);
    let current = config_map.name_any();
    let config_map = crate::pod::with_live_text(config_map, &observed.config_maps);

    let applier = Applier::new(&operator.client, stream.namespace(), stream.owner_reference());
    applier.apply(service_account, observed.service_account.as_deref()).await?;
    applier.apply(config_map, observed.config_map(&current)).await?;
    // Before the pods, so that none runs without it.
    match network_policy {
        Some(wanted) => applier.apply(wanted, observed.network_policy.as_deref()).await?,
        None => applier.remove(observed.network_policy.as_deref()).await?,
    }
    let live = observed.deployment.as_deref();
    let deployment = operator.rollouts.admit(deployment, live, stream.metadata.generation.unwrap_or_default());
    let name = deployment.name_any();
    let applied = applier.apply(deployment, live).await;
    if applied.is_err() {
        operator.rollouts.gave_up(stream.namespace(), &name);
    }
    applied?;
    applier.apply(disruption_budget, observed.disruption_budget.as_deref()).await?;
    resume::hand_over(stream, observed, &operator.client).await?;
    applier.prune(unused(&observed.config_maps, &current, &in_use(observed))).await?;
    Ok((plan, size))
}

/// ConfigMaps that a pod mounts, or that the Deployment may still start a pod with.
fn in_use(observed: &Observed) -> BTreeSet<String> {
    let template = observed.deployment.iter().filter_map(|deployment| deployment.spec.as_ref()?.template.spec.as_ref());
    let pods = observed.pods.iter().filter_map(|pod| pod.spec.as_ref());
    template.chain(pods).filter_map(mounted_config_map).map(str::to_owned).collect()
}
