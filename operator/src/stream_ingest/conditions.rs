//! The conditions of a StreamIngest. Pure: equal facts give equal sentences.

use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::{IngestPhase, IngestReport};
use gristmill_crds::{BudgetAction, PodOptions};
use jiff::Timestamp;
use kube::ResourceExt;

use super::Stream;
use super::observe::{Observed, Worker};
use super::ready::{self, SUSPENDED, is_rolling_out, replica_failure};
use super::sizing::Sizing;
use crate::condition::{self, ConditionType, State, Truth};
use crate::error::{Error, Fault};
use crate::labels;
use crate::missing::resolved_refs;
use crate::pod_state::PodState;
use crate::reason::Reason;
use crate::resource::PAUSED;

/// What a reconcile came to: what was decided, unless it failed.
pub type Outcome = Result<(IngestPlan, Sizing), Error>;

/// All conditions that are to be written, in their order.
pub fn conditions(
    stream: &Stream,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> Vec<(ConditionType, State)> {
    let mut states = vec![(ConditionType::Accepted, condition::accepted(outcome, observed.outdated.as_ref()))];
    match outcome {
        Ok((plan, sizing)) => states.extend(planned(stream, observed, plan, sizing, now)),
        Err(error) => {
            // Pods of the former spec go on, and so does what is known of them.
            states.extend(remembered(stream, &[ConditionType::ResolvedRefs]));
            states.push((ConditionType::Ready, State::fails(error.reason(), refused(error, observed))));
            match unknown_target(error, observed) {
                Some(backlog) => states.push((ConditionType::BacklogWithinTarget, backlog)),
                None => states.extend(remembered(stream, &[ConditionType::BacklogWithinTarget])),
            }
            match held(observed).or_else(|| rejected_by_former(error, observed)) {
                Some(rejected) => states.push((ConditionType::RejectedWithinBudget, rejected)),
                None => states.extend(remembered(stream, &[ConditionType::RejectedWithinBudget])),
            }
            states.extend(remembered(stream, &[ConditionType::ScalingLimited]));
        }
    }
    states.extend(condition::progress(&states).or_else(|| rollout(observed)));
    if stream.is_paused() {
        states.push((ConditionType::ReconciliationPaused, State::holds(Reason::ReconcileDisabled, PAUSED)));
    }
    states
}

/// Why there is no plan, and what the workers of the former spec do meanwhile.
fn refused(error: &Error, observed: &Observed) -> String {
    let message = error.to_message();
    let report = holding(observed).or_else(|| observed.report());
    match (error.fault(), report) {
        (Fault::Spec, Some(report)) if report.phase == IngestPhase::Ingesting => {
            format!("{message}; workers of the former spec go on: {}", ready::figures_of(report))
        }
        (Fault::Spec, Some(report)) => format!("{message}; a worker of the former spec tells: {}", report.message),
        (Fault::Spec, None) | (Fault::External, _) => message,
    }
}

/// What waits for the workers of the former spec while the next one is refused, which would say how old it may be.
fn unknown_target(error: &Error, observed: &Observed) -> Option<State> {
    let lag = observed.report()?.lag.filter(|_| error.fault() == Fault::Spec)?;
    let age = lag.seconds.map(|seconds| format!(", the oldest for {seconds} s")).unwrap_or_default();
    let message =
        format!("{} messages wait{age}; how old they may be stands in the spec, which is refused", lag.records);
    Some(State::unknown(error.reason(), message))
}

/// What the workers of the former spec tell of rejects while the next one is refused.
fn rejected_by_former(error: &Error, observed: &Observed) -> Option<State> {
    let report = observed.report().filter(|_| error.fault() == Fault::Spec)?;
    Some(match &report.rejected_percent {
        Some(percent) if report.rejected_over_budget => State::fails(
            Reason::RejectedBudgetExceeded,
            format!(
                "{percent} % of the messages have rejects, more than the former spec tolerates; correct spec.record or the producer"
            ),
        ),
        Some(percent) => {
            State::holds(Reason::WithinBudget, format!("{percent} %, within the budget of the former spec"))
        }
        None => State::holds(Reason::WithinBudget, "no message in the window of the former spec"),
    })
}

/// The report of a worker that consumes nothing, since the rejected budget is spent.
fn holding(observed: &Observed) -> Option<&IngestReport> {
    observed.workers.iter().filter_map(Worker::report).find(|report| report.phase == IngestPhase::Held)
}

fn held(observed: &Observed) -> Option<State> {
    holding(observed).map(|report| State::fails(Reason::RejectedBudgetExceeded, report.message.clone()))
}

fn planned(
    stream: &Stream,
    observed: &Observed,
    plan: &IngestPlan,
    sizing: &Sizing,
    now: Timestamp,
) -> Vec<(ConditionType, State)> {
    let no_options = PodOptions::default();
    let options = stream.typed().ok().and_then(|ingest| ingest.spec.pod.as_ref()).unwrap_or(&no_options);
    let failures = observed.workers.iter().filter_map(Worker::failure);
    let refs = resolved_refs(failures, &plan.reference_uses(), options, stream.namespace());
    // While events can't be listed, what they have told stands.
    let is_unexplained = observed.workers.iter().any(|worker| matches!(worker.state, PodState::Unexplained(_)));
    let known =
        condition::failed_before(&stream.status.conditions, ConditionType::ResolvedRefs, stream.metadata.generation);
    let refs = match known {
        Some(known) if is_unexplained && refs.status == Truth::True => State::of(known),
        Some(_) | None => refs,
    };
    let ready = ready::ready(stream, observed, plan, &refs, sizing.replicas.wanted, now);
    let is_suspended = ready.reason == Reason::Suspended;
    // While all workers miss an answer, what they told a moment ago stands.
    let figures = if ready.reason == Reason::Ingesting && observed.report().is_none() {
        remembered(stream, &[ConditionType::BacklogWithinTarget, ConditionType::RejectedWithinBudget]).collect()
    } else {
        vec![
            (ConditionType::BacklogWithinTarget, backlog(observed, plan, &ready)),
            (ConditionType::RejectedWithinBudget, rejected(stream, observed, plan)),
        ]
    };
    let mut states = vec![(ConditionType::ResolvedRefs, refs), (ConditionType::Ready, ready)];
    states.extend(figures);
    states.push((ConditionType::ScalingLimited, scaling(stream, observed, sizing)));
    if is_suspended {
        states.push((ConditionType::Suspended, State::holds(Reason::Suspended, SUSPENDED)));
    }
    states
}

/// How old what waits may be. A backlog alone is no failure: Ready does not depend on it.
fn backlog(observed: &Observed, plan: &IngestPlan, ready: &State) -> State {
    let target = plan.scaling.catch_up.as_secs();
    if ready.reason == Reason::Suspended {
        return State::unknown(Reason::Suspended, "nobody reads the topic while spec.suspend is true");
    }
    let Some(lag) = observed.report().and_then(|report| report.lag) else {
        return State::unknown(Reason::NotReported, "no worker has told what waits");
    };
    match lag.seconds {
        _ if lag.records == 0 => State::holds(Reason::WithinTarget, "no message waits"),
        Some(seconds) if seconds.unsigned_abs() > target => State::fails(
            Reason::BacklogOverTarget,
            format!(
                "the oldest of {} messages that wait is {seconds} s old, and spec.scaling.catchUpDuration is {target} s; add workers up to the number of partitions, or raise spec.pod.cpu",
                lag.records
            ),
        ),
        Some(seconds) => State::holds(
            Reason::WithinTarget,
            format!("the oldest of {} messages that wait is {seconds} s old, of {target} s", lag.records),
        ),
        None => State::unknown(
            Reason::NotReported,
            format!("{} messages wait, and no worker has told how old they are", lag.records),
        ),
    }
}

fn rejected(stream: &Stream, observed: &Observed, plan: &IngestPlan) -> State {
    let budget = &plan.rejected.budget;
    if let Some(held) = held(observed) {
        return held;
    }
    let Some(report) = observed.report() else {
        // A hold stands in the log: it does not end with the worker that told of it.
        let known = condition::find(&stream.status.conditions, ConditionType::RejectedWithinBudget);
        return match known.filter(|known| known.reason == Reason::RejectedBudgetExceeded.as_str()) {
            Some(known) => State::fails(Reason::RejectedBudgetExceeded, known.message.clone()),
            None => State::unknown(Reason::NotReported, "no worker has told how many messages have rejects"),
        };
    };
    let tolerated = budget.max_percent();
    match &report.rejected_percent {
        Some(percent) if report.rejected_over_budget => {
            let goes_on = match budget.action {
                BudgetAction::Continue => "spec.rejected.action is Continue, so the ingest goes on",
                BudgetAction::Hold => "consumption is held with the next commit",
            };
            State::fails(
                Reason::RejectedBudgetExceeded,
                format!(
                    "{percent} % of the messages have rejects, where {tolerated} % are tolerated; {goes_on}: correct spec.record or the producer"
                ),
            )
        }
        Some(percent) => State::holds(Reason::WithinBudget, format!("{percent} % of {tolerated} %")),
        None => State::holds(Reason::WithinBudget, format!("no message in the window, {tolerated} % are tolerated")),
    }
}

fn scaling(stream: &Stream, observed: &Observed, sizing: &Sizing) -> State {
    let as_true = |state: State| State { status: Truth::True, ..state };
    let no_room = || {
        let unplaced = observed.workers.iter().find(|worker| {
            worker.failure().is_some_and(|failure| {
                failure.reason == Reason::Unschedulable && failure.message.contains("Insufficient")
            })
        })?;
        let message = &unplaced.failure()?.message;
        Some(State::holds(Reason::NodeFull, format!("pod {}: {message}", unplaced.pod.name_any())))
    };
    sizing
        .replicas
        .limited(&labels::ingest_name(stream.name()))
        .or_else(|| replica_failure(observed).map(as_true))
        .or_else(no_room)
        .or_else(|| sizing.limited(observed))
        .unwrap_or_else(|| State::fails(Reason::DesiredWithinRange, ""))
}

/// Messages flow meanwhile, and tools that wait for a rollout wait for its end.
fn rollout(observed: &Observed) -> Option<(ConditionType, State)> {
    if !is_rolling_out(observed) {
        return None;
    }
    let status = observed.deployment.as_ref()?.status.as_ref()?;
    let (updated, all) = (status.updated_replicas.unwrap_or(0), status.replicas.unwrap_or(0));
    let message =
        format!("{updated} of {all} pods have the new template, {} are ready", status.ready_replicas.unwrap_or(0));
    Some((ConditionType::Reconciling, State::holds(Reason::RollingOut, message)))
}

fn remembered<'a>(stream: &'a Stream, types: &'a [ConditionType]) -> impl Iterator<Item = (ConditionType, State)> + 'a {
    types.iter().filter_map(|wanted| {
        let known = condition::find(&stream.status.conditions, *wanted)?;
        Some((*wanted, State::of(known)))
    })
}
