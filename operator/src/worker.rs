//! Asks a worker for its report: `GET http://<pod IP>:8080/status`, and knows since when one does not answer.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use gristmill_crds::report::IngestReport;
use http::Uri;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::{SignedDuration, Timestamp};

/// Port of a worker's `/status`, `/readyz` and `/healthz`.
pub const ADMIN_PORT: u16 = 8080;

/// A worker answers from memory; one that needs longer does not answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// What grows is the list of partitions that are stopped: this is some 3,000 of them.
const LARGEST_REPORT: usize = 1 << 20;

/// A silent worker is asked again within five minutes; one that was not asked for longer is gone.
const GONE: SignedDuration = SignedDuration::from_mins(10);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No answer.
    #[error("http://{address}/status does not answer: {reason}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// The innermost cause.
        reason: String,
    },
    /// An answer of another form: another version, or another program.
    #[error("http://{address}/status answers {status} with something that is no report: {reason}")]
    NotAReport {
        /// Where.
        address: SocketAddr,
        /// Status line.
        status: http::StatusCode,
        /// What does not read.
        reason: String,
    },
}

impl AskError {
    /// What a user can do about it, beside looking at the log.
    pub fn next_act(&self) -> &'static str {
        match self {
            AskError::Unreachable { .. } => "let the operator reach its port 8080 if a NetworkPolicy forbids it",
            AskError::NotAReport { .. } => "give it a worker of the operator's version if spec.pod.image names another",
        }
    }
}

/// Since when workers do not answer, by the uid of their pods.
#[derive(Debug, Default)]
pub struct Silences(Mutex<HashMap<String, Silent>>);

#[derive(Debug)]
struct Silent {
    since: Timestamp,
    last: Timestamp,
}

impl Silences {
    /// Notes that a worker did not answer, and tells since when it has not.
    pub fn go_on(&self, pod: &str, now: Timestamp) -> Timestamp {
        let mut silences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silences.retain(|_, silent| now.duration_since(silent.last) < GONE);
        let silent = silences.entry(pod.to_owned()).or_insert(Silent { since: now, last: now });
        silent.last = now;
        silent.since
    }

    /// Notes that a worker answered.
    pub fn end(&self, pod: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(pod);
    }
}

/// A client for the workers' plain HTTP.
#[derive(Debug, Clone)]
pub struct WorkerClient {
    http: Client<HttpConnector, Empty<Bytes>>,
    port: u16,
}

impl WorkerClient {
    /// A client that asks at this port.
    pub fn new(port: u16) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(DEADLINE));
        // Pods come and go with their addresses: no connection is kept for the next question.
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { http, port }
    }

    /// The report of the worker at this address.
    ///
    /// # Errors
    /// No answer within two seconds, or one that is no report.
    pub async fn report(&self, pod: IpAddr) -> Result<IngestReport, AskError> {
        let address = SocketAddr::new(pod, self.port);
        let unreachable = |reason: String| AskError::Unreachable { address, reason };
        match tokio::time::timeout(DEADLINE, self.ask(address)).await {
            Ok(answer) => answer,
            Err(_) => Err(unreachable(format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn ask(&self, address: SocketAddr) -> Result<IngestReport, AskError> {
        let unreachable = |error: &dyn std::error::Error| AskError::Unreachable { address, reason: root(error) };
        let uri = Uri::builder()
            .scheme("http")
            .authority(address.to_string())
            .path_and_query("/status")
            .build()
            .map_err(|error| unreachable(&error))?;
        let answer = self.http.get(uri).await.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_REPORT).collect().await;
        let no_report = |reason: String| AskError::NotAReport { address, status, reason };
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => no_report(format!("it is longer than {LARGEST_REPORT} bytes")),
            false => unreachable(error.as_ref()),
        })?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| no_report(error.to_string()))
    }
}

/// The innermost cause: `client error (Connect)` alone says nothing.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
