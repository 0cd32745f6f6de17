//! Whether a StreamIngest does what it is for: messages flow. Pure.

use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::{IngestPhase, IngestReport};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::DeploymentCondition;
use kube::ResourceExt;

use super::Stream;
use super::observe::{Answer, Observed, PATIENCE, Silence, Worker};
use crate::admission::is_by_quota;
use crate::condition::{self, ConditionType, State, Truth};
use crate::pod_state::{self, Failure, PodState};
use crate::reason::Reason;

/// Kafka, the store or a worker's answer may be away for so long before a resource that was ready is not: a broker that
/// restarts or a NameNode that fails over is back by then, and nobody is to be woken for it.
const AWAY: SignedDuration = SignedDuration::from_secs(120);

/// What a suspended resource says.
pub const SUSPENDED: &str = "spec.suspend is true: workers commit and leave, and none is started; set it to false to go on where the zone stands";

/// What one worker means for the whole.
enum Standing {
    /// It reads and commits, or will soon; a note if something is in the way.
    Flows(Option<String>),
    /// It is on its way to that.
    Comes(State),
    /// No node or no quota has room for it. The others go on.
    Homeless(State),
    /// It fails.
    Fails(State),
}

/// What `Ready` says of a resource that has a plan; `wanted` workers are to run.
pub fn ready(
    stream: &Stream,
    observed: &Observed,
    plan: &IngestPlan,
    refs: &State,
    wanted: i32,
    now: Timestamp,
) -> State {
    if stream.is_paused() {
        if replicas(observed) == Some(0) {
            return at_rest_while_paused(plan);
        }
    } else if plan.suspend {
        // The wish is fulfilled: tools that wait for Ready are not kept waiting by it.
        return State::holds(Reason::Suspended, SUSPENDED);
    } else if wanted == 0 {
        return State::holds(
            Reason::ScaledToZero,
            "no worker is to run; set spec.scaling.replicas to 1 or more to go on",
        );
    }
    if refs.status == Truth::False {
        return refs.clone();
    }
    if observed.workers.is_empty() {
        return replica_failure(observed)
            .unwrap_or_else(|| coming(stream, observed, "its pod is not created yet".to_owned()));
    }
    let standings = observed.workers.iter().map(|worker| standing(stream, observed, plan, worker, now));
    summary(standings.collect(), observed)
}

/// A resource that is paused does what its objects say, whatever its spec says now.
fn at_rest_while_paused(plan: &IngestPlan) -> State {
    if plan.suspend {
        return State::holds(Reason::Suspended, SUSPENDED);
    }
    State::holds(
        Reason::ScaledToZero,
        "its Deployment has no replicas, and the operator changes none of its objects; remove the annotation gristmill.dev/reconcile to go on",
    )
}

/// Replicas of the live Deployment.
fn replicas(observed: &Observed) -> Option<i32> {
    observed.deployment.as_ref()?.spec.as_ref()?.replicas
}

/// One failure is told; else messages flow if one worker reads; else what keeps all of them.
fn summary(standings: Vec<Standing>, observed: &Observed) -> State {
    let workers = standings.len();
    let (mut flowing, mut notes) = (0, Vec::new());
    let (mut failure, mut homeless, mut on_the_way) = (None, None, None);
    for standing in standings {
        match standing {
            Standing::Flows(note) => {
                flowing += 1;
                notes.extend(note);
            }
            Standing::Comes(state) => on_the_way = on_the_way.or(Some(state)),
            Standing::Homeless(state) => homeless = homeless.or(Some(state)),
            Standing::Fails(state) => failure = failure.or(Some(state)),
        }
    }
    match (failure, homeless.or(on_the_way)) {
        (Some(state), _) => state,
        (None, Some(state)) if flowing == 0 => state,
        (None, _) => {
            notes.insert(0, figures(flowing, workers, observed));
            State::holds(Reason::Ingesting, notes.join("; "))
        }
    }
}

fn figures(flowing: usize, workers: usize, observed: &Observed) -> String {
    let mut figures = match workers {
        1 => String::new(),
        workers => format!("{flowing} of {workers} workers, "),
    };
    let Some(report) = observed.report() else { return format!("{figures}messages flowed a moment ago") };
    figures.push_str(&figures_of(report));
    figures
}

/// What a report says of the zone's partitions, and of what waits.
pub fn figures_of(report: &IngestReport) -> String {
    let IngestReport { partitions, lag, unpublished, .. } = report;
    let mut figures = format!("{partitions} {}", if *partitions == 1 { "partition" } else { "partitions" });
    if let Some(lag) = lag {
        let age = lag.seconds.filter(|_| lag.records > 0).map(|seconds| format!(", {seconds} s")).unwrap_or_default();
        figures.push_str(&format!(", {} messages behind{age}", lag.records));
    }
    match unpublished {
        Some(unpublished) => format!("{figures}; {unpublished}"),
        None => figures,
    }
}

fn standing(stream: &Stream, observed: &Observed, plan: &IngestPlan, worker: &Worker, now: Timestamp) -> Standing {
    let name = worker.pod.name_any();
    match (&worker.state, &worker.answer) {
        (PodState::Failing(failure), _) if failure.reason == Reason::Unschedulable => {
            Standing::Homeless(failing(worker, failure))
        }
        (PodState::Failing(failure), _) => Standing::Fails(failing(worker, failure)),
        (PodState::Coming(what), _) => Standing::Comes(coming(stream, observed, format!("pod {name}: {what}"))),
        (PodState::Unexplained(what), _) => match told_before(stream, &name) {
            Some(known) => Standing::Fails(known),
            None => Standing::Comes(coming(stream, observed, format!("pod {name}: {what}"))),
        },
        (PodState::Ended, _) => {
            let message = format!("pod {name}: its process ended and is started again");
            Standing::Comes(coming(stream, observed, message))
        }
        (PodState::Running { .. }, Answer::Report(report)) => reporting(stream, plan, worker, report, now),
        (PodState::Running { since, .. }, Answer::Silence(silence)) => {
            silent(stream, observed, worker, *since, silence, now)
        }
        (PodState::Running { .. }, Answer::NotAsked) => {
            Standing::Comes(coming(stream, observed, format!("pod {name} runs and has not been asked yet")))
        }
    }
}

/// What events have told of a pod, while they can't be listed.
fn told_before(stream: &Stream, pod: &str) -> Option<State> {
    let generation = stream.metadata.generation;
    let known = condition::failed_before(&stream.status.conditions, ConditionType::Ready, generation)?;
    let is_of_pod =
        known.reason == Reason::WorkerUnavailable.as_str() && known.message.starts_with(&format!("pod {pod}"));
    is_of_pod.then(|| State::of(known))
}

fn reporting(stream: &Stream, plan: &IngestPlan, worker: &Worker, report: &IngestReport, now: Timestamp) -> Standing {
    // Of a paused resource no pod is replaced.
    if report.spec_digest != plan.spec_digest && !stream.is_paused() {
        let message = format!("pod {} still runs the former spec; it is being replaced", worker.pod.name_any());
        return Standing::Comes(State::fails(Reason::RollingOut, message));
    }
    if let Some(stopped) = report.stopped.first() {
        let reason = Reason::reported(&stopped.reason).unwrap_or(Reason::WorkerUnavailable);
        let message = format!(
            "{}/{} is read no more from offset {} on: {}",
            plan.topic, stopped.partition, stopped.offset, stopped.message
        );
        return Standing::Fails(State::fails(reason, message));
    }
    // A process that fails soon after each start would otherwise hide its reason for a while each time.
    if let (IngestPhase::Starting, Some(failure)) = (report.phase, worker.failure()) {
        return Standing::Fails(failing(worker, failure));
    }
    let says = |reason| State::fails(reason, report.message.clone());
    match report.phase {
        IngestPhase::Ingesting => Standing::Flows(None),
        IngestPhase::Starting => Standing::Comes(says(Reason::Starting)),
        IngestPhase::Draining => Standing::Comes(says(Reason::Draining)),
        IngestPhase::Held => Standing::Fails(says(Reason::RejectedBudgetExceeded)),
        IngestPhase::GroupShared => Standing::Fails(says(Reason::ConsumerGroupShared)),
        IngestPhase::SourceUnavailable | IngestPhase::StoreUnavailable if is_away_shortly(stream, report, now) => {
            Standing::Flows(Some(report.message.clone()))
        }
        IngestPhase::SourceUnavailable => Standing::Fails(says(Reason::SourceUnavailable)),
        IngestPhase::StoreUnavailable => Standing::Fails(says(Reason::StoreUnavailable)),
    }
}

/// Whether what is away was there a moment ago. What was never there is told at once.
fn is_away_shortly(stream: &Stream, report: &IngestReport, now: Timestamp) -> bool {
    let since = report.phase_since.as_ref().and_then(|since| since.parse::<Timestamp>().ok());
    was_flowing(stream) && since.is_some_and(|since| now.duration_since(since) < AWAY)
}

fn was_flowing(stream: &Stream) -> bool {
    let ready = condition::find(&stream.status.conditions, ConditionType::Ready);
    ready.is_some_and(|ready| ready.status == "True" && ready.reason == Reason::Ingesting.as_str())
}

fn silent(
    stream: &Stream,
    observed: &Observed,
    worker: &Worker,
    since: Option<Timestamp>,
    Silence { why, since: silent_since }: &Silence,
    now: Timestamp,
) -> Standing {
    let (name, namespace) = (worker.pod.name_any(), stream.namespace());
    if let Some(failure) = worker.failure() {
        return Standing::Fails(failing(worker, failure));
    }
    if since.is_some_and(|since| now.duration_since(since) < PATIENCE) {
        return Standing::Comes(coming(stream, observed, format!("pod {name} has just started: {why}")));
    }
    let message = format!("pod {name} runs, but {why}; see `kubectl logs -n {namespace} {name}`");
    // A worker that is busy misses an answer now and then, and so does the network.
    if was_flowing(stream) && now.duration_since(*silent_since) < AWAY {
        return Standing::Flows(Some(message));
    }
    Standing::Fails(State::fails(Reason::WorkerUnavailable, message))
}

/// A pod on its way is nothing to worry about at first, or once a refused spec is mended, a suspended one goes on or the
/// objects of a former resource are gone;
/// later it means that the worker is away.
fn coming(stream: &Stream, observed: &Observed, message: String) -> State {
    let conditions = &stream.status.conditions;
    let was = |kind, truth: Truth| {
        condition::find(conditions, kind).is_none_or(|condition| condition.status == truth.as_str())
    };
    let rested = condition::find(conditions, ConditionType::Ready).is_some_and(|ready| {
        [Reason::Suspended, Reason::ScaledToZero, Reason::Pending].iter().any(|rest| ready.reason == rest.as_str())
    });
    if was(ConditionType::Ready, Truth::Unknown) || was(ConditionType::Accepted, Truth::False) || rested {
        State::unknown(Reason::Pending, message)
    } else if is_rolling_out(observed) {
        State::fails(Reason::RollingOut, message)
    } else {
        State::fails(Reason::WorkerUnavailable, message)
    }
}

fn failing(worker: &Worker, Failure { reason, message, missing: _ }: &Failure) -> State {
    let times = match pod_state::restarts(&worker.pod) {
        0 => String::new(),
        count => format!(" (restarts: {count})"),
    };
    State::fails(reason.clone(), format!("pod {}{times}: {message}", worker.pod.name_any()))
}

/// Whether pods of another template are still to be replaced.
pub fn is_rolling_out(observed: &Observed) -> bool {
    deployment_condition(observed, "Progressing")
        .is_some_and(|progressing| progressing.reason.as_deref() == Some("ReplicaSetUpdated"))
}

/// What the Deployment says of pods that the API server does not let it create: quota, pod security.
pub fn replica_failure(observed: &Observed) -> Option<State> {
    let failure = deployment_condition(observed, "ReplicaFailure").filter(|failure| failure.status == "True")?;
    let message = failure.message.as_deref().unwrap_or("no reason is given");
    Some(if is_by_quota(message) {
        let act = "raise the ResourceQuota of the namespace, or lower spec.pod or spec.scaling";
        State::fails(Reason::QuotaExceeded, format!("its pod can't be created: {message}; {act}"))
    } else {
        let act = "change spec.pod to what the namespace admits, or its policy";
        State::fails(Reason::ReplicaFailure, format!("its pod can't be created: {message}; {act}"))
    })
}

/// Whether the Deployment has what was applied last, and no pod of another template.
pub fn is_settled(observed: &Observed) -> bool {
    let live = observed.deployment.as_deref();
    let seen = live.and_then(|live| live.status.as_ref()).and_then(|status| status.observed_generation);
    !is_rolling_out(observed) && seen.is_some() && seen == live.and_then(|live| live.metadata.generation)
}

/// The condition of this type of the Deployment.
pub fn deployment_condition<'a>(observed: &'a Observed, kind: &str) -> Option<&'a DeploymentCondition> {
    let conditions = observed.deployment.as_ref()?.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}
