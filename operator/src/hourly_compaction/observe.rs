//! Reads what the cluster holds of an HourlyCompaction.

use std::sync::Arc;

use gristmill_crds::StreamIngest;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::reflector::{ObjectRef, Store};

use super::{Compaction, Context};
use crate::context::{cached, labelled, ready};
use crate::error::Error;
use crate::labels::{self, HOURLY_COMPACTION};
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
    Ok(Observed {
        stream: stream_of(compaction, streams).await?,
        cron_job: cached(cron_jobs, namespace, &child).await?,
        config_maps: labelled(config_maps, namespace, HOURLY_COMPACTION, name).await?,
        service_account: cached(service_accounts, namespace, &child).await?,
        jobs: labelled(jobs, namespace, HOURLY_COMPACTION, name).await?,
        pods: labelled(pods, namespace, HOURLY_COMPACTION, name).await?,
    })
}

async fn stream_of(compaction: &Compaction, streams: &Store<DynamicObject>) -> Result<Option<Stream>, Error> {
    ready(streams).await?;
    let Ok(typed) = compaction.typed() else { return Ok(None) };
    let kind = ApiResource::erase::<StreamIngest>(&());
    let reference = ObjectRef::new_with(&typed.spec.ingest_ref.name, kind).within(compaction.namespace());
    Ok(streams.get(&reference).map(|object| Stream::read(&object)))
}
