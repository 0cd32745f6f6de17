//! Reads what the cluster holds of a StreamIngest, and asks its workers.

use std::sync::Arc;

use futures::StreamExt;
use gristmill_crds::StreamIngest;
use gristmill_crds::report::{IngestPhase, IngestReport};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::{Context, Stream};
use crate::context::{Operator, cached, labelled};
use crate::error::Error;
use crate::labels::{self, STREAM_INGEST};
use crate::pod_events;
use crate::pod_state::{self, Failure, PodState};
use crate::served_schema::Outdated;

/// A worker that just started may need this long until it answers; how the process before it ended counts as long.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Workers that are asked at the same time.
const AT_A_TIME: usize = 8;

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
#[derive(Default)]
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
    /// What its workers say; those that leave only while there are no others.
    pub workers: Vec<Worker>,
    /// What the cluster's definition of the kind lacks.
    pub outdated: Option<Outdated>,
}

/// A worker's pod, and what it says.
pub struct Worker {
    /// The pod.
    pub pod: Arc<Pod>,
    /// State of the pod.
    pub state: PodState,
    /// What its process answers, if it runs.
    pub answer: Answer,
}

/// What a worker's process answers.
pub enum Answer {
    /// It does not run.
    NotAsked,
    /// Its report.
    Report(Box<IngestReport>),
    /// It runs, and gives no report.
    Silence(Silence),
}

/// A worker's process that runs and gives no report.
pub struct Silence {
    /// What came instead of one, and what to do about it.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

impl Worker {
    /// The report, if there is one.
    pub fn report(&self) -> Option<&IngestReport> {
        match &self.answer {
            Answer::Report(report) => Some(report),
            Answer::NotAsked | Answer::Silence(_) => None,
        }
    }

    /// Why it fails, or why the process before it did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.state {
            PodState::Failing(failure) => Some(failure),
            // Once a process says that it goes on, the end of the one before it is history.
            PodState::Running { last_failure, .. } => match self.report().map(|report| report.phase) {
                None | Some(IngestPhase::Starting) => last_failure.as_ref(),
                Some(_) => None,
            },
            PodState::Coming(_) | PodState::Unexplained(_) | PodState::Ended => None,
        }
    }
}

impl Observed {
    /// The newest of the workers' reports: each worker tells of the whole zone, up to where it has read the log.
    pub fn report(&self) -> Option<&IngestReport> {
        let reports = self.workers.iter().filter_map(Worker::report);
        reports.max_by_key(|report| (report.zone.as_ref().map(|zone| zone.sequence), report.partitions))
    }

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
        workers: ask(&pods, context).await,
        pods,
        outdated: context.operator.served.outdated::<StreamIngest>(),
    })
}

/// Asks every worker; a few at a time, since one that is silent takes its time.
async fn ask(pods: &[Arc<Pod>], context: &Context) -> Vec<Worker> {
    let staying: Vec<Arc<Pod>> = pods.iter().filter(|pod| is_staying(pod)).cloned().collect();
    let asked = if staying.is_empty() { pod_state::newest(pods).into_iter().collect() } else { staying };
    let mut workers: Vec<Worker> = futures::stream::iter(asked)
        .map(|pod| ask_one(pod, &context.operator))
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    workers.sort_by_key(|worker| worker.pod.name_any());
    workers
}

/// Whether a pod is one of the workers. One that is evicted or whose node was shut down ended for good: another has taken
/// its place, and nobody deletes it.
pub fn is_staying(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Failed" | "Succeeded"))
}

async fn ask_one(pod: Arc<Pod>, operator: &Operator) -> Worker {
    let state = pod_state::read(&pod);
    let since = match state {
        PodState::Running { since, .. } => since,
        PodState::Coming(_) => {
            let state = pod_events::explained(&pod, state, operator).await;
            return Worker { pod, state, answer: Answer::NotAsked };
        }
        PodState::Unexplained(_) | PodState::Failing(_) | PodState::Ended => {
            return Worker { pod, state, answer: Answer::NotAsked };
        }
    };
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok());
    let why = match address {
        None => "it has no address yet".to_owned(),
        Some(address) => match operator.workers.report(address).await {
            Ok(report) => {
                operator.silences.end(&uid(&pod));
                return Worker { pod, state, answer: Answer::Report(Box::new(report)) };
            }
            Err(error) => format!("{error}; {}", error.next_act()),
        },
    };
    let now = (operator.now)();
    let answer = Answer::Silence(Silence { why, since: operator.silences.go_on(&uid(&pod), now) });
    // How a process ended that is long gone says nothing of why this one is silent.
    let is_young = since.is_some_and(|since| now.duration_since(since) < PATIENCE);
    let state = if is_young { state } else { PodState::Running { since, last_failure: None } };
    Worker { pod, state, answer }
}

fn uid(pod: &Pod) -> String {
    pod.uid().unwrap_or_default()
}
