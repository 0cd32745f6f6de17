//! The objects of an HourlyCompaction. Pure: equal inputs build equal objects.

use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::{CompactionProjection, HourlyCompaction, PodOptions, StreamIngest};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, PodTemplateSpec, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use super::shards;
use super::size::RunSize;
use crate::context::Settings;
use crate::labels;
use crate::pod::{self, DOCUMENT, Process, Surroundings};

/// Memory of a run unless the resource says more: the keys of a delta live in it.
pub const DEFAULT_MEMORY: &str = "1Gi";

/// Finished Jobs that are kept: their pods hold the reports that the status is made from.
const HISTORY: i32 = 3;

/// What must exist for an HourlyCompaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Account of its pods.
    pub service_account: ServiceAccount,
    /// Documents of its pods.
    pub config_map: ConfigMap,
    /// Its schedule, and the template of every run.
    pub cron_job: CronJob,
}

/// Builds the objects of a resource that has a plan.
pub fn build(
    compaction: &HourlyCompaction,
    ingest: &StreamIngest,
    plan: &CompactionPlan,
    size: &RunSize,
    settings: &Settings,
) -> Wanted {
    let projection = CompactionProjection::new(compaction, ingest);
    let child = labels::compaction_name(&compaction.name_any());
    let config_map = labels::config_map_name(&child, &projection.digest());
    let mut cron_job = CronJob {
        metadata: metadata(compaction, child.clone()),
        spec: Some(CronJobSpec {
            schedule: plan.schedule.clone(),
            time_zone: Some(plan.time_zone.clone()),
            // Two runs of one zone would only do the same work twice.
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(i64::try_from(plan.starting_deadline.as_secs()).unwrap_or(i64::MAX)),
            suspend: Some(plan.suspend),
            successful_jobs_history_limit: Some(HISTORY),
            failed_jobs_history_limit: Some(HISTORY),
            job_template: job_template(compaction, plan, size, &config_map, settings),
        }),
        ..Default::default()
    };
    settings.installation.mark(&mut cron_job);
    Wanted {
        cron_job,
        config_map: pod::config_map(metadata(compaction, config_map), &projection.documents()),
        service_account: pod::service_account(metadata(compaction, child)),
    }
}

/// The template of scheduled runs, and of `kubectl create job --from=cronjob/...`, which copies its labels.
fn job_template(
    compaction: &HourlyCompaction,
    plan: &CompactionPlan,
    size: &RunSize,
    config_map: &str,
    settings: &Settings,
) -> JobTemplateSpec {
    let RunSize { cpu, memory, parallelism } = size.clone();
    let labels = labels::of_compaction(&compaction.name_any());
    let options = settings.pod_defaults.complete(compaction.spec.pod.clone().unwrap_or_default());
    let options = PodOptions { cpu: Some(cpu), memory: Some(memory), ..options };
    let references = plan.references();
    let arguments = ["compact", "-f", DOCUMENT].map(str::to_owned).into_iter();
    let process = Process {
        args: arguments.chain((parallelism > 1).then(|| shards::argument(parallelism))).collect(),
        default_memory: DEFAULT_MEMORY,
        references: &references,
        options: &options,
    };
    let surroundings = Surroundings {
        labels: labels.clone(),
        service_account: &labels::compaction_name(&compaction.name_any()),
        config_map,
        references: &references,
        options: &options,
    };
    let template = pod::template(pod::container(process, settings), surroundings);
    let mut template = pod::with_local_disk(template, plan.sizing.max_spill);
    template.spec = template.spec.map(|spec| PodSpec { restart_policy: Some("Never".to_owned()), ..spec });
    JobTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels), ..Default::default() }),
        spec: Some(job_spec(plan, parallelism, template)),
    }
}

/// A Job of one pod, or one whose pods share the run. There each shard has the retries of a run, and one that fails for good
/// leaves the others alone: what they commit stays, and the next run makes good what is missing.
fn job_spec(plan: &CompactionPlan, parallelism: u32, template: PodTemplateSpec) -> JobSpec {
    if parallelism <= 1 {
        return JobSpec { backoff_limit: Some(plan.backoff_limit), template, ..Default::default() };
    }
    let pods = i32::try_from(parallelism).ok();
    JobSpec {
        completion_mode: Some("Indexed".to_owned()),
        completions: pods,
        parallelism: pods,
        backoff_limit_per_index: Some(plan.backoff_limit),
        template,
        ..Default::default()
    }
}

fn metadata(compaction: &HourlyCompaction, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: compaction.namespace(),
        labels: Some(labels::of_compaction(&compaction.name_any())),
        ..Default::default()
    }
}
