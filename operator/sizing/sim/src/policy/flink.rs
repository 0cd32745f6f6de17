//! The autoscaler of the Flink Kubernetes operator, for a job of one source vertex.
//!
//! Its algorithm as documented (docs/custom-resource/autoscaler, FLIP-271) and its defaults: utilization.target 0.7
//! with 0.3 to both sides; catch-up.duration 30 min; restart.time 5 min; stabilization.interval 5 min;
//! metrics.window 15 min, which must be full before anything is decided; scale-down.max-factor 0.6;
//! scale-down.interval 1 h, then the highest recommendation of it; backlog-processing.lag-threshold 5 min; busy time
//! of the busiest subtask; a parallelism that divides the partitions.
//!
//! Assumed, in favour of the peer: it decides every minute; the job needs the CPU of our worker for a record, with
//! slots of 500m; a restart takes as long as a new worker does, not the 5 min of restart.time. While the job fails
//! (store or brokers away) there are no metrics, and the window begins again.

use std::collections::VecDeque;

use gristmill_sizing::Size;

use super::{Policy, Resize};
use crate::cluster::Cluster;
use crate::trace::Trouble;
use crate::{MAX_REPLICAS, PARTITIONS, STEP, WORKER_CPU};

const INTERVAL: u64 = 60;
const TARGET: f64 = 0.7;
const UPPER: f64 = 1.0;
const LOWER: f64 = 0.4;
const CATCH_UP: f64 = 1800.0;
const RESTART: f64 = 300.0;
const STABILIZATION: u64 = 300;
const WINDOW: u64 = 900;
const SCALE_DOWN_FACTOR: f64 = 0.6;
const SCALE_DOWN_INTERVAL: u64 = 3600;
const BACKLOG_SECONDS: f64 = 300.0;

/// Parallelism by true processing rate.
#[derive(Debug, Default)]
pub struct Flink {
    /// When the job last started.
    started: u64,
    /// Recommendations to scale down, since the first of them.
    down: VecDeque<(u64, u32, bool)>,
    is_down_asked_since: Option<u64>,
}

impl Policy for Flink {
    fn name(&self) -> &'static str {
        "Flink autoscaler"
    }

    fn decide(&mut self, cluster: &Cluster) -> Option<Resize> {
        if cluster.trace.trouble(cluster.time) != Trouble::None {
            self.started = cluster.time;
        }
        let is_full = cluster.time >= self.started + STABILIZATION + WINDOW;
        if !is_full || !cluster.time.is_multiple_of(INTERVAL) {
            return None;
        }
        let replicas = self.recommend(cluster)?;
        self.started = cluster.time;
        self.forget_down();
        Some(Resize::Restart(Size { replicas, cpu: WORKER_CPU }))
    }
}

impl Flink {
    fn recommend(&mut self, cluster: &Cluster) -> Option<u32> {
        let current = cluster.size.replicas;
        let seconds = (cluster.steps.len() as u64 * STEP) as f64;
        let input: f64 = cluster.steps.iter().flat_map(|step| &step.processed).sum::<f64>() / seconds;
        let (first, last) = (cluster.steps.front()?.waiting, cluster.steps.back()?.waiting);
        let ingestion = (input + (last - first) / seconds).max(0.0);
        let able = input / busiest(cluster);
        if !able.is_finite() || able <= 0.0 {
            return None;
        }
        let catch_up = last / CATCH_UP;
        let restart = RESTART * ingestion / CATCH_UP;
        let is_backlog = last / input > BACKLOG_SECONDS;
        let up_below = ingestion / UPPER + catch_up;
        let down_above = if is_backlog { f64::INFINITY } else { ingestion / LOWER + catch_up + restart };
        let is_outside = able < up_below || able > down_above;

        let factor = ((ingestion / TARGET + catch_up + restart) / able).max(1.0 - SCALE_DOWN_FACTOR);
        let wanted = ((factor * f64::from(current)).ceil() as u32).clamp(1, MAX_REPLICAS);
        let wanted = if wanted == current { current } else { aligned(wanted, current) };
        if wanted >= current {
            self.forget_down();
            return (wanted > current && is_outside).then_some(wanted);
        }
        self.scale_down(cluster.time, wanted, is_outside)
    }

    fn scale_down(&mut self, time: u64, wanted: u32, is_outside: bool) -> Option<u32> {
        let since = *self.is_down_asked_since.get_or_insert(time);
        self.down.push_back((time, wanted, is_outside));
        while self.down.front().is_some_and(|(asked, ..)| time - asked > SCALE_DOWN_INTERVAL) {
            self.down.pop_front();
        }
        if time - since < SCALE_DOWN_INTERVAL {
            return None;
        }
        let (_, highest, is_outside) = self.down.iter().max_by_key(|(_, replicas, _)| *replicas)?;
        is_outside.then_some(*highest)
    }

    fn forget_down(&mut self) {
        self.down.clear();
        self.is_down_asked_since = None;
    }
}

/// Share of its time that the busiest subtask is busy, over the window.
fn busiest(cluster: &Cluster) -> f64 {
    let given = f64::from(WORKER_CPU) / 1000.0 * STEP as f64;
    let loads = cluster.steps.iter().map(|step| step.cpu_seconds.iter().copied().fold(0.0, f64::max) / given);
    loads.sum::<f64>() / cluster.steps.len() as f64
}

/// The next parallelism upwards that divides the partitions, on the side of the current one that it is on.
fn aligned(wanted: u32, current: u32) -> u32 {
    let most = if wanted > current { MAX_REPLICAS } else { current };
    (wanted..=most).find(|replicas| (PARTITIONS as u32).is_multiple_of(*replicas)).unwrap_or(wanted)
}
