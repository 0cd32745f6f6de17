//! Asks a worker for its report: `GET http://<pod IP>:8080/status`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Bytes;
use gristmill_crds::report::IngestReport;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Port of a worker's `/status`, `/readyz` and `/healthz`.
pub const ADMIN_PORT: u16 = 8080;

/// A worker answers from memory; one that needs longer does not answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// A report has no list that grows with partitions: 64 KiB is more than a hundred times its size.
const LARGEST_REPORT: usize = 64 << 10;

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
        let body = body.map_err(|error| unreachable(error.as_ref()))?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| AskError::NotAReport {
            address,
            status,
            reason: error.to_string(),
        })
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
