//! How runs ended, as Jobs and pods tell it. Pure.

use gristmill_crds::RunTrigger;
use gristmill_crds::report::CompactionReport;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::observe::Observed;
use crate::pod_state::{self, Failure};
use crate::reason::Reason;

/// Label by which the Job controller marks a pod with its Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// Annotation by which `kubectl create job --from=cronjob/...` marks a Job.
const INSTANTIATED: &str = "cronjob.kubernetes.io/instantiate";

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// When.
    pub time: Timestamp,
    /// When its process began, if a pod tells.
    pub began: Option<Timestamp>,
    /// Its Job.
    pub job: String,
    /// Who started it, if the Job is still there.
    pub trigger: Option<RunTrigger>,
    /// What it left.
    pub result: Result<Option<CompactionReport>, Failure>,
}

/// All endings that can be seen, oldest first.
pub fn endings(observed: &Observed) -> Vec<Ending> {
    let mut endings: Vec<Ending> = observed.pods.iter().filter_map(|pod| pod_ending(pod, observed)).collect();
    // A Job whose pods are gone, by a drained node or a deadline, still says that it failed.
    let told: Vec<String> = endings.iter().map(|ending| ending.job.clone()).collect();
    let untold = observed.jobs.iter().filter(|job| !told.contains(&job.name_any()));
    endings.extend(untold.filter_map(|job| job_failure(job)));
    endings.sort_by_key(|ending| ending.time);
    endings
}

/// Whether a Job has come to its end, good or bad.
pub fn is_finished(job: &Job) -> bool {
    end_condition(job).is_some()
}

/// The Job of a pod.
pub fn job_of(pod: &Pod) -> Option<&String> {
    pod.labels().get(JOB_NAME)
}

/// Who started a Job: the schedule, whose CronJob controls it, or somebody by hand.
pub fn trigger(job: &Job) -> RunTrigger {
    let by_hand = job.annotations().get(INSTANTIATED).is_some_and(|value| value == "manual");
    let of_cron_job =
        job.owner_references().iter().any(|owner| owner.kind == "CronJob" && owner.controller == Some(true));
    if of_cron_job && !by_hand { RunTrigger::Schedule } else { RunTrigger::Manual }
}

fn pod_ending(pod: &Pod, observed: &Observed) -> Option<Ending> {
    let ended = pod_state::termination(pod)?;
    let time = ended.finished_at.as_ref()?.0;
    let result = match pod_state::failure(pod, ended) {
        Some(failure) => Err(failure),
        None => Ok(ended.message.as_deref().and_then(|message| serde_json::from_str(message).ok())),
    };
    let name = job_of(pod)?.clone();
    let job = observed.jobs.iter().find(|job| job.name_any() == name);
    Some(Ending {
        time,
        began: ended.started_at.as_ref().map(|time| time.0),
        trigger: job.map(|job| trigger(job)),
        job: name,
        result,
    })
}

fn job_failure(job: &Job) -> Option<Ending> {
    let condition = end_condition(job).filter(|condition| condition.type_ == "Failed")?;
    let reason = condition.reason.as_deref().and_then(Reason::reported);
    let message = condition.message.clone().unwrap_or_else(|| "the Job failed, and no pod of it is left".to_owned());
    Some(Ending {
        time: condition.last_transition_time.as_ref()?.0,
        began: None,
        job: job.name_any(),
        trigger: Some(trigger(job)),
        result: Err(Failure { reason: reason.unwrap_or(Reason::CrashLoop), message, missing: None }),
    })
}

fn end_condition(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = |condition: &&JobCondition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
    };
    conditions.iter().find(ended)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::by_the_schedule(json!({"ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": "u", "controller": true}]}), RunTrigger::Schedule)]
    #[case::from_the_cron_job(
        json!({
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": "u", "controller": true}],
        }),
        RunTrigger::Manual
    )]
    #[case::of_nobody(json!({}), RunTrigger::Manual)]
    fn job_tells_who_started_it(#[case] metadata: Value, #[case] expected: RunTrigger) {
        let job: Job = serde_json::from_value(json!({"metadata": metadata})).expect("a Job");
        assert_eq!(trigger(&job), expected);
    }
}
