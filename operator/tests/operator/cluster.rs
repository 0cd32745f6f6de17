//! A cluster as tests see it: they put objects into it, reconcile, and look at what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use axum::body::Body as AnswerBody;
use axum::extract::State;
use axum::routing::get;
use gristmill_operator::cli::PullPolicy;
use gristmill_operator::context::{Operator, Retries, Settings};
use gristmill_operator::error::Error;
use gristmill_operator::events::Events;
use gristmill_operator::installation::Installation;
use gristmill_operator::metrics::OperatorMetrics;
use gristmill_operator::pod::PodDefaults;
use gristmill_operator::rollout::Rollouts;
use gristmill_operator::served_schema::ServedSchema;
use gristmill_operator::stream_ingest::sizing::Memories;
use gristmill_operator::worker::{Silences, WorkerClient};
use gristmill_operator::{hourly_compaction, labels, stream_ingest};
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use kube::api::{ApiResource, DynamicObject};
use kube::client::Body;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use kube::{Client, CustomResourceExt, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::api_server::{Objects, Permission, Target, key_of, query, refusal, success};
use crate::documents::{ingest_report, running, stream, worker_pod};

/// What paths call StreamIngests.
pub(crate) const STREAMS: &str = "gristmill.dev/streamingests";

/// A cluster in which `books` has been reconciled once.
pub(crate) async fn settled() -> Cluster {
    let cluster = Cluster::new().with(stream());
    cluster.reconcile_stream().await.unwrap();
    cluster.writes();
    cluster
}

/// A cluster whose worker reports.
pub(crate) async fn ingesting() -> Cluster {
    let cluster = settled().await;
    cluster.put(worker_pod(running()));
    cluster.report(Some(ingest_report("Ingesting")));
    cluster.reconcile_stream().await.unwrap();
    cluster.writes();
    cluster
}

/// A cluster that holds what tests put into it and what the operator writes.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Shared>);

struct Shared {
    state: Mutex<Objects>,
    report: Mutex<Option<Value>>,
    worker_image: Mutex<String>,
    time: Mutex<Timestamp>,
    changed: watch::Sender<u64>,
    granted: Mutex<BTreeSet<Permission>>,
    memories: Mutex<Arc<Memories>>,
    /// Live as long as an operator: what one reconcile leaves behind the next ones see.
    rollouts: Arc<Rollouts>,
    silences: Arc<Silences>,
    events: OnceLock<Arc<Events>>,
    /// The cache that they count.
    counted: Mutex<Writer<Deployment>>,
}

impl Cluster {
    /// An empty cluster, in which it is 05:10 on a Monday.
    pub(crate) fn new() -> Self {
        let counted = Writer::new(());
        let rollouts = Rollouts::new(1);
        rollouts.count(counted.as_reader());
        Self(Arc::new(Shared {
            state: Mutex::default(),
            report: Mutex::default(),
            worker_image: Mutex::new("gristmill:test".to_owned()),
            time: Mutex::new("2026-11-23T05:10:00Z".parse().unwrap()),
            changed: watch::channel(0).0,
            granted: Mutex::new(granted()),
            memories: Mutex::default(),
            rollouts: Arc::new(rollouts),
            silences: Arc::default(),
            events: OnceLock::new(),
            counted: Mutex::new(counted),
        }))
    }

    /// The cluster with one more object, or with another version of it.
    pub(crate) fn with(self, object: Value) -> Self {
        self.put(object);
        self
    }

    /// The cluster with a right fewer for the operator.
    pub(crate) fn denying(self, resource: &str, verb: &str) -> Self {
        self.deny(resource, verb);
        self
    }

    /// Takes a right away from the operator.
    pub(crate) fn deny(&self, resource: &str, verb: &str) {
        let mut granted = self.0.granted.lock().unwrap();
        assert!(granted.remove(&(resource.to_owned(), verb.to_owned())), "{verb} {resource} is not granted");
    }

    /// Creates or replaces an object, as a user or another controller does.
    pub(crate) fn put(&self, object: Value) {
        let key = key_of(&object);
        self.0.state.lock().unwrap().store(key, object);
        self.0.changed.send_modify(|changes| *changes += 1);
    }

    /// Deletes an object, as a user or another controller does.
    pub(crate) fn delete(&self, resource: &str, name: &str) {
        self.0.state.lock().unwrap().remove(&(resource.to_owned(), "library".to_owned(), name.to_owned()));
        self.0.changed.send_modify(|changes| *changes += 1);
    }

    /// An object of the namespace `library`.
    pub(crate) fn get(&self, resource: &str, name: &str) -> Option<Value> {
        self.get_in("library", resource, name)
    }

    /// An object of any namespace.
    pub(crate) fn get_in(&self, namespace: &str, resource: &str, name: &str) -> Option<Value> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.0.state.lock().unwrap().objects.get(&key).cloned()
    }

    /// Changes an object in place.
    pub(crate) fn edit(&self, resource: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.get(resource, name).unwrap();
        edit(&mut object);
        self.put(object);
    }

    /// The condition of a resource of the quickstart: `status/reason`, and its message.
    pub(crate) fn condition(&self, resource: &str, condition_type: &str) -> (String, String) {
        let condition = self.whole_condition(resource, condition_type);
        let text = |field: &str| condition[field].as_str().unwrap().to_owned();
        (format!("{}/{}", text("status"), text("reason")), text("message"))
    }

    /// The condition of a resource of the quickstart.
    pub(crate) fn whole_condition(&self, resource: &str, condition_type: &str) -> Value {
        let object = self.get(resource, "books").unwrap();
        let conditions = object["status"]["conditions"].as_array().expect("no conditions are written").clone();
        conditions.into_iter().find(|condition| condition["type"] == condition_type).unwrap()
    }

    /// The conditions of a resource of the quickstart as `kubectl describe` shows them.
    pub(crate) fn described(&self, resource: &str) -> String {
        let object = self.get(resource, "books").unwrap();
        let conditions = object["status"]["conditions"].as_array().expect("no conditions are written").clone();
        let line = |condition: &Value| {
            let text = |field: &str| condition[field].as_str().unwrap().to_owned();
            format!("{}={} {}\n  {}", text("type"), text("status"), text("reason"), text("message"))
        };
        conditions.iter().map(line).map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// The writes of the operator since the last call: verb and object.
    pub(crate) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state.lock().unwrap().writes)
    }

    /// Events of the operator since the last call: severity, reason, note.
    pub(crate) fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state.lock().unwrap().events)
    }

    /// What the operator has been doing so far.
    pub(crate) fn used(&self) -> BTreeSet<Permission> {
        self.0.state.lock().unwrap().used.clone()
    }

    /// Whether the operator has asked for anything outside these namespaces.
    pub(crate) fn used_outside(&self, namespaces: &[&str]) -> bool {
        let asked = |namespace: &Option<String>| namespace.as_deref().is_some_and(|name| namespaces.contains(&name));
        !self.0.state.lock().unwrap().namespaces.iter().all(asked)
    }

    /// What the ClusterRole grants, and in the operator's own namespace the Role.
    pub(crate) fn granted(&self) -> BTreeSet<Permission> {
        self.0.granted.lock().unwrap().clone()
    }

    /// From now on workers answer with this.
    pub(crate) fn report(&self, report: Option<Value>) {
        *self.0.report.lock().unwrap() = report;
    }

    /// From now on the API server tells this schema, or none.
    pub(crate) fn serve_schema(&self, document: Option<Value>) {
        self.0.state.lock().unwrap().schema = document;
    }

    /// From now on a resize of a pod is refused like this, or none is.
    pub(crate) fn refuse_resize(&self, refusal: Option<(u16, &str)>) {
        let refusal = refusal.map(|(code, message)| (code, message.to_owned()));
        self.0.state.lock().unwrap().resize_refusal = refusal;
    }

    /// From now on a resize below so many thousandths of a core is refused like this, or none is.
    pub(crate) fn refuse_resize_below(&self, least: Option<(u32, &str)>) {
        self.0.state.lock().unwrap().least_cpu = least.map(|(least, message)| (least, message.to_owned()));
    }

    /// Lets seconds pass.
    pub(crate) fn wait_seconds(&self, seconds: i64) {
        *self.0.time.lock().unwrap() += jiff::SignedDuration::from_secs(seconds);
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Cluster) -> bool) {
        let mut changes = self.0.changed.subscribe();
        let wait = async {
            while !holds(self) {
                changes.changed().await.unwrap();
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("never came true: {what}"));
    }

    /// From now on the operator has another default image.
    pub(crate) fn upgrade(&self, worker_image: &str) {
        *self.0.worker_image.lock().unwrap() = worker_image.to_owned();
    }

    /// From now on another process of the operator acts.
    pub(crate) fn restart(&self) {
        *self.0.memories.lock().unwrap() = Arc::default();
    }

    /// One reconcile of the StreamIngest `books`.
    pub(crate) async fn reconcile_stream(&self) -> Result<Action, Error> {
        self.reconcile_stream_of("books").await
    }

    /// One reconcile of a StreamIngest.
    pub(crate) async fn reconcile_stream_of(&self, name: &str) -> Result<Action, Error> {
        let context = stream_ingest::Context {
            operator: self.operator().await,
            cache: stream_ingest::observe::Cache {
                deployments: self.cache("apps/deployments", ()),
                config_maps: self.cache("/configmaps", ()),
                service_accounts: self.cache("/serviceaccounts", ()),
                disruption_budgets: self.cache("policy/poddisruptionbudgets", ()),
                network_policies: self.cache("networking.k8s.io/networkpolicies", ()),
                pods: self.cache("/pods", ()),
            },
            memories: Arc::clone(&self.0.memories.lock().unwrap()),
        };
        let object = self.get("gristmill.dev/streamingests", name).unwrap();
        stream_ingest::reconcile(Arc::new(serde_json::from_value(object).unwrap()), Arc::new(context)).await
    }

    /// One reconcile of the HourlyCompaction `books`.
    pub(crate) async fn reconcile_compaction(&self) -> Result<Action, Error> {
        let kind = ApiResource::erase::<gristmill_crds::StreamIngest>(&());
        let context = hourly_compaction::Context {
            operator: self.operator().await,
            cache: hourly_compaction::observe::Cache {
                streams: self.cache::<DynamicObject>("gristmill.dev/streamingests", kind),
                cron_jobs: self.cache("batch/cronjobs", ()),
                config_maps: self.cache("/configmaps", ()),
                service_accounts: self.cache("/serviceaccounts", ()),
                jobs: self.cache("batch/jobs", ()),
                pods: self.cache("/pods", ()),
            },
        };
        let object = self.get("gristmill.dev/hourlycompactions", "books").unwrap();
        hourly_compaction::reconcile(Arc::new(serde_json::from_value(object).unwrap()), Arc::new(context)).await
    }

    /// What both controllers share; its client speaks to this cluster, its workers answer from it.
    pub(crate) async fn operator(&self) -> Arc<Operator> {
        let cluster = self.clone();
        let worker_image = self.0.worker_image.lock().unwrap().clone();
        self.fill("apps/deployments", &mut self.0.counted.lock().unwrap());
        let served = ServedSchema::new(std::time::Duration::from_millis(20));
        let client = self.client();
        served.look(&client).await;
        let recorder = || Recorder::new(self.client(), "gristmill-operator".to_owned().into());
        let events = Arc::clone(self.0.events.get_or_init(|| Arc::new(Events::new(recorder()))));
        Arc::new(Operator {
            client,
            settings: Settings {
                worker_image,
                image_pull_policy: Some(PullPolicy::IfNotPresent),
                pod_defaults: PodDefaults::default(),
                namespace: "gristmill-system".to_owned(),
                installation: Installation::new("gristmill-system", "gristmill-operator"),
            },
            workers: WorkerClient::new(self.serve_worker().await),
            silences: Arc::clone(&self.0.silences),
            now: Box::new(move || *cluster.0.time.lock().unwrap()),
            events,
            retries: Retries::default(),
            metrics: OperatorMetrics::default(),
            rollouts: Arc::clone(&self.0.rollouts),
            served,
        })
    }

    /// A client of this cluster.
    pub(crate) fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<AnswerBody>>();
        let cluster = self.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                answer.send_response(cluster.answer(request).await);
            }
        });
        Client::new(service, "default")
    }

    /// Serves `/status` of workers at a free port of this host.
    async fn serve_worker(&self) -> u16 {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let status = async |State(cluster): State<Cluster>| {
            let report = cluster.0.report.lock().unwrap().clone();
            report.map_or_else(|| "no report".to_owned(), |report| report.to_string())
        };
        let routes = axum::Router::new().route("/status", get(status)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address.port()
    }

    fn cache<K>(&self, resource: &str, kind: K::DynamicType) -> Store<K>
    where
        K: Resource + Clone + DeserializeOwned + 'static,
        K::DynamicType: Eq + std::hash::Hash + Clone,
    {
        let mut writer = Writer::new(kind);
        self.fill(resource, &mut writer);
        writer.as_reader()
    }

    /// Gives a cache what the cluster holds now.
    fn fill<K>(&self, resource: &str, writer: &mut Writer<K>)
    where
        K: Resource + Clone + DeserializeOwned + 'static,
        K::DynamicType: Eq + std::hash::Hash + Clone,
    {
        writer.apply_watcher_event(&Event::Init);
        // As the watches of these do.
        let selector = match resource {
            "apps/deployments" => Some(labels::STREAM_INGEST),
            "batch/cronjobs" => Some(labels::HOURLY_COMPACTION),
            _ => None,
        };
        for object in self.0.state.lock().unwrap().list(resource, None, selector) {
            writer.apply_watcher_event(&Event::InitApply(serde_json::from_value(object).unwrap()));
        }
        writer.apply_watcher_event(&Event::InitDone);
    }

    /// The schema that is served; no role grants it, as every account may read it.
    fn schema(&self, path: &str) -> Response<AnswerBody> {
        match &self.0.state.lock().unwrap().schema {
            Some(document) if path == "/openapi/v3/apis/gristmill.dev/v1alpha1" => success(document),
            _ => refusal(404, "NotFound", "nothing is served there"),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        if parts.uri.path().starts_with("/openapi/") {
            return self.schema(parts.uri.path());
        }
        let target = Target::parse(parts.uri.path());
        let query: BTreeMap<String, String> = query(parts.uri.query().unwrap_or_default());
        let form = parts.headers.get(CONTENT_TYPE).map(|form| form.to_str().unwrap()).unwrap_or_default();
        let granted = self.granted();
        let mut state = self.0.state.lock().unwrap();
        let answer = state.answer(&granted, &parts.method, &target, &query, form, &body);
        drop(state);
        self.0.changed.send_modify(|changes| *changes += 1);
        answer
    }
}

fn granted() -> BTreeSet<Permission> {
    let cluster_role: ClusterRole =
        serde_saphyr::from_str(include_str!("../../../manifests/operator/cluster-role.yaml")).unwrap();
    let role: Role = serde_saphyr::from_str(include_str!("../../../manifests/operator/role.yaml")).unwrap();
    let mut granted = BTreeSet::new();
    for rule in cluster_role.rules.into_iter().chain(role.rules).flatten() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                granted.extend(rule.verbs.iter().map(|verb| (format!("{group}/{resource}"), verb.clone())));
            }
        }
    }
    granted
}

/// The plural of a kind is what paths name; the fake derives it, so it must be derivable.
#[test]
fn plurals_of_our_kinds_are_regular() {
    assert_eq!(ApiResource::erase::<gristmill_crds::StreamIngest>(&()).plural, "streamingests");
    assert_eq!(gristmill_crds::HourlyCompaction::api_resource().plural, "hourlycompactions");
}
