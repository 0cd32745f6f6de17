//! What an HourlyCompaction's status says next. Pure.
//!
//! A run tells of itself once, in the termination message of its pod. The status keeps what it said after the pod
//! is gone.

use std::sync::Arc;

use gristmill_crds::HourlyCompactionStatus;
use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::report::CompactionReport;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Compaction;
use super::observe::Observed;
use crate::condition::{self, ConditionType, State, Truth};
use crate::error::Error;
use crate::labels;
use crate::pod_state::{self, Failure, PodState};

/// Reason of `Ready` after a run that succeeded.
const SUCCEEDED: &str = "LastRunSucceeded";
/// Reason of `Ready` after a run that failed.
const FAILED: &str = "LastRunFailed";

/// What a suspended resource says.
const SUSPENDED: &str =
    "spec.suspend is true: no run is started; set it to false to go on, and the next run takes what has come meanwhile";

/// Label by which the Job controller marks a pod with its Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
struct Ending {
    time: Timestamp,
    job: String,
    result: Result<Option<CompactionReport>, Failure>,
}

/// The status after a reconcile.
pub fn next(
    compaction: &Compaction,
    observed: &Observed,
    outcome: &Result<CompactionPlan, Error>,
    now: Timestamp,
) -> HourlyCompactionStatus {
    let previous = &compaction.status;
    let generation = compaction.metadata.generation;
    let condition = |kind, state| condition::next(&previous.conditions, kind, state, generation, now);
    let active = active_job(&observed.jobs);
    let endings = endings(observed);
    let mut status = HourlyCompactionStatus {
        observed_generation: generation,
        active_job: active.as_ref().map(|job| job.name_any()),
        conditions: vec![
            condition(ConditionType::Accepted, condition::accepted(outcome)),
            condition(ConditionType::Ready, ready(compaction, observed, outcome, endings.last())),
        ],
        ..previous.clone()
    };
    if let Ok(plan) = outcome
        && plan.suspend
    {
        status.conditions.push(condition(ConditionType::Suspended, State::holds("Suspended", SUSPENDED)));
    }
    for ending in &endings {
        if let Ok(report) = &ending.result {
            take_report(&mut status, report.as_ref(), ending.time);
        }
    }
    status
}

/// Whether a Job has come to its end, good or bad.
pub fn is_finished(job: &Job) -> bool {
    end_condition(job).is_some()
}

fn take_report(status: &mut HourlyCompactionStatus, report: Option<&CompactionReport>, ended: Timestamp) {
    let known = status.last_successful_time.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
    if known.is_some_and(|known| known > ended) {
        return;
    }
    status.last_successful_time = Some(ended.to_string());
    if let Some(report) = report {
        // No `..`: a new figure must be placed here.
        let CompactionReport { version: _, zone, source, processed_through, runs } = report.clone();
        status.zone = Some(zone);
        status.source = Some(source);
        status.processed_through = processed_through;
        status.runs = runs.into_iter().take(5).collect();
    }
}

fn ready(
    compaction: &Compaction,
    observed: &Observed,
    outcome: &Result<CompactionPlan, Error>,
    last: Option<&Ending>,
) -> State {
    let plan = match outcome {
        Ok(plan) => plan,
        Err(error) => return State::fails(error.reason(), error.to_message()),
    };
    if plan.suspend {
        // The wish is fulfilled: tools that wait for Ready are not kept waiting by it.
        return State::holds("Suspended", SUSPENDED);
    }
    if let Some(blocked) = blocked(observed) {
        return blocked;
    }
    match last {
        Some(Ending { job, time, result: Ok(_) }) => State::holds(SUCCEEDED, format!("Job {job} ended at {time}")),
        Some(Ending { job, time, result: Err(Failure { reason, message }) }) => {
            let reason = reason.as_ref().map(|reason| format!("{reason}: ")).unwrap_or_default();
            State::fails(FAILED, format!("Job {job} at {time}: {reason}{message}"))
        }
        None => before_any_ending(compaction, plan),
    }
}

/// No ending is in sight: the status remembers the last one, or there was none.
fn before_any_ending(compaction: &Compaction, plan: &CompactionPlan) -> State {
    let known = condition::find(&compaction.status.conditions, ConditionType::Ready);
    match known {
        Some(known) if known.reason == SUCCEEDED => State::holds(SUCCEEDED, known.message.clone()),
        Some(known) if known.reason == FAILED => State::fails(FAILED, known.message.clone()),
        Some(_) | None => {
            let cron_job = labels::compaction_name(compaction.name());
            State {
                status: Truth::Unknown,
                reason: "NoRunYet".to_owned(),
                message: format!(
                    "runs start by the schedule {:?} ({}); for one now: kubectl create job -n {} --from=cronjob/{cron_job} {cron_job}-now",
                    plan.schedule,
                    plan.time_zone,
                    compaction.namespace(),
                ),
            }
        }
    }
}

/// A run whose pod can't start blocks all that come after it.
fn blocked(observed: &Observed) -> Option<State> {
    let job = active_job(&observed.jobs)?;
    let pods: Vec<Arc<Pod>> =
        observed.pods.iter().filter(|pod| job_of(pod) == Some(&job.name_any())).cloned().collect();
    let pod = pod_state::newest(&pods)?;
    if pod_state::termination(&pod).is_some() {
        return None;
    }
    match pod_state::read(&pod) {
        PodState::Failing(Failure { reason: _, message }) => Some(State::fails(
            "WorkerUnavailable",
            format!(
                "Job {job} waits for pod {}: {message}; no other run starts before it ends, and it keeps the pod template that it began with: mend the cause, and if that was in the template, `kubectl delete job -n {} {job}`",
                pod.name_any(),
                pod.namespace().unwrap_or_default(),
                job = job.name_any(),
            ),
        )),
        PodState::Coming(_) | PodState::Running { .. } | PodState::Ended => None,
    }
}

/// The newest Job that has not come to its end.
fn active_job(jobs: &[Arc<Job>]) -> Option<Arc<Job>> {
    let unfinished = jobs.iter().filter(|job| !is_finished(job) && job.metadata.deletion_timestamp.is_none());
    unfinished.max_by_key(|job| (job.creation_timestamp(), job.name_any())).cloned()
}

/// All endings that can be seen, oldest first.
fn endings(observed: &Observed) -> Vec<Ending> {
    let mut endings: Vec<Ending> = observed.pods.iter().filter_map(|pod| pod_ending(pod)).collect();
    // A Job whose pods are gone, by a drained node or a deadline, still says that it failed.
    let told: Vec<String> = endings.iter().map(|ending| ending.job.clone()).collect();
    let untold = observed.jobs.iter().filter(|job| !told.contains(&job.name_any()));
    endings.extend(untold.filter_map(|job| job_failure(job)));
    endings.sort_by_key(|ending| ending.time);
    endings
}

fn pod_ending(pod: &Pod) -> Option<Ending> {
    let ended = pod_state::termination(pod)?;
    let time = ended.finished_at.as_ref()?.0;
    let result = match pod_state::failure(ended) {
        Some(failure) => Err(failure),
        None => Ok(ended.message.as_deref().and_then(|message| serde_json::from_str(message).ok())),
    };
    Some(Ending { time, job: job_of(pod)?.clone(), result })
}

fn job_failure(job: &Job) -> Option<Ending> {
    let condition = end_condition(job).filter(|condition| condition.type_ == "Failed")?;
    let message = condition.message.clone().or_else(|| condition.reason.clone()).unwrap_or_default();
    Some(Ending {
        time: condition.last_transition_time.as_ref()?.0,
        job: job.name_any(),
        result: Err(Failure { reason: condition.reason.clone(), message }),
    })
}

fn end_condition(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = |condition: &&JobCondition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
    };
    conditions.iter().find(ended)
}

fn job_of(pod: &Pod) -> Option<&String> {
    pod.labels().get(JOB_NAME)
}
