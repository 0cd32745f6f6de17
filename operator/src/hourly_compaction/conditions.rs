//! The conditions of an HourlyCompaction. Pure: equal facts give equal sentences.

use gristmill_crds::PodOptions;
use gristmill_crds::plan::CompactionPlan;
use kube::ResourceExt;

use super::Compaction;
use super::endings::Ending;
use super::observe::{Active, Observed};
use crate::condition::{self, ConditionType, State, Truth};
use crate::error::Error;
use crate::labels;
use crate::missing::resolved_refs;
use crate::pod_state::{Failure, PodState};
use crate::reason::Reason;
use crate::resource::PAUSED;

/// What a suspended resource says.
const SUSPENDED: &str =
    "spec.suspend is true: no run is started; set it to false to go on, and the next run takes what has come meanwhile";

/// All conditions that are to be written, in their order. `last` is the newest ending that can be seen.
pub fn conditions(
    compaction: &Compaction,
    observed: &Observed,
    outcome: &Result<CompactionPlan, Error>,
    last: Option<&Ending>,
) -> Vec<(ConditionType, State)> {
    let mut states = vec![(ConditionType::Accepted, condition::accepted(outcome, observed.outdated.as_ref()))];
    match outcome {
        Ok(plan) => {
            let refs = refs(compaction, observed, plan, last);
            let ready = ready(compaction, observed, plan, &refs, last);
            states.extend([(ConditionType::ResolvedRefs, refs), (ConditionType::Ready, ready)]);
        }
        Err(error) => {
            let told = State::fails(error.reason(), error.to_message());
            states.extend(match error {
                Error::IngestNotFound { .. } => Some((ConditionType::ResolvedRefs, told.clone())),
                _ => remembered(compaction, ConditionType::ResolvedRefs),
            });
            states.push((ConditionType::Ready, told));
        }
    }
    states.extend(condition::progress(&states).or_else(|| stalled(compaction, outcome, last)));
    if outcome.as_ref().is_ok_and(|plan| plan.suspend) {
        states.push((ConditionType::Suspended, State::holds(Reason::Suspended, SUSPENDED)));
    }
    if compaction.is_paused() {
        states.push((ConditionType::ReconciliationPaused, State::holds(Reason::ReconcileDisabled, PAUSED)));
    }
    states
}

fn refs(compaction: &Compaction, observed: &Observed, plan: &CompactionPlan, last: Option<&Ending>) -> State {
    let no_options = PodOptions::default();
    let options = compaction.typed().ok().and_then(|typed| typed.spec.pod.as_ref()).unwrap_or(&no_options);
    let failures = blocking(observed).map(|(_, failure)| failure).into_iter().chain(failure_of(last));
    resolved_refs(failures, &plan.reference_uses(), options, compaction.namespace())
}

fn ready(
    compaction: &Compaction,
    observed: &Observed,
    plan: &CompactionPlan,
    refs: &State,
    last: Option<&Ending>,
) -> State {
    if plan.suspend {
        // The wish is fulfilled: tools that wait for Ready are not kept waiting by it.
        return State::holds(Reason::Suspended, SUSPENDED);
    }
    if refs.status == Truth::False {
        return refs.clone();
    }
    if let Some((active, failure)) = blocking(observed) {
        return blocked(active, failure);
    }
    match last {
        Some(Ending { job, time, result: Ok(_), .. }) => {
            State::holds(Reason::LastRunSucceeded, format!("Job {job} ended at {time}"))
        }
        Some(Ending { job, time, result: Err(Failure { reason, message, .. }), .. }) => {
            State::fails(Reason::LastRunFailed, format!("Job {job} at {time}: {reason}: {message}"))
        }
        None => before_any_ending(compaction, plan),
    }
}

/// No ending is in sight: the status remembers the last one, or there was none.
fn before_any_ending(compaction: &Compaction, plan: &CompactionPlan) -> State {
    let known = condition::find(&compaction.status.conditions, ConditionType::Ready);
    let ended = [Reason::LastRunSucceeded, Reason::LastRunFailed];
    match known.filter(|known| ended.iter().any(|ended| known.reason == ended.as_str())) {
        Some(known) => State::of(known),
        None => {
            let cron_job = labels::compaction_name(compaction.name());
            State::unknown(
                Reason::NoRunYet,
                format!(
                    "runs start by the schedule {:?} ({}); for one now: kubectl create job -n {} --from=cronjob/{cron_job} {cron_job}-now",
                    plan.schedule,
                    plan.time_zone,
                    compaction.namespace(),
                ),
            )
        }
    }
}

/// A run whose pod can't start blocks all that come after it.
fn blocking(observed: &Observed) -> Option<(&Active, &Failure)> {
    let active = observed.active.as_ref()?;
    match &active.pod.as_ref()?.1 {
        // A pod that ended is tried again by its Job.
        PodState::Failing(failure) if active.is_waiting() => Some((active, failure)),
        PodState::Failing(_) | PodState::Coming(_) | PodState::Running { .. } | PodState::Ended => None,
    }
}

fn blocked(active: &Active, failure: &Failure) -> State {
    let job = active.job.name_any();
    let namespace = active.job.namespace().unwrap_or_default();
    let pod = active.pod.as_ref().map(|(pod, _)| pod.name_any()).unwrap_or_default();
    State::fails(
        failure.reason.clone(),
        format!(
            "Job {job} waits for pod {pod}: {}; no other run starts before it ends, and it keeps the pod template that it began with: mend the cause, and if that was in the template, `kubectl delete job -n {namespace} {job}`",
            failure.message,
        ),
    )
}

fn failure_of(last: Option<&Ending>) -> Option<&Failure> {
    last.and_then(|ending| ending.result.as_ref().err())
}

/// The next run would end as the last one did.
fn stalled(
    compaction: &Compaction,
    outcome: &Result<CompactionPlan, Error>,
    last: Option<&Ending>,
) -> Option<(ConditionType, State)> {
    let plan = outcome.as_ref().ok()?;
    if plan.suspend {
        return None;
    }
    match last {
        Some(_) => {
            let failure = failure_of(last).filter(|failure| failure.reason.is_stalling())?;
            Some((ConditionType::Stalled, State::holds(failure.reason.clone(), failure.message.clone())))
        }
        // As Ready remembers the failure, this remembers its weight; another spec is another try.
        None => {
            let ready = condition::find(&compaction.status.conditions, ConditionType::Ready)?;
            let same_spec = compaction.status.observed_generation == compaction.metadata.generation;
            let failed = ready.reason == Reason::LastRunFailed.as_str() && same_spec;
            if failed { remembered(compaction, ConditionType::Stalled) } else { None }
        }
    }
}

fn remembered(compaction: &Compaction, wanted: ConditionType) -> Option<(ConditionType, State)> {
    let known = condition::find(&compaction.status.conditions, wanted)?;
    Some((wanted, State::of(known)))
}
