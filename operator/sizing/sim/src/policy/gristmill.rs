//! The operator's decision function: asked every 15 seconds, with what workers tell over a minute, if nothing else is
//! said.

use std::time::Duration;

use gristmill_sizing::{
    Facts, History, HotPartition, Limits, Mode, Obstacle, ObstacleKind, Phase, Size, StuckPartitions, Worker, decide,
};

use super::{Policy, Resize};
use crate::cluster::{Cluster, Step};
use crate::trace::Trouble;
use crate::{MAX_CPU, MAX_REPLICAS, PARTITIONS, STEP};

/// End offsets of a partition have to be seen twice before its arrival is known.
const ARRIVAL_KNOWN_AFTER: u64 = 30;

/// When the day begins, in seconds since 1970.
const START: u64 = 1_800_000_000;

/// The decision function with what it is asked by.
#[derive(Debug)]
pub struct Gristmill {
    /// Limits of the document.
    pub limits: Limits,
    interval: u64,
    window: u64,
    history: History,
}

impl Default for Gristmill {
    /// Mode Auto with the defaults of `spec.scaling`, but for the limits that all policies share.
    fn default() -> Gristmill {
        Gristmill::new(Limits {
            mode: Mode::Auto,
            min_replicas: 1,
            max_replicas: MAX_REPLICAS,
            max_cpu_per_worker: 2000,
            max_cpu: Some(MAX_CPU),
            target_utilization_percent: 70,
            catch_up: Duration::from_secs(30 * 60),
            stabilization: Duration::from_secs(5 * 60),
            scale_down: Duration::from_secs(60 * 60),
        })
    }
}

impl Policy for Gristmill {
    fn name(&self) -> &'static str {
        "Gristmill"
    }

    fn decide(&mut self, cluster: &Cluster) -> Option<Resize> {
        if !cluster.time.is_multiple_of(self.interval) || cluster.time < self.window {
            return None;
        }
        let (decision, history) = decide(&self.facts(cluster), &self.history);
        self.history = history;
        let size = if cluster.refused_since().is_some() { decision.wish(cluster.size) } else { decision.target };
        (size != cluster.size).then_some(Resize::InPlace(size))
    }
}

impl Gristmill {
    /// With other limits.
    pub fn new(limits: Limits) -> Gristmill {
        Gristmill { limits, interval: 15, window: 60, history: History::default() }
    }

    /// Asked every so many seconds, with what workers count over so many.
    pub fn asked(self, interval: u64, window: u64) -> Gristmill {
        Gristmill { interval, window, ..self }
    }

    fn facts(&self, cluster: &Cluster) -> Facts {
        let phase = match cluster.trace.trouble(cluster.time) {
            Trouble::None => Phase::Ingesting,
            Trouble::Brokers => Phase::SourceUnavailable,
            Trouble::Store => Phase::StoreUnavailable,
        };
        let ready = cluster.ready();
        let starting = (cluster.size.replicas as usize).saturating_sub(ready);
        let workers = (0..ready).map(|number| worker(cluster, number, phase, self.window));
        // Pods that have not joined yet.
        let starting = (ready..ready + starting).map(|number| Worker::silent(name(number), Phase::Starting, 0));
        let refused = cluster.refused_since().map(|since| START + since).into_iter();
        Facts {
            time: START + cluster.time,
            limits: self.limits.clone(),
            partitions: PARTITIONS as u32,
            workers: workers.chain(starting).collect(),
            obstacles: refused.map(|since| Obstacle { kind: ObstacleKind::ResizeNodeFull, since }).collect(),
            running: Size { cpu: cluster.granted(), ..cluster.size },
        }
    }
}

fn worker(cluster: &Cluster, number: usize, phase: Phase, window: u64) -> Worker {
    // A worker counts from its start.
    let window: Vec<&Step> = cluster
        .steps
        .iter()
        .rev()
        .take((window / STEP) as usize)
        .take_while(|step| step.processed.len() > number)
        .collect();
    let seconds = (window.len() as u64 * STEP).max(1);
    let arrival = |partition: usize| window.iter().map(|step| step.arrived[partition]).sum::<f64>() / seconds as f64;
    let own: Vec<usize> = (0..PARTITIONS).filter(|partition| cluster.owner(*partition) == Some(number)).collect();
    let hottest = own.iter().map(|partition| HotPartition {
        partition: *partition as i32,
        arrival: arrival(*partition),
        backlog: cluster.backlog(*partition) as u64,
    });
    let is_known = cluster.settled() >= ARRIVAL_KNOWN_AFTER;
    Worker {
        name: name(number),
        age: Some(Duration::from_secs(STEP)),
        phase,
        window: Duration::from_secs(seconds),
        cpu_seconds: window.iter().map(|step| step.cpu_seconds[number]).sum(),
        records: window.iter().map(|step| step.processed[number]).sum::<f64>() as u64,
        cpu: cluster.granted(),
        partitions: own.len() as u32,
        arrival: is_known.then(|| own.iter().map(|partition| arrival(*partition)).sum()),
        backlog: own.iter().map(|partition| cluster.backlog(*partition)).sum::<f64>() as u64,
        stuck: StuckPartitions::default(),
        hottest: hottest.max_by(|a, b| a.arrival.total_cmp(&b.arrival)),
        waiting_percent: 0.0,
    }
}

fn name(number: usize) -> String {
    format!("books-ingest-{number}")
}
