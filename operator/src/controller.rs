//! Wires watches, caches and reconcilers, and runs both controllers until SIGTERM.
//!
//! One watch a kind feeds a cache and the queue of its controller. The objects of the two kinds are told apart
//! by label, so that neither controller holds those of the other.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Shared, join_all};
use futures::{FutureExt, Stream, StreamExt};
use gristmill_crds::{HourlyCompaction, StreamIngest};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::controller::{Action, Config, Controller, Error as ControllerError};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::cli::RunOptions;
use crate::context::{Operator, Retries, Settings, ready, system_time};
use crate::election::Candidate;
use crate::error::{Error, Fault, Retry};
use crate::events::Events;
use crate::labels::{HOURLY_COMPACTION, MANAGER, STREAM_INGEST, owner_name};
use crate::metrics::OperatorMetrics;
use crate::rollout::Rollouts;
use crate::served_schema::{ServedSchema, WHILE_OUTDATED};
use crate::stream_ingest::size::owns_replicas;
use crate::worker::{ADMIN_PORT, WorkerClient};
use crate::{admin, hourly_compaction, stream_ingest};

/// Resolves when the process is to stop.
pub type Stop = Shared<BoxFuture<'static, ()>>;

/// Events of one moment, such as a Deployment and its pod, become one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// Reconciles at the same time, of each kind: one waits for a silent worker for two seconds.
const CONCURRENCY: u16 = 16;

/// Why the operator does not start, or ends before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Neither a pod's service account nor a kubeconfig.
    #[error("cannot find the API server; run it in a pod with a service account, or with a kubeconfig")]
    Client(#[source] kube::Error),
    /// The address is in use or not of this host.
    #[error("cannot listen at {address}; choose another --admin-addr")]
    Listen {
        /// The address as given.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The process can't be told to stop.
    #[error("cannot wait for signals")]
    Signal(#[source] std::io::Error),
    /// Another operator leads, or may.
    #[error("lost the lead: {0}; another operator acts now, and this process starts again as its standby")]
    LostLead(String),
}

/// Which part of the cluster is watched.
#[derive(Clone)]
pub struct Scope {
    client: Client,
    namespace: Option<String>,
}

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// It can't start, or has lost the lead.
pub async fn run(options: RunOptions) -> Result<(), RunError> {
    let client = Client::try_default().await.map_err(RunError::Client)?;
    let address = options.admin_addr;
    let listen = |source| RunError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let stop = stop_signal().map_err(RunError::Signal)?;
    let operator = Arc::new(Operator {
        client: client.clone(),
        settings: Settings::new(&options, client.default_namespace()),
        workers: WorkerClient::new(ADMIN_PORT),
        silences: Arc::default(),
        now: Box::new(system_time),
        events: Arc::new(Events::new(Recorder::new(
            client.clone(),
            Reporter { controller: MANAGER.to_owned(), instance: Some(options.pod_name.clone()) },
        ))),
        retries: Retries::default(),
        metrics: OperatorMetrics::default(),
        rollouts: Arc::new(Rollouts::new(options.max_concurrent_rollouts.get())),
        served: ServedSchema::new(WHILE_OUTDATED),
    });
    let (became_ready, is_ready) = watch::channel(false);
    let candidate =
        Candidate::new(client.clone(), &operator.settings.namespace, &options.lease_name, &options.pod_name);
    let scopes = Scope::each(&client, &options.watch_namespaces.into_iter().collect());
    info!(worker_image = options.worker_image, "started");
    tokio::select! {
        served = admin::serve(listener, is_ready, Arc::clone(&operator)) => served.map_err(listen)?,
        led = lead(candidate, Arc::clone(&operator), scopes, stop, became_ready) => led?,
    }
    info!("stopped");
    Ok(())
}

/// Waits for the lead, then runs both controllers until `stop`, and gives the lead up after their last act.
///
/// A standby watches nothing: what it would hold is read within a second once it leads. It is ready once it knows who
/// leads, so that no rollout ends with operators that can't read the Lease.
///
/// # Errors
/// The lead was lost.
pub async fn lead(
    candidate: Candidate,
    operator: Arc<Operator>,
    scopes: Vec<Scope>,
    stop: Stop,
    became_ready: watch::Sender<bool>,
) -> Result<(), RunError> {
    let mut leader = tokio::select! {
        leader = candidate.elected(&became_ready) => leader,
        () = stop.clone() => return Ok(()),
    };
    became_ready.send_replace(false);
    operator.metrics.leads();
    tokio::select! {
        () = control(operator, scopes, stop, became_ready) => {}
        // The controllers end where they stand: whoever leads now may act already.
        reason = leader.lost() => return Err(RunError::LostLead(reason)),
    }
    leader.release().await;
    Ok(())
}

/// Both controllers of every scope, until `stop` and the end of the reconciles under way.
pub async fn control(operator: Arc<Operator>, scopes: Vec<Scope>, stop: Stop, became_ready: watch::Sender<bool>) {
    // Before the first status is written: one with a field that the API server does not know is refused.
    tokio::select! {
        () = operator.served.look(&operator.client) => {}
        () = stop.clone() => return,
    }
    let mut controllers = Vec::new();
    let mut caches = Vec::new();
    for scope in &scopes {
        let (streams, streams_filled, (stream_cache, pods)) =
            stream_ingests(Arc::clone(&operator), scope, stop.clone());
        let (compactions, compactions_filled, compaction_cache) =
            hourly_compactions(Arc::clone(&operator), scope, stop.clone());
        operator.metrics.tell_of(stream_cache, compaction_cache, pods);
        controllers.extend([streams.boxed(), compactions.boxed()]);
        caches.extend([streams_filled, compactions_filled]);
    }
    let is_ready = became_ready.subscribe();
    let stopped = stop.clone();
    let filled = async {
        tokio::select! {
            filled = all(caches) => {
                if filled.is_ok() {
                    info!("caches are filled");
                }
                became_ready.send_replace(filled.is_ok());
            }
            () = stopped => {}
        }
    };
    let work = async { tokio::join!(join_all(controllers), filled) };
    tokio::select! {
        _ = work => {}
        () = operator.served.keep_looking(&operator.client) => {}
        // Reconciles wait for the caches, and controllers for reconciles: before those are filled nothing is under way.
        () = async {
            stop.await;
            if *is_ready.borrow() {
                std::future::pending::<()>().await;
            }
        } => {}
    }
}

impl Scope {
    /// These namespaces, each by itself; none of them named means the whole cluster.
    ///
    /// A resource and all its objects are in one namespace, so that scopes have nothing to do with each other.
    pub fn each(client: &Client, namespaces: &BTreeSet<String>) -> Vec<Self> {
        if namespaces.is_empty() {
            return vec![Self { client: client.clone(), namespace: None }];
        }
        let of = |namespace: &String| Self { client: client.clone(), namespace: Some(namespace.clone()) };
        namespaces.iter().map(of).collect()
    }

    fn custom(&self, kind: &ApiResource) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, kind),
            None => Api::all_with(self.client.clone(), kind),
        }
    }

    fn children<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

/// Resolves when caches hold what the cluster held at the start.
type Filled = BoxFuture<'static, Result<(), Error>>;

fn stream_ingests(
    operator: Arc<Operator>,
    scope: &Scope,
    stop: Stop,
) -> (impl Future<Output = ()> + Send + use<>, Filled, (Store<DynamicObject>, Store<Pod>)) {
    let kind = ApiResource::erase::<StreamIngest>(&());
    let labelled = || watcher::Config::default().labels(STREAM_INGEST);
    let (resources, own) = watched(scope.custom(&kind), watcher::Config::default(), kind.clone());
    let own = specs(own);
    let (deployments, deployment_changes) = watched(scope.children(), labelled(), ());
    let (config_maps, config_map_changes) = watched(scope.children(), labelled(), ());
    let (service_accounts, service_account_changes) = watched(scope.children(), labelled(), ());
    let (disruption_budgets, disruption_budget_changes) = watched(scope.children(), labelled(), ());
    let (network_policies, network_policy_changes) = watched(scope.children(), labelled(), ());
    let (pods, pod_changes) = watched(scope.children(), labelled(), ());
    let caches = vec![
        filled(&resources),
        filled(&deployments),
        filled(&config_maps),
        filled(&service_accounts),
        filled(&disruption_budgets),
        filled(&network_policies),
        filled(&pods),
    ];
    operator.rollouts.count(deployments.clone());
    let told = (resources.clone(), pods.clone());
    let memories = Arc::<stream_ingest::sizing::Memories>::default();
    let context = Arc::new(stream_ingest::Context {
        operator: Arc::clone(&operator),
        cache: stream_ingest::observe::Cache {
            deployments,
            config_maps,
            service_accounts,
            disruption_budgets,
            network_policies,
            pods,
        },
        memories: Arc::clone(&memories),
    });
    let controller = Controller::for_stream_with(own, resources, kind.clone())
        .watches_stream(deployment_changes, owner(STREAM_INGEST, &kind))
        .watches_stream(config_map_changes, owner(STREAM_INGEST, &kind))
        .watches_stream(service_account_changes, owner(STREAM_INGEST, &kind))
        .watches_stream(disruption_budget_changes, owner(STREAM_INGEST, &kind))
        .watches_stream(network_policy_changes, owner(STREAM_INGEST, &kind))
        .watches_stream(pod_changes, owner(STREAM_INGEST, &kind))
        .reconcile_all_on(operator.served.changes())
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(
            |object, context: Arc<stream_ingest::Context>| async move {
                let metrics = context.operator.metrics.clone();
                metrics.measure("StreamIngest", stream_ingest::reconcile(object, context)).await
            },
            // Workers of the spec before go on, and so do their figures.
            after_error(&operator, kind, Action::requeue(stream_ingest::REFRESH)),
            context,
        )
        .for_each(move |outcome| {
            if let Err(ControllerError::ObjectNotFound(gone)) = &outcome {
                memories.forget(gone);
            }
            note(&operator, outcome);
            std::future::ready(())
        });
    (controller, all(caches), told)
}

fn hourly_compactions(
    operator: Arc<Operator>,
    scope: &Scope,
    stop: Stop,
) -> (impl Future<Output = ()> + Send + use<>, Filled, Store<DynamicObject>) {
    let kind = ApiResource::erase::<HourlyCompaction>(&());
    let stream_kind = ApiResource::erase::<StreamIngest>(&());
    let labelled = || watcher::Config::default().labels(HOURLY_COMPACTION);
    let (resources, own) = watched(scope.custom(&kind), watcher::Config::default(), kind.clone());
    let own = specs(own);
    let (streams, stream_changes) =
        watched(scope.custom(&stream_kind), watcher::Config::default(), stream_kind.clone());
    let (cron_jobs, cron_job_changes) = watched(scope.children(), labelled(), ());
    let (config_maps, config_map_changes) = watched(scope.children(), labelled(), ());
    let (service_accounts, service_account_changes) = watched(scope.children(), labelled(), ());
    let (jobs, job_changes) = watched(scope.children(), labelled(), ());
    let (pods, pod_changes) = watched(scope.children(), labelled(), ());
    let caches = vec![
        filled(&resources),
        filled(&streams),
        filled(&cron_jobs),
        filled(&config_maps),
        filled(&service_accounts),
        filled(&jobs),
        filled(&pods),
    ];
    let context = Arc::new(hourly_compaction::Context {
        operator: Arc::clone(&operator),
        cache: hourly_compaction::observe::Cache { streams, cron_jobs, config_maps, service_accounts, jobs, pods },
    });
    let cache = resources.clone();
    let controller = Controller::for_stream_with(own, resources.clone(), kind.clone())
        .watches_stream_with(stream_changes, compactions_of(resources, &kind), stream_kind)
        .watches_stream(cron_job_changes, owner(HOURLY_COMPACTION, &kind))
        .watches_stream(config_map_changes, owner(HOURLY_COMPACTION, &kind))
        .watches_stream(service_account_changes, owner(HOURLY_COMPACTION, &kind))
        .watches_stream(job_changes, owner(HOURLY_COMPACTION, &kind))
        .watches_stream(pod_changes, owner(HOURLY_COMPACTION, &kind))
        .reconcile_all_on(operator.served.changes())
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(
            |object, context: Arc<hourly_compaction::Context>| async move {
                let metrics = context.operator.metrics.clone();
                metrics.measure("HourlyCompaction", hourly_compaction::reconcile(object, context)).await
            },
            after_error(&operator, kind, Action::await_change()),
            context,
        )
        .for_each(move |outcome| {
            note(&operator, outcome);
            std::future::ready(())
        });
    (controller, all(caches), cache)
}

/// Watches a kind into a cache; each change comes out of the stream once the cache has it.
fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
    kind: K::DynamicType,
) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send + 'static)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    let name = K::kind(&kind).into_owned();
    let writer = Writer::new(kind);
    let store = writer.as_reader();
    let changes = watcher(api, config)
        // The largest part of most objects, and read by nobody here but for who scales a Deployment.
        .modify(|object| object.managed_fields_mut().retain(owns_replicas))
        .default_backoff()
        .reflect(writer)
        .touched_objects()
        // Told here: a controller that hears of it lets all of its watches wait, longer with each that fails, and after a
        // restart of the API server each of them fails twice.
        .filter(move |change| {
            if let Err(error) = change {
                warn!(kind = name, %error, "a watch failed; it is tried again");
            }
            std::future::ready(change.is_ok())
        });
    (store, changes)
}

/// Leaves out changes of a status alone: the operator's own writes. Annotations pause and resume.
///
/// An error whose words differ each time is a new status each time; seen as a change it would be tried again at once,
/// past its delay.
fn specs(
    changes: impl Stream<Item = Result<DynamicObject, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Result<DynamicObject, watcher::Error>> + Send + 'static {
    changes.predicate_filter(predicates::generation.combine(predicates::annotations), PredicateConfig::default())
}

/// Finds the resource that an object belongs to by its label `key`.
fn owner<K: Resource>(
    key: &'static str,
    kind: &ApiResource,
) -> impl Fn(K) -> Option<ObjectRef<DynamicObject>> + use<K> {
    let kind = kind.clone();
    move |object: K| {
        let name = owner_name(object.meta(), key)?;
        Some(ObjectRef::new_with(name, kind.clone()).within(object.meta().namespace.as_deref()?))
    }
}

/// Finds the compactions that a StreamIngest concerns.
fn compactions_of(
    compactions: Store<DynamicObject>,
    kind: &ApiResource,
) -> impl Fn(DynamicObject) -> Vec<ObjectRef<DynamicObject>> + use<> {
    let kind = kind.clone();
    move |stream: DynamicObject| {
        let concerned = |compaction: &DynamicObject| {
            let name = compaction.data.pointer("/spec/ingestRef/name").and_then(serde_json::Value::as_str);
            compaction.namespace() == stream.namespace() && name == stream.metadata.name.as_deref()
        };
        let found = compactions.state_filter(concerned);
        found.iter().map(|compaction| ObjectRef::from_obj_with(compaction.as_ref(), kind.clone())).collect()
    }
}

/// What happens after a reconcile that failed: the one place that logs it and decides when to try again. `refused` is what
/// comes after a spec that only an edit mends.
fn after_error<C>(
    operator: &Arc<Operator>,
    kind: ApiResource,
    refused: Action,
) -> impl Fn(Arc<DynamicObject>, &Error, Arc<C>) -> Action + use<C> {
    let operator = Arc::clone(operator);
    move |object, error, _| {
        let reference = ObjectRef::from_obj_with(object.as_ref(), kind.clone());
        let (reason, text) = (error.reason(), error.to_message());
        if error.tells_of_an_outdated_definition() {
            operator.served.note_refusal();
        }
        match error.fault() {
            // The reconcile has told of it, and does so with each event.
            _ if matches!(error, Error::ManagedElsewhere { .. }) => {
                debug!(%reference, %reason, error = text, "reconcile failed");
            }
            Fault::Spec => info!(%reference, %reason, error = text, "refused"),
            Fault::External => warn!(%reference, %reason, error = text, "reconcile failed"),
        }
        match error.retry() {
            Retry::OnChange => refused.clone(),
            Retry::Backoff => Action::requeue(operator.retries.after_failure(reference)),
        }
    }
}

/// Notes what the controller itself says; failures of a reconcile are logged by [`after_error`].
fn note(
    operator: &Operator,
    outcome: Result<(ObjectRef<DynamicObject>, Action), ControllerError<Error, watcher::Error>>,
) {
    match outcome {
        Ok((reference, _)) => debug!(%reference, "reconciled"),
        Err(ControllerError::ReconcilerFailed(_, _)) => {}
        // Its last objects went after it.
        Err(ControllerError::ObjectNotFound(reference)) => operator.retries.reset(&reference),
        Err(ControllerError::QueueError(error)) => warn!(%error, "a queue of changes failed; it is tried again"),
        Err(ControllerError::RunnerError(error)) => warn!(%error, "a controller ends"),
    }
}

fn filled<K>(cache: &Store<K>) -> Filled
where
    K: Resource + Clone + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    let cache = cache.clone();
    async move { ready(&cache).await }.boxed()
}

fn all(caches: Vec<Filled>) -> Filled {
    futures::future::try_join_all(caches).map(|filled| filled.map(|_| ())).boxed()
}

fn stop_signal() -> Result<Stop, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(stop.boxed().shared())
}
