//! KEDA's Kafka scaler and the HorizontalPodAutoscaler that it drives.
//!
//! Defaults as documented (KEDA 2.19 kafka scaler and ScaledObject; Kubernetes, "Horizontal Pod Autoscaling"):
//! lagThreshold 10 of lag a replica; no more replicas than partitions (allowIdleConsumers false); a sync every 15 s;
//! tolerance 0.1; up without a stabilization window, by doubling or 4 pods a 15 s, whichever is more; down to the
//! highest recommendation of 300 s, then at once.
//!
//! Assumed, in favour of the peer: the sync sees the lag of this moment (pollingInterval, 30 s, matters for the step
//! from and to 0 only); no scaling to 0; offsets are committed every 5 s (Kafka's auto.commit.interval.ms), so that
//! half of that is seen as lag on average. While brokers are away no lag is told, and the replicas stay.

use std::collections::VecDeque;

use gristmill_sizing::Size;

use super::{Policy, Resize};
use crate::cluster::Cluster;
use crate::trace::Trouble;
use crate::{COST, MAX_REPLICAS, PARTITIONS, WORKER_CPU};

const SYNC: u64 = 15;
const STABILIZATION: u64 = 300;
const TOLERANCE: f64 = 0.1;
const UNCOMMITTED: f64 = 2.5;

/// Replicas by lag.
#[derive(Debug)]
pub struct Keda {
    name: &'static str,
    threshold: f64,
    recommended: VecDeque<(u64, u32)>,
}

impl Keda {
    /// With its default lagThreshold.
    pub fn by_default() -> Keda {
        Keda { name: "KEDA/HPA", threshold: 10.0, recommended: VecDeque::new() }
    }

    /// With a lagThreshold that is chosen well: what a worker processes in a minute.
    pub fn of_a_minute() -> Keda {
        let minute = f64::from(WORKER_CPU) / 1000.0 / COST * 60.0;
        Keda { name: "KEDA/HPA tuned", threshold: minute, recommended: VecDeque::new() }
    }
}

impl Policy for Keda {
    fn name(&self) -> &'static str {
        self.name
    }

    fn decide(&mut self, cluster: &Cluster) -> Option<Resize> {
        if !cluster.time.is_multiple_of(SYNC) || cluster.trace.trouble(cluster.time) == Trouble::Brokers {
            return None;
        }
        let current = cluster.size.replicas;
        let unread: f64 = (0..PARTITIONS).map(|partition| cluster.backlog(partition)).sum();
        let lag = unread + cluster.trace.arrival(cluster.time) * UNCOMMITTED;
        let ratio = lag / (self.threshold * f64::from(current));
        let most = MAX_REPLICAS.min(PARTITIONS as u32);
        let desired = if (ratio - 1.0).abs() <= TOLERANCE {
            current
        } else {
            ((lag / self.threshold).ceil().min(f64::from(most)) as u32).max(1)
        };
        self.recommended.push_back((cluster.time, desired));
        while self.recommended.front().is_some_and(|(time, _)| cluster.time - time > STABILIZATION) {
            self.recommended.pop_front();
        }
        let highest = self.recommended.iter().map(|(_, replicas)| *replicas).max().unwrap_or(desired);
        let replicas =
            if desired > current { desired.min((2 * current).max(current + 4)) } else { highest.min(current) };
        let size = Size { replicas, cpu: WORKER_CPU };
        (size != cluster.size).then_some(Resize::InPlace(size))
    }
}
