//! `/healthz`, `/readyz` and `/metrics` of the operator itself.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::context::Operator;
use crate::metrics;
use crate::reason::Reason;
use crate::served_schema::ServedSchema;

/// Serves until the process ends. Ready means: every cache holds what the cluster held at the start, or it is a standby. Outdated
/// definitions leave it ready and are told beside it.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    ready: watch::Receiver<bool>,
    operator: Arc<Operator>,
) -> std::io::Result<()> {
    let metrics = operator.metrics.clone();
    let readiness = move || {
        let answer = if *ready.borrow() {
            (StatusCode::OK, readiness(&operator.served))
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "caches are filling\n".to_owned())
        };
        async move { answer }
    };
    let told = move || {
        let text = metrics.text();
        async move { ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text) }
    };
    let routes = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(told));
    axum::serve(listener, routes).await
}

fn readiness(served: &ServedSchema) -> String {
    let notes = served.notes().into_iter().map(|note| format!("{}: {note}\n", Reason::CrdOutdated));
    std::iter::once("ready\n".to_owned()).chain(notes).collect()
}
