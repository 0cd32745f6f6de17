//! `/healthz` and `/readyz` of the operator itself.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves until the process ends. Ready means: every cache holds what the cluster held at the start.
///
/// # Errors
/// The listener fails.
pub async fn serve(listener: TcpListener, ready: watch::Receiver<bool>) -> std::io::Result<()> {
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
    let routes = Router::new().route("/healthz", get(|| async { "alive\n" })).route("/readyz", get(readiness));
    axum::serve(listener, routes).await
}
