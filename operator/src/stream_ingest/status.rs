//! What a StreamIngest's status says next, and whether it is time to write it. Pure.

use gristmill_crds::StreamIngestStatus;
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::{IngestPhase, IngestReport};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Stream;
use super::observe::{Observed, Worker};
use crate::condition::{self, ConditionType, State, Truth};
use crate::error::Error;
use crate::labels::STREAM_INGEST;
use crate::pod_state::{self, Failure, PodState};

/// Figures change all the time; a write a minute keeps 200 resources below 4 writes a second.
const BETWEEN_WRITES: SignedDuration = SignedDuration::from_secs(60);

/// A worker that just started may need this long until it answers.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// What a suspended resource says.
const SUSPENDED: &str = "spec.suspend is true: workers commit and leave, and none is started; set it to false to go on where the zone stands";

/// The status after a reconcile.
pub fn next(
    stream: &Stream,
    observed: &Observed,
    outcome: &Result<IngestPlan, Error>,
    now: Timestamp,
) -> StreamIngestStatus {
    let previous = &stream.status;
    let generation = stream.metadata.generation;
    let condition = |kind, state| condition::next(&previous.conditions, kind, state, generation, now);
    let deployment = observed.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    let mut status = StreamIngestStatus {
        observed_generation: generation,
        observed_time: Some(now.to_string()),
        selector: Some(format!("{STREAM_INGEST}={}", stream.name())),
        replicas: Some(deployment.and_then(|status| status.replicas).unwrap_or(0)),
        ready_replicas: Some(deployment.and_then(|status| status.ready_replicas).unwrap_or(0)),
        conditions: vec![
            condition(ConditionType::Accepted, condition::accepted(outcome)),
            condition(ConditionType::Ready, ready(stream, observed, outcome, now)),
        ],
        ..previous.clone()
    };
    if let Ok(plan) = outcome {
        status.consumer_group = Some(plan.consumer_group.clone());
        if plan.suspend {
            status.conditions.push(condition(ConditionType::Suspended, State::holds("Suspended", SUSPENDED)));
        }
    }
    if let Worker::Reporting { report, .. } = &observed.worker {
        take_figures(&mut status, report);
    }
    status
}

/// Whether the next status is to be written: at once when a condition or the number of pods changed, at most
/// once a minute when only figures did, never when nothing did.
///
/// What is held back is written by a later reconcile; figures come from a running worker, which is asked
/// again every 15 seconds.
pub fn is_due(previous: &StreamIngestStatus, next: &StreamIngestStatus) -> bool {
    let without_time = |status: &StreamIngestStatus| StreamIngestStatus { observed_time: None, ..status.clone() };
    if without_time(previous) == without_time(next) {
        return false;
    }
    let urgent = condition::differ(&previous.conditions, &next.conditions)
        || previous.replicas != next.replicas
        || previous.ready_replicas != next.ready_replicas
        || previous.observed_generation != next.observed_generation;
    let time = |status: &StreamIngestStatus| status.observed_time.as_ref()?.parse::<Timestamp>().ok();
    let waited = match (time(previous), time(next)) {
        (Some(last), Some(now)) => now.duration_since(last) >= BETWEEN_WRITES || now < last,
        (None, _) | (_, None) => true,
    };
    urgent || waited
}

/// Figures that a worker reports. Those that it does not know yet keep their last value.
fn take_figures(status: &mut StreamIngestStatus, report: &IngestReport) {
    // No `..`: a new figure must be placed here.
    let IngestReport {
        version,
        spec_digest: _,
        phase: _,
        message: _,
        consumer_group,
        zone,
        partitions,
        messages,
        rows,
        lag,
        watermark,
        rejected_percent,
        retention,
        // Told by the worker's own answer alone.
        unpublished: _,
        stopped: _,
        reject_reasons: _,
    } = report;
    status.version = Some(version.clone());
    status.consumer_group = Some(consumer_group.clone());
    if *partitions > 0 {
        status.partitions = Some(*partitions);
    }
    // Before the zone is open a worker counts from nothing.
    if let Some(zone) = zone {
        status.zone = Some(zone.clone());
        status.messages = Some(*messages);
        status.rows = Some(*rows);
    }
    if let Some(lag) = lag {
        status.lag = Some(*lag);
    }
    let keep_last = |figure: &Option<String>, last: &mut Option<String>| {
        if figure.is_some() {
            last.clone_from(figure);
        }
    };
    keep_last(watermark, &mut status.watermark);
    keep_last(rejected_percent, &mut status.rejected_percent);
    if retention.is_some() {
        status.retention.clone_from(retention);
    }
}

fn ready(stream: &Stream, observed: &Observed, outcome: &Result<IngestPlan, Error>, now: Timestamp) -> State {
    let plan = match outcome {
        Ok(plan) => plan,
        Err(error) => return State::fails(error.reason(), error.to_message()),
    };
    if plan.suspend {
        // The wish is fulfilled: tools that wait for Ready are not kept waiting by it.
        return State::holds("Suspended", SUSPENDED);
    }
    if plan.scaling.initial_replicas() == 0 {
        return State::holds(
            "ScaledToZero",
            "spec.scaling.replicas is 0: no worker runs; set it to 1 or more to go on",
        );
    }
    match &observed.worker {
        Worker::Absent => match replica_failure(observed) {
            Some(message) => State::fails("WorkerUnavailable", format!("its pod can't be created: {message}")),
            None => coming(stream, "its pod is not created yet".to_owned()),
        },
        Worker::NotRunning { pod, state } => not_running(stream, pod, state),
        Worker::Reporting { pod, state, report } => reporting(plan, pod, state, report),
        Worker::Silent { pod, state, why } => silent(stream, pod, state, why, now),
    }
}

fn not_running(stream: &Stream, pod: &Pod, state: &PodState) -> State {
    match state {
        PodState::Coming(what) => coming(stream, format!("pod {}: {what}", pod.name_any())),
        PodState::Failing(failure) => failing(pod, failure),
        PodState::Ended | PodState::Running { .. } => {
            coming(stream, format!("pod {}: its process ended and is started again", pod.name_any()))
        }
    }
}

fn reporting(plan: &IngestPlan, pod: &Pod, state: &PodState, report: &IngestReport) -> State {
    if report.spec_digest != plan.spec_digest {
        let message = format!("pod {} still runs the former spec; it is being replaced", pod.name_any());
        return State::fails("RollingOut", message);
    }
    match (report.phase, state) {
        (IngestPhase::Ingesting, _) => State::holds(report.phase.reason(), report.message.clone()),
        // A process that fails soon after each start would otherwise hide its reason for a while each time.
        (IngestPhase::Starting, PodState::Running { last_failure: Some(failure), .. }) => failing(pod, failure),
        (
            IngestPhase::Starting
            | IngestPhase::Held
            | IngestPhase::SourceUnavailable
            | IngestPhase::StoreUnavailable
            | IngestPhase::Draining,
            _,
        ) => State::fails(report.phase.reason(), report.message.clone()),
    }
}

fn silent(stream: &Stream, pod: &Pod, state: &PodState, why: &str, now: Timestamp) -> State {
    let pod_name = pod.name_any();
    match state {
        PodState::Running { last_failure: Some(failure), .. } => failing(pod, failure),
        PodState::Running { since: Some(since), last_failure: None } if now.duration_since(*since) < PATIENCE => {
            coming(stream, format!("pod {pod_name} has just started: {why}"))
        }
        PodState::Running { .. } | PodState::Coming(_) | PodState::Failing(_) | PodState::Ended => State::fails(
            "WorkerUnavailable",
            format!(
                "pod {pod_name} runs, but {why}; see `kubectl logs {pod_name}`, and let the operator reach its port 8080 if a NetworkPolicy forbids it"
            ),
        ),
    }
}

/// A pod on its way is nothing to worry about at first, or once a refused spec is mended; later it means that the
/// worker is away.
fn coming(stream: &Stream, message: String) -> State {
    let was = |kind, truth: Truth| {
        condition::find(&stream.status.conditions, kind).is_none_or(|condition| condition.status == truth.as_str())
    };
    if was(ConditionType::Ready, Truth::Unknown) || was(ConditionType::Accepted, Truth::False) {
        State::unknown("Pending", message)
    } else {
        State::fails("WorkerUnavailable", message)
    }
}

fn failing(pod: &Pod, Failure { reason, message }: &Failure) -> State {
    let times = match pod_state::restarts(pod) {
        0 => String::new(),
        count => format!(" (restarts: {count})"),
    };
    let message = format!("pod {}{times}: {message}", pod.name_any());
    State::fails(reason.as_deref().unwrap_or("WorkerUnavailable"), message)
}

/// What the Deployment says of pods that the API server does not let it create: quota, pod security.
fn replica_failure(observed: &Observed) -> Option<String> {
    let conditions = observed.deployment.as_ref()?.status.as_ref()?.conditions.as_ref()?;
    let failure =
        conditions.iter().find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    failure.message.clone()
}
