//! The worker's HTTP server: `/healthz`, `/readyz`, `/metrics`, `/status`, `/partitions`, `/rewind-plan`. Counts and offsets
//! only, never a payload, and nothing that writes: whoever reaches the port may ask.
//!
//! Neither health nor readiness depends on Kafka or the store: restarting a worker brings neither of them back.

use std::net::SocketAddr;

use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use gristmill_crds::plan::Position;
use gristmill_crds::report::{IngestReport, PartitionsReport, RewindQuestion, RewindReport};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::exit::{Exit, Failure};
use crate::ingest::{NoPlan, StatusBoard};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl AdminServer {
    /// Begins to serve on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is taken, or not ours.
    pub async fn begin(address: SocketAddr, board: StatusBoard) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure {
            exit: Exit::Usage,
            reason: "Invalid",
            message: format!("cannot serve --admin-addr {address}: {error}; choose another address"),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router(board)).await {
                tracing::warn!(%error, "the admin server ended");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(board: StatusBoard) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/partitions", get(partitions))
        .route("/rewind-plan", get(rewind_plan))
        .with_state(board)
}

async fn healthz(State(board): State<StatusBoard>) -> (StatusCode, &'static str) {
    answer(board.is_alive(), "alive", "the loop has not come by for 5 minutes")
}

async fn readyz(State(board): State<StatusBoard>) -> (StatusCode, &'static str) {
    answer(board.is_ready(), "in the group", "not in the group yet")
}

async fn metrics(State(board): State<StatusBoard>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], board.metrics().text())
}

async fn status(State(board): State<StatusBoard>) -> Json<IngestReport> {
    Json(board.report())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionsQuery {
    #[serde(default)]
    from: i32,
}

async fn partitions(
    State(board): State<StatusBoard>,
    Query(PartitionsQuery { from }): Query<PartitionsQuery>,
) -> Json<PartitionsReport> {
    Json(board.partitions_from(from))
}

async fn rewind_plan(
    State(board): State<StatusBoard>,
    Query(question): Query<RewindQuestion>,
) -> Result<Json<RewindReport>, (StatusCode, String)> {
    let refused = |why: String| (StatusCode::BAD_REQUEST, why);
    let offsets = question.partition_offsets().map_err(refused)?;
    let to = Position::of_rewind(question.position, question.timestamp.as_deref(), &offsets)
        .map_err(|error| refused(error.to_string()))?;
    board.rewind_plans().ask(to).await.map(Json).map_err(|why| {
        let status = match &why {
            NoPlan::Refused { .. } => StatusCode::BAD_REQUEST,
            NoPlan::NotReading | NoPlan::Busy | NoPlan::Kafka { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, why.to_string())
    })
}

fn answer(good: bool, yes: &'static str, no: &'static str) -> (StatusCode, &'static str) {
    if good { (StatusCode::OK, yes) } else { (StatusCode::SERVICE_UNAVAILABLE, no) }
}
