//! How many workers there are to be, with how much CPU: what the document says, or what was decided. Pure.
//!
//! In mode Auto the size that was decided is remembered and driven to, as the replicas of a Deployment are: what caches
//! show may lag behind, and a pod that is new or was refused its CPU has another one for a while.

pub mod facts;
pub mod memory;

use gristmill_crds::plan::IngestPlan;
use gristmill_crds::{ScalingMode, SizingStatus};
use gristmill_sizing::{Change, Decision, History, Note, Obstacle, Refuser, Size};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::ResourceExt;

use super::observe::Observed;
use super::pod_cpu;
use super::ready::is_settled;
use super::size::{self, Limit, Replicas};
use crate::condition::State;
use crate::labels;
use crate::pod::CONTAINER;
use crate::quantity;
use crate::reason::Reason;
pub use memory::{Memories, Memory, Refusal};

/// A template with more than this many times the CPU of its pods, or less than a part of it, is changed in the end: pods
/// that are created would begin with far too much or too little.
const TEMPLATE_MAX_FACTOR: u32 = 2;

/// What a size is decided by.
pub struct Situation<'a> {
    /// What the document says.
    pub plan: &'a IngestPlan,
    /// CPU of a pod by the document, in thousandths of a core.
    pub document_cpu: u32,
    /// Partitions as workers told them last.
    pub partitions: Option<i32>,
    /// What the cluster holds.
    pub observed: &'a Observed,
    /// What is remembered.
    pub memory: Memory,
    /// The time.
    pub now: Timestamp,
}

/// The size of a StreamIngest.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizing {
    /// Workers.
    pub replicas: Replicas,
    /// CPU that each pod is to have; none leaves the pods as they are.
    pub cpu: Option<u32>,
    /// The size that was to be had before, where mode Auto carries it out.
    pub before: Option<Size>,
    /// CPU of the template.
    pub template: TemplateCpu,
    /// What was decided; none where nothing is computed.
    pub decision: Option<Decision>,
    /// What to remember, once it has been carried out.
    pub memory: Memory,
    /// What the annotation of the Deployment is to say.
    pub written: Option<String>,
}

/// CPU of the pod template, which is not changed for its own sake: a new template replaces every pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateCpu {
    /// What it has and keeps, unless something else makes a rollout.
    pub kept: Option<u32>,
    /// What it takes with a rollout.
    pub next: u32,
}

/// The size by document, decision and memory.
pub fn decide(situation: Situation<'_>) -> Sizing {
    let Situation { plan, document_cpu, observed, ref memory, .. } = situation;
    let live = observed.deployment.as_deref();
    let replicas = size::decide(plan, situation.partitions, live);
    let is_at_rest = replicas.wanted == 0;
    match plan.scaling.mode {
        ScalingMode::Manual => {
            let memory = Memory { history: History::default(), decided: None, ..memory.clone() };
            by_document(replicas, &situation, memory, None)
        }
        ScalingMode::Advise if is_at_rest => by_document(replicas, &situation, memory.clone(), None),
        ScalingMode::Advise => {
            let running = Size { replicas: count(replicas.wanted), cpu: document_cpu };
            let (decision, advised) = decided(&situation, running, None);
            let memory = Memory { decided: None, history: advised, ..memory.clone() };
            by_document(replicas, &situation, memory, Some(decision))
        }
        ScalingMode::Auto => automatic(replicas, &situation, is_at_rest),
    }
}

fn by_document(replicas: Replicas, situation: &Situation<'_>, memory: Memory, decision: Option<Decision>) -> Sizing {
    let cpu = situation.document_cpu;
    // While pods are being replaced anyway, those of the former template are let go as they are.
    let is_at_hand = live_cpu(situation) == Some(cpu) && is_settled(situation.observed);
    finished(
        situation,
        Sizing {
            replicas,
            cpu: is_at_hand.then_some(cpu),
            before: None,
            template: TemplateCpu { kept: None, next: cpu },
            decision,
            memory: Memory { template_off_since: None, ..memory },
            written: None,
        },
    )
}

fn automatic(replicas: Replicas, situation: &Situation<'_>, is_at_rest: bool) -> Sizing {
    let memory = &situation.memory;
    let start = memory.decided.unwrap_or_else(|| start(&replicas, situation));
    if let Some(Limit::Scaler(scaler)) = &replicas.limit {
        let running = Size { replicas: count(replicas.wanted), ..start };
        let (decision, history) = decided(situation, running, Some(scaler));
        let memory = Memory { decided: None, refused: None, less_refused: None, history, ..situation.memory.clone() };
        return with_sticky_template(
            situation,
            start.cpu,
            Sizing { cpu: None, ..by_document(replicas, situation, memory, Some(decision)) },
        );
    }
    if is_at_rest {
        let sizing = by_document(replicas, situation, memory.clone(), None);
        return with_sticky_template(situation, start.cpu, Sizing { cpu: Some(start.cpu), ..sizing });
    }
    let blocked = smallest_pod(situation).filter(|cpu| is_blocked(situation) && *cpu < start.cpu);
    let running = Size { cpu: blocked.unwrap_or(start.cpu), ..start };
    let (decision, history) = decided(situation, running, None);
    // What is refused stays the wish while it may be needed, so that a node or a quota with room is enough.
    let size = if blocked.is_some() { decision.wish(start) } else { decision.target };
    let memory = Memory { decided: Some(size), less_refused: less_refused(situation), history, ..memory.clone() };
    let workers = i32::try_from(size.replicas).unwrap_or(i32::MAX);
    let replicas = Replicas { replicas: Some(workers), wanted: workers, limit: None };
    let sizing = by_document(replicas, situation, memory, Some(decision));
    with_sticky_template(situation, size.cpu, Sizing { cpu: Some(size.cpu), before: Some(start), ..sizing })
}

/// The size that mode Auto begins with: what there is, else the fewest workers with the CPU of the document.
fn start(replicas: &Replicas, situation: &Situation<'_>) -> Size {
    let live = situation.observed.deployment.as_ref().and_then(|live| live.spec.as_ref()?.replicas);
    let workers = live.filter(|workers| *workers > 0).unwrap_or(replicas.wanted);
    let pods = situation.observed.workers.iter().filter_map(|worker| pod_cpu::requested(&worker.pod));
    Size { replicas: count(workers), cpu: pods.max().unwrap_or(situation.document_cpu) }
}

fn decided(situation: &Situation<'_>, running: Size, scaler: Option<&str>) -> (Decision, History) {
    let Situation { plan, observed, memory, partitions, now, .. } = situation;
    let facts = facts::facts(&plan.scaling, observed, running, obstacles(situation, scaler), (*partitions, *now));
    gristmill_sizing::decide(&facts, &memory.history)
}

/// What keeps a decision from being carried out. Resizes that are refused on the way back to the document do not.
fn obstacles(situation: &Situation<'_>, scaler: Option<&str>) -> Vec<Obstacle> {
    let is_auto = situation.plan.scaling.mode == ScalingMode::Auto;
    let refused = situation.memory.refused.as_ref().filter(|_| is_auto);
    let less_refused = less_refused(situation).filter(|_| is_auto);
    facts::obstacles(situation.observed, refused, less_refused.as_ref(), scaler)
}

/// A refusal of less CPU, until it is tried again: a LimitRange that was lowered tells nobody.
fn less_refused(situation: &Situation<'_>) -> Option<Refusal> {
    let now = facts::seconds(situation.now);
    let interval = situation.plan.scaling.scale_down.as_secs();
    situation.memory.less_refused.clone().filter(|refused| now.saturating_sub(refused.tried) < interval)
}

fn is_blocked(situation: &Situation<'_>) -> bool {
    obstacles(situation, None).iter().any(|obstacle| obstacle.kind.refuses_cpu())
}

fn smallest_pod(situation: &Situation<'_>) -> Option<u32> {
    let live = situation.observed.workers.iter().map(|worker| &worker.pod).filter(|pod| pod_cpu::is_live(pod));
    live.filter_map(|pod| pod_cpu::granted(pod)).min()
}

/// The template keeps its CPU beside pods that have another: but where it has been far from theirs for longer than the
/// scale-down interval, and where the cluster can change it in no other way.
fn with_sticky_template(situation: &Situation<'_>, cpu: u32, mut sizing: Sizing) -> Sizing {
    let live = live_cpu(situation);
    let now = facts::seconds(situation.now);
    let is_off = live.is_some_and(|live| {
        cpu > live.saturating_mul(TEMPLATE_MAX_FACTOR) || live > cpu.saturating_mul(TEMPLATE_MAX_FACTOR)
    });
    let since = is_off.then(|| situation.memory.template_off_since.unwrap_or(now));
    let is_too_long =
        since.is_some_and(|since| now.saturating_sub(since) > situation.plan.scaling.scale_down.as_secs());
    let is_kept = !is_too_long && !sizing.memory.is_resize_missing;
    sizing.memory.template_off_since = since;
    sizing.template = TemplateCpu { kept: live.filter(|_| is_kept), next: cpu };
    finished(situation, sizing)
}

fn finished(situation: &Situation<'_>, sizing: Sizing) -> Sizing {
    let live = situation.observed.deployment.as_ref();
    let written = live.and_then(|live| live.annotations().get(labels::SIZING)).map(String::as_str);
    Sizing { written: sizing.memory.to_write(written, situation.plan.scaling.scale_down), ..sizing }
}

fn live_cpu(situation: &Situation<'_>) -> Option<u32> {
    template_cpu(situation.observed.deployment.as_deref()?)
}

/// CPU that the template of a Deployment asks for, in thousandths of a core.
pub fn template_cpu(deployment: &Deployment) -> Option<u32> {
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    let ours: &Container = containers.iter().find(|container| container.name == CONTAINER)?;
    quantity::millicores(ours.resources.as_ref()?.requests.as_ref()?.get("cpu")?)
}

fn count(workers: i32) -> u32 {
    u32::try_from(workers).unwrap_or(0)
}

impl Sizing {
    /// A change that is carried out now, unless it is refused: before, after and why.
    pub fn resized(&self) -> Option<String> {
        let is_carried_out = |decision: &&Decision| decision.acts && self.memory.refused.is_none();
        let decision = self.decision.as_ref().filter(is_carried_out)?;
        // Less CPU may have been refused while workers were taken away.
        let to = self.memory.decided.unwrap_or(decision.target);
        // Without a change, a wish that was refused may have ended.
        let running = if decision.change == Change::Stay { self.before? } else { decision.running };
        if running == to {
            return None;
        }
        let of = |size: Size| format!("{} x {}", size.replicas, quantity::of_millicores(size.cpu).0);
        let kept = if to.cpu <= decision.target.cpu { "" } else { "; a pod is refused less CPU" };
        Some(format!("from {} to {}: {}{kept}", of(running), of(to), decision.sentence()))
    }

    /// What `status.sizing` says; none where nothing is computed.
    pub fn status(&self, now: Timestamp) -> Option<SizingStatus> {
        let decision = self.decision.as_ref()?;
        let limited_by = if decision.reason.is_limit() { decision.reason.as_str() } else { "None" };
        Some(SizingStatus {
            desired_replicas: i32::try_from(decision.target.replicas).unwrap_or(i32::MAX),
            cpu_per_worker: quantity::of_millicores(decision.target.cpu).0,
            template_cpu: Some(quantity::of_millicores(self.template.kept.unwrap_or(self.template.next)).0),
            limited_by: limited_by.to_owned(),
            time: now.to_string(),
            explanation: decision.sentence(),
        })
    }

    /// What `ScalingLimited` says of resizes that are refused, and of the decision if the operator carries it out.
    pub fn limited(&self, observed: &Observed) -> Option<State> {
        let decision = self.decision.as_ref().filter(|decision| decision.acts);
        if let Some(refused) = self.refusal(decision) {
            return Some(refused);
        }
        let decision = decision?;
        let pending = observed.workers.iter().find_map(|worker| Some((&worker.pod, pod_cpu::pending(&worker.pod)?)));
        if let Some((pod, condition)) = pending {
            let message = format!(
                "the node of pod {} gives it no more CPU, {}: {}; give the cluster a node with room, or lower spec.scaling.maxCpuPerWorker; after a stabilizationInterval workers are added instead",
                pod.name_any(),
                condition.reason.as_deref().unwrap_or("which waits"),
                condition.message.as_deref().unwrap_or("no reason is given"),
            );
            return Some(State::holds(Reason::NodeFull, message));
        }
        let reason = Reason::of_sizing(decision.reason);
        match (&decision.hold, decision.limit()) {
            // Nothing says that the size is not what is needed, nor that it is.
            (Some(_), _) => Some(State::unknown(reason, decision.sentence())),
            (None, Some(limit)) => {
                let remedy = decision.remedy().unwrap_or_default();
                Some(State::holds(reason, format!("{limit}; what would change it: {remedy}")))
            }
            (None, None) if decision.reason.is_limit() => Some(State::holds(reason, decision.sentence())),
            (None, None) => None,
        }
    }

    /// A resize that is refused and still asked for. Without a decision, pods are on their way back to the document.
    fn refusal(&self, decision: Option<&Decision>) -> Option<State> {
        let Memory { refused, less_refused, .. } = &self.memory;
        let less_refused = less_refused
            .as_ref()
            .filter(|_| decision.is_none_or(|decision| decision.notes.contains(&Note::LessRefused)));
        let direction = if refused.is_some() { "more" } else { "less" };
        let told = refused.as_ref().or(less_refused)?;
        let (message, is_by_namespace) = (&told.message, told.by() == Refuser::Namespace);
        let act = match (decision, refused) {
            (Some(_), Some(_)) if is_by_namespace => {
                "raise what the namespace allows (ResourceQuota, LimitRange), or lower spec.scaling.maxCpuPerWorker; after a stabilizationInterval workers are added instead"
            }
            (Some(_), Some(_)) => {
                "change what refuses it, or lower spec.scaling.maxCpuPerWorker; after a stabilizationInterval workers are added instead"
            }
            (Some(_), None) if is_by_namespace => {
                "lower the minimum that the namespace demands (LimitRange); it is tried again after a scaleDownInterval"
            }
            (Some(_), None) => "change what refuses it; it is tried again after a scaleDownInterval",
            (None, _) if is_by_namespace => {
                "change what the namespace allows (ResourceQuota, LimitRange) or spec.pod.cpu; the pods keep what they have until then"
            }
            (None, _) => "change what refuses it, or spec.pod.cpu; the pods keep what they have until then",
        };
        let reason = if is_by_namespace { Reason::QuotaExceeded } else { Reason::ReplicaFailure };
        Some(State::holds(reason, format!("{direction} CPU for a pod is refused: {message}; {act}")))
    }
}
