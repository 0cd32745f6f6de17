//! `run-now`: a run of a compaction outside its schedule, and what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_crds::Run;
use gristmill_crds::names::{CONTAINER, compaction_name};
use gristmill_crds::report::{CompactionReport, FailureReport, of_shards};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::ResourceExt;
use kube::api::{Api, PostParams};

use crate::cluster::{Cluster, MANAGER};
use crate::error::Error;
use crate::logs::JOB_NAME;
use crate::resource::Resource;
use crate::table::{duration, paragraph};
use crate::worker;

/// How often a run is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Creates a Job from the CronJob of a compaction, as `kubectl create job --from` does. `mark` makes its name unique.
///
/// # Errors
/// There is no CronJob yet, or the API server does not take the Job.
pub async fn start(cluster: &Cluster, compaction: &Resource, mark: &str) -> Result<Job, Error> {
    let cron_jobs: Api<CronJob> = cluster.api();
    let child = compaction_name(&compaction.name);
    let cron_job = cron_jobs.get_opt(&child).await;
    let cron_job = cron_job.map_err(|error| cluster.act("get", "cronjobs.batch").failed(error))?;
    let cron_job = cron_job.ok_or_else(|| Error::NotYet {
        what: format!("CronJob {child}"),
        name: compaction.to_name(),
        namespace: cluster.namespace.clone(),
    })?;
    let jobs: Api<Job> = cluster.api();
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let created = jobs.create(&params, &job(&cron_job, format!("{child}-now-{mark}"))).await;
    created.map_err(|error| cluster.act("create", "jobs.batch").failed(error))
}

/// The Job of a manual run. Pure.
pub fn job(cron_job: &CronJob, name: String) -> Job {
    let template = cron_job.spec.as_ref().map(|spec| &spec.job_template);
    let metadata = template.and_then(|template| template.metadata.clone()).unwrap_or_default();
    let mut annotations = BTreeMap::from([("cronjob.kubernetes.io/instantiate".to_owned(), "manual".to_owned())]);
    annotations.extend(metadata.annotations.unwrap_or_default());
    // Not blockOwnerDeletion: that would need a right on finalizers of CronJobs.
    let owner = OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "CronJob".to_owned(),
        name: cron_job.name_any(),
        uid: cron_job.uid().unwrap_or_default(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    Job {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: cron_job.namespace(),
            annotations: Some(annotations),
            labels: metadata.labels,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.and_then(|template| template.spec.clone()),
        ..Job::default()
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It has not ended; what its pod does, and the attempts that have failed.
    Runs {
        /// In a word of Kubernetes'.
        pod: String,
        /// Why former attempts failed.
        failures: Vec<String>,
    },
    /// It has ended well.
    Succeeded {
        /// What it said of itself, unless a pod of it is gone.
        report: Option<Box<CompactionReport>>,
        /// When its process began.
        began: Option<Timestamp>,
    },
    /// It has not.
    Failed(String),
}

/// Where a run stands. Pure; `pods` are those of the Job, the oldest first.
pub fn state(job: &Job, pods: &[Pod]) -> State {
    let ended: Vec<&ContainerStateTerminated> = pods.iter().filter_map(terminated).collect();
    let failures: Vec<String> = ended.iter().filter(|ended| ended.exit_code != 0).map(|ended| failure(ended)).collect();
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let end = conditions
        .into_iter()
        .find(|condition| condition.status == "True" && matches!(condition.type_.as_str(), "Complete" | "Failed"));
    match end {
        None => State::Runs { pod: pods.last().map_or_else(|| "no pod yet".to_owned(), worker::doing), failures },
        Some(condition) if condition.type_ == "Complete" => {
            let well = || ended.iter().filter(|ended| ended.exit_code == 0);
            let reports = well().filter_map(|ended| serde_json::from_str(ended.message.as_deref()?).ok());
            let mut reports: Vec<CompactionReport> = reports.collect();
            let is_shared = reports.iter().all(|report| report.buckets.is_some());
            let pods = job.spec.as_ref().and_then(|spec| spec.completions).unwrap_or(1);
            // Figures of a part of the run are not those of the run.
            let is_whole = usize::try_from(pods).is_ok_and(|pods| reports.len() >= pods);
            let report = match is_shared {
                true => of_shards(&reports).filter(|_| is_whole),
                false => reports.pop(),
            };
            let began = well().filter_map(|ended| Some(ended.started_at.as_ref()?.0)).min();
            State::Succeeded { report: report.map(Box::new), began }
        }
        Some(condition) => {
            let of_job = condition.message.as_ref().or(condition.reason.as_ref()).cloned();
            State::Failed(failures.last().cloned().or(of_job).unwrap_or_default())
        }
    }
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ours = statuses.iter().find(|status| status.name == CONTAINER)?;
    ours.state.as_ref()?.terminated.as_ref()
}

fn failure(ended: &ContainerStateTerminated) -> String {
    let message = ended.message.as_deref().unwrap_or_default().trim();
    match (serde_json::from_str(message), ended.reason.as_deref()) {
        (Ok(FailureReport { reason, message, needs_memory: _ }), _) => format!("{reason}: {message}"),
        (Err(_), Some("OOMKilled")) => "OOMKilled: the run used more than its memory; raise spec.pod.memory; in mode Auto the next run has twice as much, up to spec.sizing.maxMemoryPerPod".to_owned(),
        (Err(_), reason) => format!("{} (exit {}) {message}", reason.unwrap_or("Error"), ended.exit_code),
    }
}

/// Waits for the end of a run; `tell` is given a line whenever something changes.
///
/// # Errors
/// It failed, it did not end in time, or it was deleted.
pub async fn follow(
    cluster: &Cluster,
    name: &str,
    timeout: Duration,
    mut tell: impl FnMut(&str),
) -> Result<String, Error> {
    let began = tokio::time::Instant::now();
    let jobs: Api<Job> = cluster.api();
    let mut told = String::new();
    loop {
        let job = jobs.get_opt(name).await.map_err(|error| cluster.act("get", "jobs.batch").failed(error))?;
        let job = job.ok_or_else(|| Error::Run(format!("Job {name} was deleted while it ran; start another one")))?;
        let pods = worker::pods(cluster, &format!("{JOB_NAME}={name}")).await?;
        let now = match state(&job, &pods) {
            State::Succeeded { report, began } => return Ok(summary(&job, report.as_deref(), began)),
            State::Failed(why) => return Err(Error::Run(format!("Job {name} failed: {why}"))),
            State::Runs { pod, failures } => match failures.last() {
                Some(last) => format!("Job {name}: {pod}; attempt {} failed: {last}", failures.len()),
                None => format!("Job {name}: {pod}"),
            },
        };
        if now != told {
            tell(&now);
            told = now;
        }
        if began.elapsed() >= timeout {
            return Err(Error::Run(format!(
                "{told}; it has not ended within {}: it goes on, see `kubectl describe job {name} -n {}`",
                duration(i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX)),
                cluster.namespace
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What became of a run that ended well. Pure.
pub fn summary(job: &Job, report: Option<&CompactionReport>, began: Option<Timestamp>) -> String {
    let status = job.status.as_ref();
    let took = status.and_then(|status| {
        Some(status.completion_time.as_ref()?.0.duration_since(status.start_time.as_ref()?.0).as_secs())
    });
    let took = took.map(|seconds| format!(" in {}", duration(seconds))).unwrap_or_default();
    let mut text = format!("Job {} succeeded{took}\n", job.name_any());
    let Some(CompactionReport { version: _, zone, source: _, processed_through, runs, .. }) = report else {
        return text + "  a pod of it is gone; the figures of its run come with the status\n";
    };
    // A run without new records adds none to the ledger.
    let is_ours = |run: &&Run| match (run.start_time.parse::<Timestamp>(), began) {
        (Ok(start), Some(began)) => start >= began,
        _ => true,
    };
    match runs.first().filter(is_ours) {
        Some(Run { sequence, rows, files, .. }) => {
            text += &paragraph(
                &format!(
                    "entry {sequence}: {} rows read, {} duplicates in them, {} in the zone already, {} late, {} written",
                    rows.read, rows.duplicate_in_delta, rows.duplicate_in_zone, rows.late, rows.written
                ),
                2,
            );
            text += &format!("  files: {} before, {} after\n", files.before, files.after);
        }
        None => text += &format!("  nothing new in RAW: the zone stays at entry {}\n", zone.sequence),
    }
    if let Some(through) = processed_through {
        text += &format!("  complete through {through}\n");
    }
    text
}
