//! A cluster as tests see it: they put objects into it, run a verb as a user would type it, and look at what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::body::Body as AnswerBody;
use clap::Parser;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Client;
use kube::client::Body;
use kubectl_gristmill::cli::Cli;
use kubectl_gristmill::cluster::Cluster;
use kubectl_gristmill::error::describe;
use kubectl_gristmill::{Surroundings, run};
use serde_json::Value;

use crate::api_server::{Key, Objects, Permission, Target, key_of, query};
use crate::facts::now;

/// A cluster in memory, and what its Role grants.
#[derive(Clone)]
pub(crate) struct Mock {
    state: Arc<Mutex<Objects>>,
    granted: BTreeSet<Permission>,
    knows_our_kinds: bool,
}

impl Mock {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), granted: granted(), knows_our_kinds: true }
    }

    /// The cluster with one more object.
    pub(crate) fn with(self, object: Value) -> Self {
        self.put(object);
        self
    }

    /// The cluster with a right fewer for the user.
    pub(crate) fn denying(mut self, resource: &str, verb: &str) -> Self {
        assert!(self.granted.remove(&(resource.to_owned(), verb.to_owned())), "{verb} {resource} is not granted");
        self
    }

    /// A cluster without our definitions.
    pub(crate) fn without_definitions(self) -> Self {
        Self { knows_our_kinds: false, ..self }
    }

    pub(crate) fn put(&self, object: Value) {
        let key = key_of(&object);
        self.state.lock().unwrap().store(key, object);
    }

    /// An object of namespace `library`.
    pub(crate) fn get(&self, resource: &str, name: &str) -> Option<Value> {
        let key: Key = (resource.to_owned(), "library".to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).cloned()
    }

    /// What was written so far.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.state.lock().unwrap().writes.clone()
    }

    /// Rights that were used, and those that the Role grants.
    pub(crate) fn rights(&self) -> (BTreeSet<Permission>, BTreeSet<Permission>) {
        (self.state.lock().unwrap().used.clone(), self.granted.clone())
    }

    /// `kubectl gristmill ...` in namespace `library`: what it prints, or its error.
    pub(crate) async fn run(&self, command: &str) -> Result<String, String> {
        let arguments = std::iter::once("kubectl-gristmill").chain(command.split_whitespace());
        let Cli { connection: _, command } = Cli::try_parse_from(arguments).unwrap();
        let cluster = Cluster { client: self.client(), namespace: "library".to_owned() };
        let mut out = Vec::new();
        let fresh = "1f0c9a7e-0000-4000-8000-000000000000".to_owned();
        let surroundings = Surroundings { now: now(), fresh, out: &mut out, tell: |_| {} };
        run(&cluster, command, surroundings).await.map_err(|error| describe(&error))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<AnswerBody>>();
        let mock = self.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                answer.send_response(mock.answer(request).await);
            }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        if !self.knows_our_kinds && parts.uri.path().contains("gristmill.dev") {
            // The API server's own answer for a group that it does not have.
            return Response::builder().status(404).body("404 page not found\n".into()).unwrap();
        }
        let body = body.collect().await.unwrap().to_bytes();
        let target = Target::parse(parts.uri.path());
        let query: BTreeMap<String, String> = query(parts.uri.query().unwrap_or_default());
        let form = parts.headers.get(header::CONTENT_TYPE).map(|form| form.to_str().unwrap()).unwrap_or_default();
        self.state.lock().unwrap().answer(&self.granted, &parts.method, &target, &query, form, &body)
    }
}

/// What the ClusterRole `gristmill-plugin` grants in a namespace.
fn granted() -> BTreeSet<Permission> {
    let text = include_str!("../../../../manifests/operator/user-roles.yaml");
    let roles: Vec<ClusterRole> = serde_saphyr::from_multiple(text).unwrap();
    let role = roles.into_iter().find(|role| role.metadata.name.as_deref() == Some("gristmill-plugin")).unwrap();
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
