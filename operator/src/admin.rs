//! `/healthz`, `/readyz` and `/metrics` of the operator itself.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::metrics::{self, OperatorMetrics};

/// Serves until the process ends. Ready means: every cache holds what the cluster held at the start, or it is a standby.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    ready: watch::Receiver<bool>,
    metrics: OperatorMetrics,
) -> std::io::Result<()> {
    let readiness = move || {
        let ready = ready.clone();
        async move {
            if *ready.borrow() {
                (StatusCode::OK, "ready\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "caches are filling\n")
            }
        }
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
