//! Reads what the cluster holds of an HourlyCompaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_crds::{HourlyCompaction, StreamIngest};
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
use crate::pod_events;
use crate::pod_state::{self, PodState};
use crate::served_schema::Outdated;
use crate::stream_ingest::Stream;

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
}

impl Active {
    /// Whether its process has not been started.
    pub fn is_waiting(&self) -> bool {
        self.pod.as_ref().is_some_and(|(pod, state)| {
            matches!(state, PodState::Coming(_) | PodState::Failing(_)) && pod_state::termination(pod).is_none()
        })
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
    let pod = match telling(of_job) {
        Some(pod) => {
            let state = pod_events::explained(&pod, pod_state::read(&pod), operator).await;
            Some((pod, state))
        }
        None => None,
    };
    Some(Active { job: Arc::clone(job), pod })
}

/// The pod that says most about a Job: the newest of each shard counts, and of those one that can't start, then one that
/// has not started.
fn telling(pods: Vec<Arc<Pod>>) -> Option<Arc<Pod>> {
    let mut by_shard: BTreeMap<Option<u32>, Vec<Arc<Pod>>> = BTreeMap::new();
    for pod in pods {
        by_shard.entry(Shard::of(&pod).map(|shard| shard.index)).or_default().push(pod);
    }
    let newest = by_shard.values().filter_map(|pods| pod_state::newest(pods));
    newest.max_by_key(|pod| {
        let waits = pod_state::termination(pod).is_none();
        let state = match pod_state::read(pod) {
            PodState::Failing(_) if waits => 2,
            PodState::Coming(_) if waits => 1,
            PodState::Coming(_) | PodState::Failing(_) | PodState::Running { .. } | PodState::Ended => 0,
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
