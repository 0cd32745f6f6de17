//! Runs a StreamIngest: observe, plan, size, build, apply, status.

pub mod build;
pub mod conditions;
pub mod observe;
pub mod pod_cpu;
pub mod ready;
pub mod resume;
pub mod size;
pub mod sizing;
pub mod start_from;
pub mod status;
pub mod tries;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill_crds::plan::IngestPlan;
use gristmill_crds::{StreamIngest, StreamIngestStatus};
use gristmill_sizing::Resize;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject};
use kube::runtime::controller::Action;

use crate::apply::{Applier, unused};
use crate::condition::{ConditionType, find};
use crate::context::{Operator, cached};
use crate::error::{Error, Retry};
use crate::labels::{self, SIZING};
use crate::pod::{document_cpu, mounted_config_map};
use crate::reason::Reason;
use crate::resource::CustomResource;
use crate::transitions;
use build::{Wanted, build};
use conditions::Outcome;
use observe::{Cache, Observed, observe};
use pod_cpu::Resized;
use sizing::{Memories, Memory, Situation, Sizing};
use tries::{Direction, Tries};

/// How often the figures of a worker are read.
pub const REFRESH: Duration = Duration::from_secs(15);

/// A StreamIngest as the cluster holds it.
pub type Stream = CustomResource<StreamIngest, StreamIngestStatus>;

/// What a reconcile of a StreamIngest is given.
pub struct Context {
    /// What both controllers share.
    pub operator: Arc<Operator>,
    /// The objects of all StreamIngests.
    pub cache: Cache,
    /// What is remembered of their sizes.
    pub memories: Arc<Memories>,
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
    // Before its workers are asked, which may let the other one in and not us.
    let live = cached(&context.cache.deployments, stream.namespace(), &labels::ingest_name(stream.name())).await?;
    if let Err(error) = operator.settings.installation.check(live.as_deref()) {
        return stays_out(&stream, operator, error).await;
    }
    let observed = observe(&stream, &context).await?;
    let outcome = match settle(&stream, &observed, &context).await {
        Err(error @ Error::ManagedElsewhere { .. }) => return stays_out(&stream, operator, error).await,
        outcome => outcome,
    };
    let status = status::next(&stream, &observed, &outcome, (operator.now)());
    if status::is_due(&stream.status, &status) {
        crate::status::write(&operator.client, &stream, &status, observed.outdated.as_ref()).await?;
        transitions::publish(operator, &stream, &stream.status.conditions, &status.conditions).await;
    }
    if let Err(error) = &outcome
        && error.retry() == Retry::OnChange
        && is_told(&stream.status, &status)
    {
        return Ok(Action::requeue(REFRESH));
    }
    outcome?;
    operator.retries.reset(&stream.reference);
    Ok(Action::requeue(REFRESH))
}

/// Of a resource of another installation nothing is written, nor the status: the other one writes it, and they would turn it
/// all the time.
async fn stays_out(stream: &Stream, operator: &Operator, error: Error) -> Result<Action, Error> {
    transitions::publish_elsewhere(operator, stream, &error).await;
    Err(error)
}

/// Whether the refusal of this very spec was told before: it is logged and counted once.
fn is_told(before: &StreamIngestStatus, now: &StreamIngestStatus) -> bool {
    let accepted = |status: &StreamIngestStatus| {
        let accepted = find(&status.conditions, ConditionType::Accepted)?;
        Some((accepted.status.clone(), accepted.reason.clone(), accepted.observed_generation))
    };
    accepted(before) == accepted(now)
}

/// Plan, size, build, apply; of a resource that is paused the plan and the size alone.
async fn settle(stream: &Stream, observed: &Observed, context: &Context) -> Outcome {
    let operator = &context.operator;
    let (ingest, plan) = match planned(stream) {
        Ok(planned) => planned,
        Err(error) => {
            resume_former(stream, observed, operator).await;
            return Err(error);
        }
    };
    let situation = situation(stream, &plan, observed, context);
    let last_down = situation.memory.history.last_down;
    let mut sizing = sizing::decide(situation);
    if stream.is_paused() {
        // Nothing is carried out, so nothing is remembered as if it were.
        return Ok((plan, Sizing { decision: None, ..sizing }));
    }
    let live = observed.deployment.as_deref();
    // No `..`: a new object must be applied here.
    let Wanted { service_account, config_map, deployment, disruption_budget, network_policy } =
        build(ingest, &plan, &sizing, live, &operator.settings);
    let current = config_map.name_any();
    let config_map = crate::pod::with_live_text(config_map, &observed.config_maps);

    let applier = Applier::new(operator, stream.namespace(), stream.owner_reference());
    applier.apply(service_account, observed.service_account.as_deref()).await?;
    let is_start_ignored = start_from::is_ignored(stream, observed, &config_map);
    applier.apply(config_map, observed.config_map(&current)).await?;
    if is_start_ignored {
        transitions::publish_warning(operator, stream, Reason::StartFromIgnored, start_from::IGNORED).await;
    }
    // Before the pods, so that none runs without it.
    match network_policy {
        Some(wanted) => applier.apply(wanted, observed.network_policy.as_deref()).await?,
        None => applier.remove(observed.network_policy.as_deref()).await?,
    }
    let deployment = operator.rollouts.admit(deployment, live, stream.metadata.generation.unwrap_or_default());
    let name = deployment.name_any();
    let applied = applier.apply(deployment, live).await;
    if applied.is_err() {
        operator.rollouts.gave_up(stream.namespace(), &name);
    }
    applied?;
    // From here on the replicas are those of this decision: one made from the size before it would take them back.
    let keep =
        |memory: &Memory| context.memories.keep(&stream.reference, stream.metadata.uid.as_deref(), memory.clone());
    keep(&sizing.memory);
    let rest = async {
        applier.apply(disruption_budget, observed.disruption_budget.as_deref()).await?;
        resume::hand_over(stream, observed, &operator.client).await?;
        applier.prune(unused(&observed.config_maps, &current, &in_use(observed))).await?;
        // Last, so that a right to resize that is missing keeps nothing else from being done.
        hand_out_cpu(stream, observed, &mut sizing, last_down, operator).await?;
        keep(&sizing.memory);
        Ok(())
    };
    let rest = rest.await;
    // Also if something of it failed: the next decision begins with this size, and says nothing of it.
    if let Some(change) = sizing.resized() {
        transitions::publish_resize(operator, stream, Reason::Resized, change).await;
    }
    rest.map(|()| (plan, sizing))
}

fn planned(stream: &Stream) -> Result<(&StreamIngest, IngestPlan), Error> {
    let ingest = stream.typed()?;
    let plan = IngestPlan::try_from(ingest).and_then(IngestPlan::in_cluster).map_err(Error::Invalid)?;
    Ok((ingest, plan))
}

/// Workers of the former spec that are held go on when they are told to, while the next spec is refused: that is told first,
/// so a failure of this is only logged.
async fn resume_former(stream: &Stream, observed: &Observed, operator: &Operator) {
    if stream.is_paused() {
        return;
    }
    if let Err(error) = resume::hand_over(stream, observed, &operator.client).await {
        tracing::warn!(%error, stream = %stream.reference, "held workers are not told to go on");
    }
}

/// What the size is decided by. An operator that has just started reads what the one before it wrote.
fn situation<'a>(stream: &Stream, plan: &'a IngestPlan, observed: &'a Observed, context: &Context) -> Situation<'a> {
    let written = observed.deployment.as_ref().and_then(|live| live.annotations().get(SIZING));
    let remembered = context.memories.of(&stream.reference, stream.metadata.uid.as_deref());
    let pod = stream.typed().ok().and_then(|ingest| ingest.spec.pod.as_ref());
    Situation {
        plan,
        document_cpu: document_cpu(pod).to_millicores().expect("the plan accepted this amount"),
        partitions: stream.status.partitions,
        observed,
        memory: remembered.unwrap_or_else(|| written.map(|text| Memory::read(text)).unwrap_or_default()),
        now: (context.operator.now)(),
    }
}

/// Gives each pod its CPU in place, and tells its worker. A pod that was created a moment ago has that of the template.
///
/// What is refused is tried again after a minute: a quota that was raised tells nobody.
async fn hand_out_cpu(
    stream: &Stream,
    observed: &Observed,
    sizing: &mut Sizing,
    last_down: Option<Resize>,
    operator: &Operator,
) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(operator.client.clone(), stream.namespace());
    let mut tries = Tries::new(&mut sizing.memory, sizing::facts::seconds((operator.now)()));
    for pod in observed.pods.iter().filter(|pod| pod_cpu::is_live(pod)) {
        let Some(has) = pod_cpu::requested(pod) else { continue };
        let wanted = sizing.cpu.filter(|cpu| *cpu != has && tries.is_resize_served());
        let Some(cpu) = wanted else {
            pod_cpu::annotate(&api, pod).await?;
            continue;
        };
        let direction = Direction::of(has, cpu);
        if tries.waits(direction) {
            continue;
        }
        match pod_cpu::resize(&api, pod, cpu).await? {
            Resized::Accepted(resized) => pod_cpu::annotate(&api, &resized).await?,
            Resized::Refused(message) => tries.refused(direction, has, &message),
            Resized::NotServed => tries.not_served(),
            Resized::Gone => {}
        }
    }
    let live = observed.pods.iter().filter(|pod| pod_cpu::is_live(pod));
    let before = sizing.decision.as_ref().map(|decision| (decision.running, last_down));
    tries.end(live.filter_map(|pod| pod_cpu::requested(pod)).min(), before);
    Ok(())
}

/// ConfigMaps that a pod mounts, or that the Deployment may still start a pod with.
fn in_use(observed: &Observed) -> BTreeSet<String> {
    let template = observed.deployment.iter().filter_map(|deployment| deployment.spec.as_ref()?.template.spec.as_ref());
    let pods = observed.pods.iter().filter_map(|pod| pod.spec.as_ref());
    template.chain(pods).filter_map(mounted_config_map).map(str::to_owned).collect()
}
