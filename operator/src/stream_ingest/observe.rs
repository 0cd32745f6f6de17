//! Reads what the cluster holds of a StreamIngest, and asks its worker.

use std::sync::Arc;

use gristmill_crds::report::IngestReport;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::{Context, Stream};
use crate::context::{cached, labelled};
use crate::error::Error;
use crate::labels::{self, STREAM_INGEST};
use crate::pod_state::{self, PodState};
use crate::worker::WorkerClient;

/// The objects of all StreamIngests, fed by watches.
pub struct Cache {
    /// Deployments with our label.
    pub deployments: Store<Deployment>,
    /// ConfigMaps with our label.
    pub config_maps: Store<ConfigMap>,
    /// ServiceAccounts with our label.
    pub service_accounts: Store<ServiceAccount>,
    /// PodDisruptionBudgets with our label.
    pub disruption_budgets: Store<PodDisruptionBudget>,
    /// NetworkPolicies with our label.
    pub network_policies: Store<NetworkPolicy>,
    /// Pods with our label.
    pub pods: Store<Pod>,
}

/// What the cluster holds of one StreamIngest.
pub struct Observed {
    /// Its Deployment.
    pub deployment: Option<Arc<Deployment>>,
    /// Its ConfigMaps, of former specs too.
    pub config_maps: Vec<Arc<ConfigMap>>,
    /// Its ServiceAccount.
    pub service_account: Option<Arc<ServiceAccount>>,
    /// Its PodDisruptionBudget.
    pub disruption_budget: Option<Arc<PodDisruptionBudget>>,
    /// Its NetworkPolicy.
    pub network_policy: Option<Arc<NetworkPolicy>>,
    /// Its pods, those that end included.
    pub pods: Vec<Arc<Pod>>,
    /// What its worker says.
    pub worker: Worker,
}

/// What the newest pod says.
pub enum Worker {
    /// There is no pod.
    Absent,
    /// Its pod does not run.
    NotRunning {
        /// The pod.
        pod: Arc<Pod>,
        /// Why it does not.
        state: PodState,
    },
    /// It reports.
    Reporting {
        /// The pod.
        pod: Arc<Pod>,
        /// State of the pod.
        state: PodState,
        /// The report.
        report: Box<IngestReport>,
    },
    /// Its pod runs, and does not answer.
    Silent {
        /// The pod.
        pod: Arc<Pod>,
        /// State of the pod.
        state: PodState,
        /// Why there is no report.
        why: String,
    },
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
pub async fn observe(stream: &Stream, context: &Context) -> Result<Observed, Error> {
    let (namespace, name) = (stream.namespace(), stream.name());
    let child = labels::ingest_name(name);
    // No `..`: a new cache must be read here.
    let Cache { deployments, config_maps, service_accounts, disruption_budgets, network_policies, pods } =
        &context.cache;
    let pods = labelled(pods, namespace, STREAM_INGEST, name).await?;
    Ok(Observed {
        deployment: cached(deployments, namespace, &child).await?,
        config_maps: labelled(config_maps, namespace, STREAM_INGEST, name).await?,
        service_account: cached(service_accounts, namespace, &child).await?,
        disruption_budget: cached(disruption_budgets, namespace, &child).await?,
        network_policy: cached(network_policies, namespace, &child).await?,
        worker: ask(&pods, &context.operator.workers).await,
        pods,
    })
}

async fn ask(pods: &[Arc<Pod>], workers: &WorkerClient) -> Worker {
    let Some(pod) = pod_state::newest(pods) else { return Worker::Absent };
    let state = pod_state::read(&pod);
    let PodState::Running { .. } = state else { return Worker::NotRunning { pod, state } };
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok());
    let Some(address) = address else {
        return Worker::Silent { pod, state, why: "it has no address yet".to_owned() };
    };
    match workers.report(address).await {
        Ok(report) => Worker::Reporting { pod, state, report: Box::new(report) },
        Err(error) => Worker::Silent { pod, state, why: error.to_string() },
    }
}
