//! How runs ended, as Jobs and pods tell it. Pure.
//!
//! A Job of one pod has an ending for each try. One of several pods has one ending: good once all shards have ended well,
//! bad while one that failed has not been made good.

use std::collections::BTreeMap;

use gristmill_crds::report::{CompactionReport, FailureReport};
use gristmill_crds::{Quantity, RunTrigger};
use gristmill_sizing::compaction::MemoryRefused;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::ResourceExt;

use super::observe::Observed;
use super::shards::{self, Shard};
use crate::pod_state::{self, Failure};
use crate::quantity;
use crate::reason::Reason;

/// Label by which the Job controller marks a pod with its Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// Annotation by which `kubectl create job --from=cronjob/...` marks a Job.
const INSTANTIATED: &str = "cronjob.kubernetes.io/instantiate";

/// Annotation by which the CronJob controller marks a Job with the start that it is for.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

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
    /// CPU that its pods requested together, in thousandths of a core, if they tell.
    pub cpu: Option<u32>,
    /// How it lacked memory, if that is why it failed.
    pub memory_refused: Option<MemoryRefused>,
    /// What it left.
    pub result: Result<Option<CompactionReport>, Failure>,
}

/// All endings that can be seen, oldest first.
pub fn endings(observed: &Observed) -> Vec<Ending> {
    let mut endings = Vec::new();
    let mut shared: BTreeMap<&str, Vec<(Shard, Ending)>> = BTreeMap::new();
    for pod in &observed.pods {
        let Some(ending) = pod_ending(pod, observed) else { continue };
        // A failure that a later pod of the Job has made good is no ending, also where that pod is gone.
        if ending.result.is_err() && job_by_name(observed, &ending.job).is_some_and(is_complete) {
            continue;
        }
        match Shard::of(pod).zip(job_of(pod)) {
            Some((shard, job)) => shared.entry(job).or_default().push((shard, ending)),
            None => endings.push(ending),
        }
    }
    endings.extend(shared.iter().filter_map(|(name, endings)| shards::ending(job_by_name(observed, name), endings)));
    // A Job whose pods are gone, by a drained node or a deadline, still says that it failed.
    let told: Vec<String> = endings.iter().map(|ending| ending.job.clone()).collect();
    let untold = observed.jobs.iter().filter(|job| !told.contains(&job.name_any()));
    endings.extend(untold.filter_map(|job| job_failure(job)));
    endings.sort_by_key(|ending| ending.time);
    endings
}

fn job_by_name<'o>(observed: &'o Observed, name: &str) -> Option<&'o Job> {
    observed.jobs.iter().find(|job| job.name_any() == name).map(AsRef::as_ref)
}

/// Whether all that a Job was to do is done.
pub fn is_complete(job: &Job) -> bool {
    end_condition(job).is_some_and(|condition| condition.type_ == "Complete")
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

/// The time of the schedule that a Job was started for. It is there with the Job, and the CronJob tells it a moment later.
pub fn scheduled(job: &Job) -> Option<Timestamp> {
    job.annotations().get(SCHEDULED)?.parse().ok()
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
        cpu: requested_cpu(pod),
        memory_refused: memory_refused(pod, ended),
        result,
    })
}

fn requested_cpu(pod: &Pod) -> Option<u32> {
    let requests = pod_state::container(pod)?.resources.as_ref()?.requests.as_ref()?;
    quantity::millicores(requests.get("cpu")?)
}

/// What a process that lacked memory had, or says that it needs.
fn memory_refused(pod: &Pod, ended: &ContainerStateTerminated) -> Option<MemoryRefused> {
    let report = ended.message.as_deref().and_then(|text| serde_json::from_str::<FailureReport>(text).ok());
    if let Some(needed) = report.and_then(|report| report.needs_memory) {
        return Some(MemoryRefused::Needs(needed));
    }
    let limits = pod_state::container(pod)?.resources.as_ref()?.limits.as_ref()?;
    let had = Quantity(limits.get("memory")?.0.clone()).to_bytes().ok()?;
    (ended.reason.as_deref() == Some("OOMKilled")).then_some(MemoryRefused::Ended(had))
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
        cpu: None,
        memory_refused: None,
        result: Err(Failure { reason: reason.unwrap_or(Reason::CrashLoop), message, missing: Vec::new() }),
    })
}

/// The condition by which a Job says that it has come to its end.
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
