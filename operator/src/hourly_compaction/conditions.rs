//! The conditions of an HourlyCompaction. Pure: equal facts give equal sentences.

use gristmill_crds::PodOptions;
use gristmill_crds::plan::CompactionPlan;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Compaction;
use super::endings::Ending;
use super::observe::{Active, Observed};
use crate::admission::is_by_namespace;
use crate::condition::{self, ConditionType, State, Truth};
use crate::error::Error;
use crate::labels;
use crate::missing::resolved_refs;
use crate::pod_events::Refused;
use crate::pod_state::{Failure, PodState};
use crate::reason::Reason;
use crate::resource::PAUSED;

/// What a suspended resource says.
const SUSPENDED: &str =
    "spec.suspend is true: no run is started; set it to false to go on, and the next run takes what has come meanwhile";

/// What one says that is paused while its CronJob is suspended.
const SUSPENDED_WHILE_PAUSED: &str = "its CronJob is suspended, and the operator changes none of its objects; remove the annotation gristmill.dev/reconcile to go on";

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
        states.push((ConditionType::Suspended, State::holds(Reason::Suspended, suspended(compaction))));
    }
    if compaction.is_paused() {
        states.push((ConditionType::ReconciliationPaused, State::holds(Reason::ReconcileDisabled, PAUSED)));
    }
    states
}

fn refs(compaction: &Compaction, observed: &Observed, plan: &CompactionPlan, last: Option<&Ending>) -> State {
    let no_options = PodOptions::default();
    let options = compaction.typed().ok().and_then(|typed| typed.spec.pod.as_ref()).unwrap_or(&no_options);
    let failures = blocking(observed).into_iter().filter_map(Blocking::failure).chain(failure_of(last));
    let refs = resolved_refs(failures, &plan.reference_uses(), options, compaction.namespace());
    let is_unexplained = observed.active.as_ref().is_some_and(Active::is_unexplained);
    let generation = compaction.metadata.generation;
    match condition::failed_before(&compaction.status.conditions, ConditionType::ResolvedRefs, generation) {
        Some(known) if is_unexplained && refs.status == Truth::True => State::of(known),
        Some(_) | None => refs,
    }
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
        return State::holds(Reason::Suspended, suspended(compaction));
    }
    if refs.status == Truth::False {
        return refs.clone();
    }
    if let Some(blocking) = blocking(observed) {
        return blocking.state();
    }
    if let Some(known) = still_blocked(compaction, observed) {
        return known;
    }
    match last {
        Some(Ending { job, time, result: Ok(_), .. }) => {
            State::holds(Reason::LastRunSucceeded, format!("Job {job} ended at {time}"))
        }
        Some(Ending { job, time, result: Err(Failure { reason, message, .. }), .. }) => {
            State::fails(Reason::LastRunFailed, format!("Job {job} at {time}: {reason}: {message}"))
        }
        None => before_any_ending(compaction, observed, plan),
    }
}

/// What events have told of a run that can't start stands while they can't be listed.
fn still_blocked(compaction: &Compaction, observed: &Observed) -> Option<State> {
    let active = observed.active.as_ref()?;
    let job = active.job.name_any();
    let begins = match &active.pod {
        Some((pod, PodState::Unexplained(_))) => waits_for(&job, &pod.name_any()),
        None if active.refused == Refused::Unknown => refused(&job),
        Some(_) | None => return None,
    };
    let known = condition::find(&compaction.status.conditions, ConditionType::Ready)?;
    known.message.starts_with(&begins).then(|| State::of(known))
}

fn waits_for(job: &str, pod: &str) -> String {
    format!("Job {job} waits for pod {pod}: ")
}

fn refused(job: &str) -> String {
    format!("a pod of Job {job} is refused: ")
}

fn suspended(compaction: &Compaction) -> &'static str {
    if compaction.is_paused() { SUSPENDED_WHILE_PAUSED } else { SUSPENDED }
}

/// No ending is in sight: the status remembers the last one, or there was none.
fn before_any_ending(compaction: &Compaction, observed: &Observed, plan: &CompactionPlan) -> State {
    let known = condition::find(&compaction.status.conditions, ConditionType::Ready);
    let ended = [Reason::LastRunSucceeded, Reason::LastRunFailed];
    match known.filter(|known| ended.iter().any(|ended| known.reason == ended.as_str())) {
        Some(known) => State::of(known),
        None if compaction.is_paused() && observed.cron_job.is_none() => State::unknown(
            Reason::NoRunYet,
            "it has no CronJob, and the operator creates none; remove the annotation gristmill.dev/reconcile to go on",
        ),
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

/// A run that can't start blocks all that come after it.
enum Blocking<'a> {
    /// Its pod can't start.
    Pod(&'a Job, &'a Pod, &'a Failure),
    /// The API server refuses its pods, in these words.
    Refused(&'a Job, &'a str),
}

fn blocking(observed: &Observed) -> Option<Blocking<'_>> {
    let active = observed.active.as_ref()?;
    let job = active.job.as_ref();
    match &active.pod {
        // A pod that ended is tried again by its Job.
        Some((pod, PodState::Failing(failure))) if active.is_waiting() => Some(Blocking::Pod(job, pod, failure)),
        Some((
            _,
            PodState::Failing(_)
            | PodState::Coming(_)
            | PodState::Unexplained(_)
            | PodState::Running { .. }
            | PodState::Ended,
        )) => None,
        None => match &active.refused {
            Refused::Yes(message) => Some(Blocking::Refused(job, message)),
            Refused::No | Refused::Unknown => None,
        },
    }
}

impl<'a> Blocking<'a> {
    fn failure(self) -> Option<&'a Failure> {
        match self {
            Self::Pod(_, _, failure) => Some(failure),
            Self::Refused(..) => None,
        }
    }

    fn state(&self) -> State {
        let (job, reason, what) = match self {
            Self::Pod(job, pod, failure) => {
                let begins = waits_for(&job.name_any(), &pod.name_any());
                (job, failure.reason.clone(), format!("{begins}{}", failure.message))
            }
            Self::Refused(job, message) if is_by_namespace(message) => {
                let act = "raise what the namespace allows (ResourceQuota, LimitRange), or lower spec.pod, in mode Auto maxCpuPerPod or maxMemoryPerPod of spec.sizing";
                (job, Reason::QuotaExceeded, format!("{}{message}; {act}", refused(&job.name_any())))
            }
            Self::Refused(job, message) => {
                let act = "change spec.pod to what the namespace admits, or its policy";
                (job, Reason::ReplicaFailure, format!("{}{message}; {act}", refused(&job.name_any())))
            }
        };
        let (name, namespace) = (job.name_any(), job.namespace().unwrap_or_default());
        State::fails(
            reason,
            format!(
                "{what}; no other run starts before it ends, and it keeps the pod template that it began with: mend the cause, and if that was in the template, `kubectl delete job -n {namespace} {name}`"
            ),
        )
    }
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
