//! Reads what the cluster holds of an HourlyCompaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_crds::{HourlyCompaction, StreamIngest};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::{ObjectRef, Store};

use super::endings::{is_finished, job_of};
use super::shards::Shard;
use super::{Compaction, Context};
use crate::context::{Operator, cached, labelled, ready};
use crate::error::Error;
use crate::labels::{self, HOURLY_COMPACTION};
use crate::pod_events::{self, Refused};
use crate::pod_state::{self, PodState};
use crate::reason::Reason;
use crate::served_schema::Outdated;
use crate::stream_ingest::Stream;

/// The Job controller creates pods within this time.
const USUAL: SignedDuration = SignedDuration::from_secs(60);

/// A node that has to be started for a pod is there within this time.
const PATIENCE: SignedDuration = SignedDuration::from_secs(120);

/// The objects of all HourlyCompactions and the StreamIngests, fed by watches.
pub struct Cache {
    /// All StreamIngests.
    pub streams: Store<DynamicObject>,
    /// CronJobs with our label.
    pub cron_jobs: Store<CronJob>,
    /// ConfigMaps with our label.
    pub config_maps: Store<ConfigMap>,
    /// ServiceAccounts with our label.
    pub service_accounts: Store<ServiceAccount>,
    /// Jobs with our label, those of `kubectl create job --from` included.
    pub jobs: Store<Job>,
    /// Pods with our label.
    pub pods: Store<Pod>,
}

/// What the cluster holds of one HourlyCompaction.
pub struct Observed {
    /// The StreamIngest that it names.
    pub stream: Option<Stream>,
    /// Its CronJob.
    pub cron_job: Option<Arc<CronJob>>,
    /// Its ConfigMaps, of former specs too.
    pub config_maps: Vec<Arc<ConfigMap>>,
    /// Its ServiceAccount.
    pub service_account: Option<Arc<ServiceAccount>>,
    /// Its Jobs.
    pub jobs: Vec<Arc<Job>>,
    /// Pods of its Jobs.
    pub pods: Vec<Arc<Pod>>,
    /// The run that has not come to its end.
    pub active: Option<Active>,
    /// What the cluster's definition of the kind lacks.
    pub outdated: Option<Outdated>,
}

/// A run that has not come to its end.
pub struct Active {
    /// Its Job.
    pub job: Arc<Job>,
    /// Its newest pod and what that says; of several pods that share the run one that can't start, if there is one.
    pub pod: Option<(Arc<Pod>, PodState)>,
    /// Whether the API server refuses its pods, where there is none.
    pub refused: Refused,
}

impl Active {
    /// Whether its process has not been started.
    pub fn is_waiting(&self) -> bool {
        match &self.pod {
            Some((pod, state)) => {
                matches!(state, PodState::Coming(_) | PodState::Unexplained(_) | PodState::Failing(_))
                    && pod_state::termination(pod).is_none()
            }
            None => is_without_pods(&self.job),
        }
    }

    /// Whether what keeps its pod can't be told, since events can't be listed.
    pub fn is_unexplained(&self) -> bool {
        matches!(&self.pod, Some((_, PodState::Unexplained(_))))
    }
}

impl Observed {
    /// The ConfigMap of this name.
    pub fn config_map(&self, name: &str) -> Option<&ConfigMap> {
        self.config_maps.iter().find(|map| map.name_any() == name).map(AsRef::as_ref)
    }
}

/// All reads of a reconcile.
///
/// # Errors
/// The caches ended.
pub async fn observe(compaction: &Compaction, context: &Context) -> Result<Observed, Error> {
    let (namespace, name) = (compaction.namespace(), compaction.name());
    let child = labels::compaction_name(name);
    // No `..`: a new cache must be read here.
    let Cache { streams, cron_jobs, config_maps, service_accounts, jobs, pods } = &context.cache;
    let jobs = labelled(jobs, namespace, HOURLY_COMPACTION, name).await?;
    let pods = labelled(pods, namespace, HOURLY_COMPACTION, name).await?;
    Ok(Observed {
        active: active(&jobs, &pods, &context.operator).await,
        stream: stream_of(compaction, streams).await?,
        cron_job: cached(cron_jobs, namespace, &child).await?,
        config_maps: labelled(config_maps, namespace, HOURLY_COMPACTION, name).await?,
        service_account: cached(service_accounts, namespace, &child).await?,
        jobs,
        pods,
        outdated: context.operator.served.outdated::<HourlyCompaction>(),
    })
}

/// The newest Job that has not come to its end.
async fn active(jobs: &[Arc<Job>], pods: &[Arc<Pod>], operator: &Operator) -> Option<Active> {
    let unfinished = jobs.iter().filter(|job| !is_finished(job) && job.metadata.deletion_timestamp.is_none());
    let job = unfinished.max_by_key(|job| (job.creation_timestamp(), job.name_any()))?;
    let of_job: Vec<Arc<Pod>> = pods.iter().filter(|pod| job_of(pod) == Some(&job.name_any())).cloned().collect();
    let is_shared = of_job.iter().any(|pod| matches!(pod_state::read(pod), PodState::Running { .. }));
    let read = |pod: &Pod| patiently(pod, pod_state::read(pod), is_shared, (operator.now)());
    let pod = match telling(of_job, read) {
        Some(pod) => {
            let state = read(&pod);
            let state = pod_events::explained(&pod, state, operator).await;
            Some((pod, state))
        }
        None => None,
    };
    let age = job.creation_timestamp().map(|made| (operator.now)().duration_since(made.0));
    let is_late = pod.is_none() && is_without_pods(job) && age.is_some_and(|age| age > USUAL);
    let refused = if is_late { pod_events::refused_pods(job, operator).await } else { Refused::No };
    Some(Active { job: Arc::clone(job), pod, refused })
}

/// Whether a Job that is to run has no pod, as the Job controller sees it.
fn is_without_pods(job: &Job) -> bool {
    let is_suspended = job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true);
    !is_suspended && job.status.as_ref().and_then(|status| status.active).unwrap_or(0) == 0
}

/// A pod that no node takes is on its way at first, and for as long as another one of its run goes on: a node with room is
/// started within minutes, or the others leave theirs.
fn patiently(pod: &Pod, state: PodState, is_shared: bool, now: Timestamp) -> PodState {
    match state {
        PodState::Failing(failure) if failure.reason == Reason::Unschedulable => {
            let since = pod_state::unschedulable_since(pod);
            let is_young = since.is_some_and(|since| now.duration_since(since) < PATIENCE);
            if is_young || is_shared { PodState::Coming(failure.message) } else { PodState::Failing(failure) }
        }
        state => state,
    }
}

/// The pod that says most about a Job: the newest of each shard counts, and of those one that can't start, then one that
/// has not started.
fn telling(pods: Vec<Arc<Pod>>, read: impl Fn(&Pod) -> PodState) -> Option<Arc<Pod>> {
    let mut by_shard: BTreeMap<Option<u32>, Vec<Arc<Pod>>> = BTreeMap::new();
    for pod in pods {
        by_shard.entry(Shard::of(&pod).map(|shard| shard.index)).or_default().push(pod);
    }
    let newest = by_shard.values().filter_map(|pods| pod_state::newest(pods));
    newest.max_by_key(|pod| {
        let waits = pod_state::termination(pod).is_none();
        let state = match read(pod) {
            PodState::Failing(_) if waits => 2,
            PodState::Coming(_) | PodState::Unexplained(_) if waits => 1,
            PodState::Coming(_)
            | PodState::Unexplained(_)
            | PodState::Failing(_)
            | PodState::Running { .. }
            | PodState::Ended => 0,
        };
        (state, pod.creation_timestamp(), pod.name_any())
    })
}

async fn stream_of(compaction: &Compaction, streams: &Store<DynamicObject>) -> Result<Option<Stream>, Error> {
    ready(streams).await?;
    let Ok(typed) = compaction.typed() else { return Ok(None) };
    let kind = ApiResource::erase::<StreamIngest>(&());
    let reference = ObjectRef::new_with(&typed.spec.ingest_ref.name, kind).within(compaction.namespace());
    Ok(streams.get(&reference).map(|object| Stream::read(&object)))
}
