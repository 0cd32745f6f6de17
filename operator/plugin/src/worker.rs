//! Asks a worker over a forwarded port: `GET` of what its admin server answers, and nothing else.
//!
//! Port forwarding is a right of a namespace, where the API server's proxy to pods would let a user send anything to any
//! port of them.

use std::time::Duration;

use futures::future::join_all;
use gristmill_crds::names::{CONTAINER, STREAM_INGEST};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::error::{Error, describe};

/// Name of the port of a worker's admin server.
const PORT: &str = "admin";

/// A worker asks the brokers up to three questions of 10 s each.
const DEADLINE: Duration = Duration::from_secs(45);

/// A page of a thousand partitions is a tenth of it.
const LARGEST_ANSWER: usize = 1 << 20;

/// Workers that can be asked, at least one.
pub struct Workers {
    cluster: Cluster,
    ready: Vec<(Pod, u16)>,
}

/// The workers of a StreamIngest that are ready.
///
/// # Errors
/// There is none; the error tells what its pods are doing.
pub async fn of(cluster: &Cluster, name: &str) -> Result<Workers, Error> {
    let pods = pods(cluster, &format!("{STREAM_INGEST}={name}")).await?;
    let ready: Vec<(Pod, u16)> =
        pods.iter().filter(|pod| is_ready(pod)).filter_map(|pod| Some((pod.clone(), port(pod)?))).collect();
    if ready.is_empty() {
        let namespace = cluster.namespace.clone();
        return Err(Error::NoWorker { name: name.to_owned(), why: why_none(name, &namespace, &pods), namespace });
    }
    Ok(Workers { cluster: cluster.clone(), ready })
}

/// Pods by label, the oldest first.
///
/// # Errors
/// The user may not list them.
pub async fn pods(cluster: &Cluster, selector: &str) -> Result<Vec<Pod>, Error> {
    let api: Api<Pod> = cluster.api();
    let listed = api.list(&ListParams::default().labels(selector)).await;
    let mut pods = listed.map_err(|error| cluster.act("list", "pods").failed(error))?.items;
    pods.sort_by_key(|pod| (pod.creation_timestamp(), pod.name_any()));
    Ok(pods)
}

impl Workers {
    /// How many can be asked.
    pub fn count(&self) -> usize {
        self.ready.len()
    }

    /// The first answer of any of them: all workers of a zone know the same of it.
    ///
    /// # Errors
    /// None answers; the error is the last one's.
    pub async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let mut last = None;
        for (pod, port) in &self.ready {
            match self.ask_one(pod, *port, path).await {
                // What one refuses the others refuse as well.
                Err(error @ (Error::WorkerSilent { .. } | Error::OtherVersion { .. })) => last = Some(error),
                outcome => return outcome,
            }
        }
        Err(last.expect("there is at least one worker"))
    }

    /// The answer of each of them.
    pub async fn ask_all<T: DeserializeOwned>(&self, path: &str) -> Vec<Result<T, Error>> {
        join_all(self.ready.iter().map(|(pod, port)| self.ask_one(pod, *port, path))).await
    }

    /// The answer of each of them, with its pod.
    pub async fn ask_each<T: DeserializeOwned>(&self, path: &str) -> Vec<(Pod, Result<T, Error>)> {
        let answers = self.ask_all(path).await;
        self.ready.iter().map(|(pod, _)| pod.clone()).zip(answers).collect()
    }

    async fn ask_one<T: DeserializeOwned>(&self, pod: &Pod, port: u16, path: &str) -> Result<T, Error> {
        let name = pod.name_any();
        let silent = |why: String| Error::WorkerSilent { pod: name.clone(), why };
        let asked = tokio::time::timeout(DEADLINE, self.get(&name, port, path));
        let (status, body) =
            asked.await.map_err(|_| silent(format!("nothing came within {} s", DEADLINE.as_secs())))??;
        let text = || String::from_utf8_lossy(&body).trim().to_owned();
        let other = |why| Error::OtherVersion { pod: name.clone(), path: path.to_owned(), why };
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| other(error.to_string())),
            StatusCode::NOT_FOUND => Err(other("it has no such answer".to_owned())),
            _ => Err(Error::WorkerRefuses { pod: name.clone(), why: text() }),
        }
    }

    async fn get(&self, pod: &str, port: u16, path: &str) -> Result<(StatusCode, Bytes), Error> {
        let silent = |error: &dyn std::error::Error| Error::WorkerSilent { pod: pod.to_owned(), why: describe(error) };
        let api: Api<Pod> = self.cluster.api();
        let mut forwarder = api
            .portforward(pod, &[port])
            .await
            .map_err(|error| self.cluster.act("create", "pods/portforward").failed(error))?;
        let stream = forwarder.take_stream(port).expect("the port was asked for");
        let refused = forwarder.take_error(port).expect("the port was asked for");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| silent(&error))?;
        let connection = tokio::spawn(connection);
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .expect("paths are ours");
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(|error| silent(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
            Ok((status, body.map_err(|error| silent(error.as_ref()))?.to_bytes()))
        };
        let refusal = async {
            match refused.await {
                Some(why) => Error::WorkerSilent { pod: pod.to_owned(), why },
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = exchange => outcome,
            refused = refusal => Err(refused),
        };
        connection.abort();
        forwarder.abort();
        outcome
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn port(pod: &Pod) -> Option<u16> {
    let containers = &pod.spec.as_ref()?.containers;
    let ours = containers.iter().find(|container| container.name == CONTAINER)?;
    let port = ours.ports.iter().flatten().find(|port| port.name.as_deref() == Some(PORT))?;
    u16::try_from(port.container_port).ok()
}

/// What the pods do that can't be asked, and the next act.
fn why_none(name: &str, namespace: &str, pods: &[Pod]) -> String {
    let see = format!("see `kubectl gristmill status sti/{name} -n {namespace}`");
    if pods.is_empty() {
        return format!("it has no pod; {see}");
    }
    let told: Vec<String> = pods.iter().map(|pod| format!("pod {} is {}", pod.name_any(), doing(pod))).collect();
    format!("{}; {see}", told.join(", "))
}

/// What a pod does, in one word of Kubernetes'.
pub fn doing(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let Some(status) = &pod.status else { return "Pending".to_owned() };
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let state = container.state.as_ref()?;
        state.waiting.as_ref()?.reason.clone()
    });
    waiting.unwrap_or_else(|| match status.phase.as_deref() {
        Some("Running") => "not ready".to_owned(),
        Some(phase) => phase.to_owned(),
        None => "Pending".to_owned(),
    })
}
