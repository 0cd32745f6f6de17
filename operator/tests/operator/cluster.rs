//! An API server in memory: lists, watches, gets, server-side apply, deletes.
//!
//! Every request is checked against the ClusterRole of `manifests/operator` and refused as the real one would.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::body::{Body as AnswerBody, Bytes};
use axum::extract::State;
use axum::routing::get;
use gristmill_operator::cli::PullPolicy;
use gristmill_operator::context::{Operator, Retries, Settings};
use gristmill_operator::error::Error;
use gristmill_operator::worker::WorkerClient;
use gristmill_operator::{hourly_compaction, stream_ingest};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{ApiResource, DynamicObject};
use kube::client::Body;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use kube::{Client, CustomResourceExt, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

/// Group and plural, namespace, name.
type Key = (String, String, String);
/// Group and plural, then the verb.
pub type Permission = (String, String);

/// A cluster that holds what tests put into it and what the operator writes.
#[derive(Clone)]
pub struct Cluster(Arc<Shared>);

struct Shared {
    state: Mutex<Objects>,
    changed: watch::Sender<u64>,
    granted: BTreeSet<Permission>,
}

#[derive(Default)]
struct Objects {
    objects: BTreeMap<Key, Value>,
    version: u64,
    writes: Vec<String>,
    used: BTreeSet<Permission>,
    watchers: Vec<(String, Option<String>, mpsc::UnboundedSender<Value>)>,
    report: Option<Value>,
    time: Option<Timestamp>,
}

impl Cluster {
    /// An empty cluster, in which it is 05:10 on a Monday.
    pub fn new() -> Self {
        let state = Objects { time: Some("2026-11-23T05:10:00Z".parse().unwrap()), ..Default::default() };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: watch::channel(0).0, granted: granted() }))
    }

    /// The cluster with one more object, or with another version of it.
    pub fn with(self, object: Value) -> Self {
        self.put(object);
        self
    }

    /// Creates or replaces an object, as a user or another controller does.
    pub fn put(&self, object: Value) {
        let key = key_of(&object);
        self.0.state.lock().unwrap().store(key, object);
        self.0.changed.send_modify(|changes| *changes += 1);
    }

    /// Deletes an object, as a user or another controller does.
    pub fn delete(&self, resource: &str, name: &str) {
        self.0.state.lock().unwrap().remove(&(resource.to_owned(), "library".to_owned(), name.to_owned()));
        self.0.changed.send_modify(|changes| *changes += 1);
    }

    /// An object of the namespace `library`.
    pub fn get(&self, resource: &str, name: &str) -> Option<Value> {
        let key = (resource.to_owned(), "library".to_owned(), name.to_owned());
        self.0.state.lock().unwrap().objects.get(&key).cloned()
    }

    /// Changes an object in place.
    pub fn edit(&self, resource: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.get(resource, name).unwrap();
        edit(&mut object);
        self.put(object);
    }

    /// The condition of a resource of the quickstart: `status/reason`, and its message.
    pub fn condition(&self, resource: &str, condition_type: &str) -> (String, String) {
        let condition = self.whole_condition(resource, condition_type);
        let text = |field: &str| condition[field].as_str().unwrap().to_owned();
        (format!("{}/{}", text("status"), text("reason")), text("message"))
    }

    /// The condition of a resource of the quickstart.
    pub fn whole_condition(&self, resource: &str, condition_type: &str) -> Value {
        let object = self.get(resource, "books").unwrap();
        let conditions = object["status"]["conditions"].as_array().expect("no conditions are written").clone();
        conditions.into_iter().find(|condition| condition["type"] == condition_type).unwrap()
    }

    /// The writes of the operator since the last call: verb and object.
    pub fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state.lock().unwrap().writes)
    }

    /// What the operator has been doing so far.
    pub fn used(&self) -> BTreeSet<Permission> {
        self.0.state.lock().unwrap().used.clone()
    }

    /// What the ClusterRole grants.
    pub fn granted(&self) -> BTreeSet<Permission> {
        self.0.granted.clone()
    }

    /// From now on workers answer with this.
    pub fn report(&self, report: Option<Value>) {
        self.0.state.lock().unwrap().report = report;
    }

    /// Lets seconds pass.
    pub fn wait_seconds(&self, seconds: i64) {
        let mut state = self.0.state.lock().unwrap();
        state.time = state.time.map(|time| time + jiff::SignedDuration::from_secs(seconds));
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Cluster) -> bool) {
        let mut changes = self.0.changed.subscribe();
        let wait = async {
            while !holds(self) {
                changes.changed().await.unwrap();
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("never came true: {what}"));
    }

    /// One reconcile of the StreamIngest `books`.
    pub async fn reconcile_stream(&self) -> Result<Action, Error> {
        let context = stream_ingest::Context {
            operator: self.operator().await,
            cache: stream_ingest::observe::Cache {
                deployments: self.cache("apps/deployments", ()),
                config_maps: self.cache("/configmaps", ()),
                service_accounts: self.cache("/serviceaccounts", ()),
                pods: self.cache("/pods", ()),
            },
        };
        let object = self.get("gristmill.dev/streamingests", "books").unwrap();
        stream_ingest::reconcile(Arc::new(serde_json::from_value(object).unwrap()), Arc::new(context)).await
    }

    /// One reconcile of the HourlyCompaction `books`.
    pub async fn reconcile_compaction(&self) -> Result<Action, Error> {
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
    pub async fn operator(&self) -> Arc<Operator> {
        let cluster = self.clone();
        Arc::new(Operator {
            client: self.client(),
            settings: Settings {
                worker_image: "gristmill:test".to_owned(),
                image_pull_policy: Some(PullPolicy::IfNotPresent),
            },
            workers: WorkerClient::new(self.serve_worker().await),
            now: Box::new(move || cluster.0.state.lock().unwrap().time.unwrap()),
            retries: Retries::default(),
        })
    }

    /// A client of this cluster.
    pub fn client(&self) -> Client {
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
            let report = cluster.0.state.lock().unwrap().report.clone();
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
        writer.apply_watcher_event(&Event::Init);
        for object in self.0.state.lock().unwrap().list(resource, None, None) {
            writer.apply_watcher_event(&Event::InitApply(serde_json::from_value(object).unwrap()));
        }
        writer.apply_watcher_event(&Event::InitDone);
        writer.as_reader()
    }

    async fn answer(&self, request: Request<Body>) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let target = Target::parse(parts.uri.path());
        let query: BTreeMap<String, String> = query(parts.uri.query().unwrap_or_default());
        let answer = self.0.state.lock().unwrap().answer(&self.0.granted, &parts.method, &target, &query, &body);
        self.0.changed.send_modify(|changes| *changes += 1);
        answer
    }
}

/// What a path names.
struct Target {
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
}

impl Target {
    fn parse(path: &str) -> Self {
        let mut steps = path.trim_matches('/').split('/');
        let group = if steps.next() == Some("api") { "" } else { steps.next().unwrap() };
        let mut steps = steps.skip(1).map(str::to_owned).peekable();
        let namespace = steps.next_if(|step| step == "namespaces").and_then(|_| steps.next());
        let resource = format!("{group}/{}", steps.next().unwrap());
        Self { resource, namespace, name: steps.next(), subresource: steps.next() }
    }

    fn permission(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.clone(),
        }
    }

    fn key(&self) -> Key {
        (self.resource.clone(), self.namespace.clone().unwrap(), self.name.clone().unwrap())
    }
}

impl Objects {
    fn answer(
        &mut self,
        granted: &BTreeSet<Permission>,
        method: &Method,
        target: &Target,
        query: &BTreeMap<String, String>,
        body: &Bytes,
    ) -> Response<AnswerBody> {
        let verbs = self.verbs(method, target, query, body);
        for used in verbs {
            if !granted.contains(&used) {
                return refusal(403, "Forbidden", &format!("the ClusterRole does not grant {used:?}"));
            }
            self.used.insert(used);
        }
        let selector = query.get("labelSelector").cloned();
        match (method, &target.name) {
            (&Method::GET, None) if query.contains_key("watch") => self.watch(target.resource.clone(), selector),
            (&Method::GET, None) => {
                let items = self.list(&target.resource, target.namespace.as_deref(), selector.as_deref());
                success(&json!({"metadata": {"resourceVersion": self.version.to_string()}, "items": items}))
            }
            (&Method::GET, Some(_)) => match self.objects.get(&target.key()) {
                Some(object) => success(object),
                None => refusal(404, "NotFound", "it does not exist"),
            },
            (&Method::PATCH, Some(name)) => {
                assert_eq!(query["fieldManager"], "gristmill-operator");
                self.writes.push(format!("apply {}/{name}", target.permission()));
                self.apply(target, serde_json::from_slice(body).unwrap())
            }
            (&Method::DELETE, Some(name)) => {
                self.writes.push(format!("delete {}/{name}", target.resource));
                self.remove(&target.key());
                success(&json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            (method, name) => panic!("unexpected request: {method} {} {name:?}", target.resource),
        }
    }

    /// What a request needs to be allowed, as the API server and its admission see it.
    fn verbs(
        &self,
        method: &Method,
        target: &Target,
        query: &BTreeMap<String, String>,
        body: &Bytes,
    ) -> Vec<Permission> {
        let verb = match (method, &target.name) {
            (&Method::GET, None) if query.contains_key("watch") => "watch",
            (&Method::GET, None) => "list",
            (&Method::GET, Some(_)) => "get",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, _) => "delete",
            (method, _) => panic!("unexpected method {method}"),
        };
        let mut verbs = vec![(target.permission(), verb.to_owned())];
        if verb == "patch" && target.subresource.is_none() && !self.objects.contains_key(&target.key()) {
            verbs.push((target.resource.clone(), "create".to_owned()));
        }
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        for owner in document["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            if owner["blockOwnerDeletion"] == true {
                let plural = format!("{}s", owner["kind"].as_str().unwrap().to_lowercase());
                verbs.push((format!("gristmill.dev/{plural}/finalizers"), "update".to_owned()));
            }
        }
        verbs
    }

    fn apply(&mut self, target: &Target, wanted: Value) -> Response<AnswerBody> {
        let live = self.objects.get(&target.key()).cloned();
        if target.subresource.as_deref() == Some("status") {
            let Some(mut live) = live else { return refusal(404, "NotFound", "it does not exist") };
            live["status"] = wanted["status"].clone();
            self.store(target.key(), live.clone());
            return success(&live);
        }
        if wanted["spec"]["timeZone"] == "Mars/Olympus" {
            return refusal(422, "Invalid", "spec.timeZone: Invalid value: \"Mars/Olympus\": unknown time zone");
        }
        let immutable = live.as_ref().is_some_and(|live| live["immutable"] == true && live["data"] != wanted["data"]);
        if immutable {
            return refusal(422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set");
        }
        let mut next = wanted;
        if let Some(status) = live.and_then(|live| live.get("status").cloned()) {
            next["status"] = status;
        }
        self.store(target.key(), next);
        success(&self.objects[&target.key()])
    }

    fn store(&mut self, key: Key, mut object: Value) {
        self.version += 1;
        let live = self.objects.get(&key);
        let kept = |field: &str| live.map(|live| live["metadata"][field].clone());
        let generation = match live {
            None => 1,
            Some(live) => {
                let changed = live.get("spec") != object.get("spec");
                live["metadata"]["generation"].as_i64().unwrap_or(1) + i64::from(changed)
            }
        };
        let created = format!("2026-11-23T04:{:02}:00Z", self.version % 60);
        let uid = format!("uid-{}-{}", key.2, self.version);
        let metadata = &mut object["metadata"];
        metadata["uid"] = kept("uid").unwrap_or_else(|| uid.into());
        metadata["creationTimestamp"] = kept("creationTimestamp").unwrap_or_else(|| created.into());
        metadata["generation"] = generation.into();
        metadata["resourceVersion"] = self.version.to_string().into();
        let event = if live.is_some() { "MODIFIED" } else { "ADDED" };
        self.publish(&key, event, &object);
        self.objects.insert(key, object);
    }

    fn remove(&mut self, key: &Key) {
        self.version += 1;
        if let Some(object) = self.objects.remove(key) {
            self.publish(key, "DELETED", &object);
        }
    }

    fn publish(&mut self, key: &Key, event: &str, object: &Value) {
        self.watchers.retain(|(resource, selector, watcher)| {
            let concerned = *resource == key.0 && selected(object, selector.as_deref());
            !concerned || watcher.send(json!({"type": event, "object": object})).is_ok()
        });
    }

    fn list(&self, resource: &str, namespace: Option<&str>, selector: Option<&str>) -> Vec<Value> {
        let concerned = |(key, object): &(&Key, &Value)| {
            key.0 == resource && namespace.is_none_or(|namespace| key.1 == namespace) && selected(object, selector)
        };
        self.objects.iter().filter(concerned).map(|(_, object)| object.clone()).collect()
    }

    fn watch(&mut self, resource: String, selector: Option<String>) -> Response<AnswerBody> {
        let (sender, receiver) = mpsc::unbounded_channel::<Value>();
        self.watchers.push((resource, selector, sender));
        let lines = futures::stream::unfold(receiver, |mut receiver| async {
            let event = receiver.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(format!("{event}\n"))), receiver))
        });
        Response::new(AnswerBody::from_stream(lines))
    }
}

fn selected(object: &Value, selector: Option<&str>) -> bool {
    selector.is_none_or(|key| object["metadata"]["labels"].get(key).is_some())
}

fn success(object: &Value) -> Response<AnswerBody> {
    Response::new(AnswerBody::from(object.to_string()))
}

fn refusal(code: u16, reason: &str, message: &str) -> Response<AnswerBody> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message});
    let mut answer = success(&status);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer
}

fn key_of(object: &Value) -> Key {
    let api_version = object["apiVersion"].as_str().unwrap();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    (format!("{group}/{plural}"), text("namespace"), text("name"))
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let decode = |text: &str| text.replace("%2F", "/");
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn granted() -> BTreeSet<Permission> {
    let text = include_str!("../../../manifests/operator/cluster-role.yaml");
    let role: ClusterRole = serde_saphyr::from_str(text).unwrap();
    let mut granted = BTreeSet::new();
    for rule in role.rules.unwrap() {
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
