//! The metrics of the operator: their names, what they mean, and the text that `/metrics` answers.
//!
//! What concerns a resource is read from the caches when somebody asks, so that the series of a deleted one are gone with
//! it. Its labels are `namespace` and `name`, as those of the workers. A standby has no caches and tells of itself only.

mod resources;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use crate::error::Error;
use resources::Resources;

/// Content type of the answer: OpenMetrics, which Prometheus asks for.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the reconcile histogram in seconds: from caches alone to workers that do not answer.
const RECONCILE_SECONDS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

type KindLabel = [(&'static str, &'static str); 1];
type ErrorLabels = [(&'static str, String); 2];

/// The metrics of one operator; clones share them.
#[derive(Clone)]
pub struct OperatorMetrics(Arc<Metrics>);

struct Metrics {
    registry: Registry,
    reconciles: Family<KindLabel, Counter>,
    errors: Family<ErrorLabels, Counter>,
    duration: Family<KindLabel, Histogram>,
    leader: Gauge<i64, AtomicI64>,
    caches: Arc<Mutex<Caches>>,
}

/// The resources of every scope.
#[derive(Default)]
struct Caches {
    streams: Vec<Store<DynamicObject>>,
    compactions: Vec<Store<DynamicObject>>,
    /// The workers' pods.
    pods: Vec<Store<Pod>>,
}

impl fmt::Debug for OperatorMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorMetrics")
    }
}

impl Default for OperatorMetrics {
    fn default() -> Self {
        let caches = Arc::new(Mutex::default());
        let mut registry = Registry::default();
        let (reconciles, errors, leader) = (Family::default(), Family::default(), Gauge::default());
        let duration = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register(
            "gristmill_operator_reconcile",
            "Reconciles of resources, by kind",
            Family::clone(&reconciles),
        );
        registry.register(
            "gristmill_operator_reconcile_errors",
            "Reconciles that failed, by kind and reason",
            Family::clone(&errors),
        );
        registry.register_with_unit(
            "gristmill_operator_reconcile_duration",
            "Time that a reconcile took, by kind",
            Unit::Seconds,
            Family::clone(&duration),
        );
        registry.register("gristmill_operator_leader", "1 for the operator that acts, 0 for a standby", leader.clone());
        registry.register(
            "gristmill_operator_build",
            "Version of the operator",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(Resources::new(Arc::clone(&caches))));
        Self(Arc::new(Metrics { registry, reconciles, errors, duration, leader, caches }))
    }
}

fn histogram() -> Histogram {
    Histogram::new(RECONCILE_SECONDS)
}

impl OperatorMetrics {
    /// The text of an answer to `GET /metrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("a String takes every write");
        text
    }

    /// Counts a reconcile and takes its time.
    ///
    /// # Errors
    /// Those of the reconcile.
    pub async fn measure(
        &self,
        kind: &'static str,
        reconcile: impl Future<Output = Result<Action, Error>>,
    ) -> Result<Action, Error> {
        let begun = Instant::now();
        let outcome = reconcile.await;
        let label = [("kind", kind)];
        self.0.reconciles.get_or_create(&label).inc();
        self.0.duration.get_or_create(&label).observe(begun.elapsed().as_secs_f64());
        if let Err(error) = &outcome {
            let labels = [("kind", kind.to_owned()), ("reason", error.reason().as_str().to_owned())];
            self.0.errors.get_or_create(&labels).inc();
        }
        outcome
    }

    /// From now on this operator acts.
    pub fn leads(&self) {
        self.0.leader.inner().store(1, Ordering::Relaxed);
    }

    /// Tells of the resources in these caches, too; `pods` are those of the StreamIngests.
    pub fn tell_of(&self, streams: Store<DynamicObject>, compactions: Store<DynamicObject>, pods: Store<Pod>) {
        let mut caches = self.0.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.streams.push(streams);
        caches.compactions.push(compactions);
        caches.pods.push(pods);
    }
}

#[cfg(test)]
mod tests;
