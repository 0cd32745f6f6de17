//! An API server in memory: lists, watches, gets, server-side apply, merge patches, creates, replaces, deletes, logs.
//!
//! Every request is checked against what is granted, and refused as the real one would. The tests of the plugin take
//! this module as well.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Group and plural, namespace, name.
pub(crate) type Key = (String, String, String);
/// Group and plural, then the verb.
pub(crate) type Permission = (String, String);

/// What the API server holds, who watches it, and what was asked of it.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) objects: BTreeMap<Key, Value>,
    version: u64,
    pub(crate) writes: Vec<String>,
    pub(crate) events: Vec<String>,
    pub(crate) used: BTreeSet<Permission>,
    /// Where something was asked for; none is the whole cluster.
    pub(crate) namespaces: BTreeSet<Option<String>>,
    watchers: Vec<Watcher>,
    /// The OpenAPI document of our group; an applied status may have no field beyond it.
    pub(crate) schema: Option<Value>,
    /// Code and words by which a resize of a pod is refused.
    pub(crate) resize_refusal: Option<(u16, String)>,
    /// Thousandths of a core below which a resize is refused in these words.
    pub(crate) least_cpu: Option<(u32, String)>,
}

/// Who watches a kind: in one namespace or all, with a label or all.
struct Watcher {
    resource: String,
    namespace: Option<String>,
    selector: Option<String>,
    events: mpsc::UnboundedSender<Value>,
}

/// What a path names.
pub(crate) struct Target {
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
}

impl Target {
    pub(crate) fn parse(path: &str) -> Self {
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
    pub(crate) fn answer(
        &mut self,
        granted: &BTreeSet<Permission>,
        method: &Method,
        target: &Target,
        query: &BTreeMap<String, String>,
        form: &str,
        body: &Bytes,
    ) -> Response<Body> {
        let verbs = self.verbs(method, target, query, body);
        for used in verbs {
            if !granted.contains(&used) {
                let words = match used.0.as_str() {
                    "/pods/resize" => {
                        "pods is forbidden: User \"operator\" cannot patch resource \"pods/resize\"".to_owned()
                    }
                    _ => format!("the ClusterRole does not grant {used:?}"),
                };
                return refusal(403, "Forbidden", &words);
            }
            self.used.insert(used);
        }
        self.namespaces.insert(target.namespace.clone());
        let selector = query.get("labelSelector").cloned();
        if target.resource == "events.k8s.io/events" {
            let event: Value = serde_json::from_slice(body).unwrap();
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            assert!((1..=128).contains(&text("action").len()), "the API server takes no action {:?}", event["action"]);
            self.events.push(format!("{} {}: {}", text("type"), text("reason"), text("note")));
            return success(&event);
        }
        match (method, &target.name) {
            (&Method::GET, None) if query.contains_key("watch") => self.watch(target, selector),
            (&Method::GET, None) => {
                let mut items = self.list(&target.resource, target.namespace.as_deref(), selector.as_deref());
                if let Some(uid) = query.get("fieldSelector").and_then(|text| text.strip_prefix("involvedObject.uid="))
                {
                    items.retain(|event| event["involvedObject"]["uid"] == uid);
                }
                success(&json!({"metadata": {"resourceVersion": self.version.to_string()}, "items": items}))
            }
            (&Method::GET, Some(_)) => match (self.objects.get(&target.key()), target.subresource.as_deref()) {
                (Some(object), None) => success(object),
                (Some(pod), Some("log")) => Response::new(Body::from(pod["log"].as_str().unwrap().to_owned())),
                (Some(_), Some(other)) => refusal(400, "BadRequest", &format!("nothing is served at {other}")),
                (None, _) => refusal(404, "NotFound", "it does not exist"),
            },
            (&Method::POST, None) => self.create(target, serde_json::from_slice(body).unwrap()),
            (&Method::PATCH, Some(name)) if form == "application/merge-patch+json" => {
                self.writes.push(format!("merge {}/{name} {}", target.permission(), String::from_utf8_lossy(body)));
                self.merge(target, serde_json::from_slice(body).unwrap())
            }
            (&Method::PATCH, Some(name)) if target.subresource.as_deref() == Some("resize") => {
                assert_eq!(form, "application/strategic-merge-patch+json");
                self.resize(target, name, &serde_json::from_slice(body).unwrap())
            }
            (&Method::PATCH, Some(name)) => {
                assert_eq!(query["fieldManager"], "gristmill-operator");
                self.writes.push(format!("apply {}/{name}", target.permission()));
                self.apply(target, serde_json::from_slice(body).unwrap())
            }
            (&Method::PUT, Some(_)) => self.replace(target, serde_json::from_slice(body).unwrap()),
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
            (&Method::POST, None) => "create",
            (&Method::PATCH, _) => "patch",
            (&Method::PUT, Some(_)) => "update",
            (&Method::DELETE, _) => "delete",
            (method, _) => panic!("unexpected method {method}"),
        };
        let mut verbs = vec![(target.permission(), verb.to_owned())];
        if target.subresource.as_deref() == Some("portforward") {
            // A WebSocket begins with a GET; since 1.35 it needs the right of the POST that it replaces, too.
            verbs.push((target.permission(), "create".to_owned()));
        }
        if verb == "patch"
            && target.subresource.is_none()
            && target.resource != "events.k8s.io/events"
            && !self.objects.contains_key(&target.key())
        {
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

    fn create(&mut self, target: &Target, mut object: Value) -> Response<Body> {
        object["metadata"]["namespace"] = target.namespace.clone().into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.writes.push(format!("create {}/{name}", target.resource));
        let key = (target.resource.clone(), target.namespace.clone().unwrap(), name);
        if self.objects.contains_key(&key) {
            return refusal(409, "AlreadyExists", "it exists");
        }
        self.store(key.clone(), object);
        success(&self.objects[&key])
    }

    fn merge(&mut self, target: &Target, patch: Value) -> Response<Body> {
        let Some(mut live) = self.objects.get(&target.key()).cloned() else {
            return refusal(404, "NotFound", "it does not exist");
        };
        merge(&mut live, patch);
        self.store(target.key(), live.clone());
        success(&live)
    }

    /// Changes resources of a container, and nothing else.
    fn resize(&mut self, target: &Target, name: &str, patch: &Value) -> Response<Body> {
        let wanted = &patch["spec"]["containers"][0];
        self.writes.push(format!("resize /pods/{name} {}", wanted["resources"]));
        if let Some((code, message)) = &self.resize_refusal {
            let reason = match code {
                404 => "NotFound",
                422 => "Invalid",
                500 => "InternalError",
                _ => "Forbidden",
            };
            return refusal(*code, reason, message);
        }
        let asked = wanted["resources"]["requests"]["cpu"].as_str().unwrap().to_owned();
        let asked = gristmill_crds::Quantity(asked).to_millicores().unwrap();
        if let Some((_, message)) = self.least_cpu.as_ref().filter(|(least, _)| asked < *least) {
            return refusal(403, "Forbidden", message);
        }
        let Some(mut live) = self.objects.get(&target.key()).cloned() else {
            return refusal(404, "NotFound", "it does not exist");
        };
        let containers = live["spec"]["containers"].as_array_mut().unwrap();
        let container = containers.iter_mut().find(|container| container["name"] == wanted["name"]).unwrap();
        let was_guaranteed = is_guaranteed(&container["resources"]);
        merge(&mut container["resources"], wanted["resources"].clone());
        if is_guaranteed(&container["resources"]) != was_guaranteed {
            return refusal(
                422,
                "Invalid",
                "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
            );
        }
        self.store(target.key(), live.clone());
        success(&live)
    }

    fn replace(&mut self, target: &Target, object: Value) -> Response<Body> {
        let key = target.key();
        match self.objects.get(&key) {
            None => refusal(404, "NotFound", "it does not exist"),
            Some(live) if live["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] => refusal(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version",
            ),
            Some(_) => {
                self.store(key.clone(), object);
                success(&self.objects[&key])
            }
        }
    }

    fn apply(&mut self, target: &Target, wanted: Value) -> Response<Body> {
        let live = self.objects.get(&target.key()).cloned();
        if target.subresource.as_deref() == Some("status") {
            let Some(mut live) = live else { return refusal(404, "NotFound", "it does not exist") };
            if let Some(field) = self.undeclared(&wanted) {
                let message =
                    format!("failed to create typed patch object: .status.{field}: field not declared in schema");
                return refusal(500, "InternalError", &message);
            }
            live["status"] = wanted["status"].clone();
            self.store(target.key(), live.clone());
            return success(&live);
        }
        // A zone of 2025: the time zone database of a server may be older than ours.
        if wanted["spec"]["timeZone"] == "America/Coyhaique" {
            return refusal(422, "Invalid", "spec.timeZone: Invalid value: \"America/Coyhaique\": unknown time zone");
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

    /// A field of the status that the served schema lacks.
    fn undeclared(&self, wanted: &Value) -> Option<String> {
        let kind = wanted["kind"].as_str().unwrap();
        let schema = &self.schema.as_ref()?["components"]["schemas"][format!("dev.gristmill.v1alpha1.{kind}")];
        let declared = schema["properties"]["status"]["properties"].as_object().unwrap();
        wanted["status"].as_object().unwrap().keys().find(|field| !declared.contains_key(*field)).cloned()
    }

    pub(crate) fn store(&mut self, key: Key, mut object: Value) {
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

    pub(crate) fn remove(&mut self, key: &Key) {
        self.version += 1;
        if let Some(object) = self.objects.remove(key) {
            self.publish(key, "DELETED", &object);
        }
    }

    fn publish(&mut self, key: &Key, event: &str, object: &Value) {
        self.watchers.retain(|Watcher { resource, namespace, selector, events }| {
            let there = *resource == key.0 && namespace.as_ref().is_none_or(|namespace| *namespace == key.1);
            let concerned = there && selected(object, selector.as_deref());
            !concerned || events.send(json!({"type": event, "object": object})).is_ok()
        });
    }

    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>, selector: Option<&str>) -> Vec<Value> {
        let concerned = |(key, object): &(&Key, &Value)| {
            key.0 == resource && namespace.is_none_or(|namespace| key.1 == namespace) && selected(object, selector)
        };
        self.objects.iter().filter(concerned).map(|(_, object)| object.clone()).collect()
    }

    fn watch(&mut self, target: &Target, selector: Option<String>) -> Response<Body> {
        let (events, receiver) = mpsc::unbounded_channel::<Value>();
        let (resource, namespace) = (target.resource.clone(), target.namespace.clone());
        self.watchers.push(Watcher { resource, namespace, selector, events });
        let lines = futures::stream::unfold(receiver, |mut receiver| async {
            let event = receiver.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(format!("{event}\n"))), receiver))
        });
        Response::new(Body::from_stream(lines))
    }
}

/// Whether requests and limits of a pod's container make it one of the class `Guaranteed`.
fn is_guaranteed(resources: &Value) -> bool {
    ["cpu", "memory"].iter().all(|name| {
        let limit = &resources["limits"][name];
        !limit.is_null() && resources["requests"][name] == *limit
    })
}

/// A selector names a label, or a label and its value.
fn selected(object: &Value, selector: Option<&str>) -> bool {
    let labels = &object["metadata"]["labels"];
    selector.is_none_or(|selector| match selector.split_once('=') {
        None => labels.get(selector).is_some(),
        Some((key, value)) => labels.get(key).is_some_and(|label| label == value),
    })
}

/// A JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: Value) {
    match patch {
        Value::Object(patch) => {
            if !target.is_object() {
                *target = json!({});
            }
            let fields = target.as_object_mut().unwrap();
            for (field, change) in patch {
                if change.is_null() {
                    fields.remove(&field);
                } else {
                    merge(fields.entry(field).or_insert(Value::Null), change);
                }
            }
        }
        other => *target = other,
    }
}

pub(crate) fn success(object: &Value) -> Response<Body> {
    Response::new(Body::from(object.to_string()))
}

pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message});
    let mut answer = success(&status);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer
}

/// Where an object is kept.
pub(crate) fn key_of(object: &Value) -> Key {
    let api_version = object["apiVersion"].as_str().unwrap();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    (format!("{group}/{plural}"), text("namespace"), text("name"))
}

/// The parameters of a request.
pub(crate) fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let decode = |text: &str| text.replace("%2F", "/").replace("%3D", "=");
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}
