//! A stream to decide about, in words.

use std::time::Duration;

use gristmill_sizing::{
    Cost, Decision, Facts, History, HotPartition, Limits, Mode, Need, Obstacle, ObstacleKind, Phase, Resize, Size,
    StuckPartitions, Worker, decide,
};

/// Some time after which clocks are plausible.
pub(crate) const NOW: u64 = 1_800_000_000;
/// CPU seconds of a record.
pub(crate) const COST: f64 = 0.000_31;
const WINDOW: Duration = Duration::from_secs(60);

/// 1,000 records a second on 8 partitions, read by one worker with half a core, watched for two hours.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) facts: Facts,
    pub(crate) history: History,
}

pub(crate) fn stream() -> Stream {
    let limits = Limits {
        mode: Mode::Auto,
        min_replicas: 1,
        max_replicas: 10,
        max_cpu_per_worker: 2000,
        max_cpu: None,
        target_utilization_percent: 70,
        catch_up: Duration::from_secs(30 * 60),
        stabilization: Duration::from_secs(5 * 60),
        scale_down: Duration::from_secs(60 * 60),
    };
    let facts = Facts {
        time: NOW,
        limits,
        partitions: 8,
        workers: Vec::new(),
        obstacles: Vec::new(),
        running: Size { replicas: 1, cpu: 500 },
    };
    let history = History {
        observed_since: Some(NOW - 7200),
        observed: Some(NOW - 15),
        short_since: Some(NOW - 90),
        cost: Some(Cost { seconds: COST, slowest: 1.0 }),
        ..History::default()
    };
    Stream { facts, history }.arrival(1000.0)
}

impl Stream {
    pub(crate) fn partitions(mut self, partitions: u32) -> Self {
        self.facts.partitions = partitions;
        let (arrival, backlog) = (self.total_arrival(), self.total_backlog());
        self.spread(arrival, backlog)
    }

    pub(crate) fn running(mut self, replicas: u32, cpu: u32) -> Self {
        let (arrival, backlog) = (self.total_arrival(), self.total_backlog());
        self.facts.running = Size { replicas, cpu };
        self.spread(arrival, backlog)
    }

    /// More workers are to be than there are.
    pub(crate) fn asked_for(mut self, replicas: u32) -> Self {
        self.facts.running.replicas = replicas;
        self
    }

    pub(crate) fn arrival(self, arrival: f64) -> Self {
        let backlog = self.total_backlog();
        self.spread(arrival, backlog)
    }

    pub(crate) fn backlog(self, backlog: u64) -> Self {
        let arrival = self.total_arrival();
        self.spread(arrival, backlog)
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.facts.limits);
        self
    }

    pub(crate) fn history(mut self, change: impl FnOnce(&mut History)) -> Self {
        change(&mut self.history);
        self
    }

    pub(crate) fn worker(mut self, number: usize, change: impl FnOnce(&mut Worker)) -> Self {
        change(&mut self.facts.workers[number]);
        self
    }

    pub(crate) fn phase(mut self, phase: Phase) -> Self {
        self.facts.workers.iter_mut().for_each(|worker| worker.phase = phase);
        self
    }

    /// The largest need of the last hour, in thousandths of a core.
    pub(crate) fn peak(mut self, total: f64) -> Self {
        let need = Need { total, hottest: total / f64::from(self.facts.partitions), slowest: 1.0 };
        self.history.peaks = vec![(NOW - 1800, need)];
        self
    }

    pub(crate) fn obstacle(mut self, kind: ObstacleKind, seconds: u64) -> Self {
        self.facts.obstacles.push(Obstacle { kind, since: NOW - seconds });
        self
    }

    /// The last change: so many seconds ago it added.
    pub(crate) fn added(mut self, seconds: u64, from: Size, throughput: f64) -> Self {
        self.history.last_up = Some(Resize { time: NOW - seconds, from, to: self.facts.running, throughput });
        self
    }

    /// Part of the first worker's partitions that can't be read.
    pub(crate) fn stuck(mut self, partitions: u32, arrival: f64, backlog: u64) -> Self {
        let worker = &mut self.facts.workers[0];
        worker.stuck = StuckPartitions { partitions, arrival, backlog };
        worker.backlog += backlog;
        self
    }

    /// One partition has this part of what arrives and waits.
    pub(crate) fn hot(mut self, partition: i32, part: f64) -> Self {
        let hot = HotPartition {
            partition,
            arrival: self.total_arrival() * part,
            backlog: (self.total_backlog() as f64 * part) as u64,
        };
        self.facts.workers[0].hottest = Some(hot);
        self
    }

    /// The workers use this part of their CPU, and process as much as that comes to.
    pub(crate) fn using(mut self, part: f64) -> Self {
        for worker in &mut self.facts.workers {
            worker.cpu_seconds = part * f64::from(worker.cpu) / 1000.0 * WINDOW.as_secs_f64();
            worker.records = (worker.cpu_seconds / COST) as u64;
        }
        self
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(&self.facts, &self.history).0
    }

    pub(crate) fn total_arrival(&self) -> f64 {
        self.facts.workers.iter().filter_map(|worker| worker.arrival).sum()
    }

    fn total_backlog(&self) -> u64 {
        self.facts.workers.iter().map(|worker| worker.backlog).sum()
    }

    /// All work spread evenly over partitions, partitions over workers; records go by as fast as CPU allows.
    fn spread(mut self, arrival: f64, backlog: u64) -> Self {
        let Size { replicas, cpu } = self.facts.running;
        let partitions = self.facts.partitions;
        self.facts.workers = (0..replicas)
            .map(|number| {
                let owned = partitions / replicas + u32::from(number < partitions % replicas);
                let part = f64::from(owned) / f64::from(partitions.max(1));
                let able = f64::from(cpu) / 1000.0 / COST;
                let speed = if backlog > 0 { able } else { able.min(arrival * part) };
                let records = (speed * WINDOW.as_secs_f64()) as u64;
                Worker {
                    name: format!("books-ingest-{number}"),
                    age: Some(Duration::from_secs(5)),
                    phase: Phase::Ingesting,
                    window: WINDOW,
                    cpu_seconds: records as f64 * COST,
                    records,
                    cpu,
                    partitions: owned,
                    arrival: Some(arrival * part),
                    backlog: backlog / u64::from(replicas)
                        + u64::from(u64::from(number) < backlog % u64::from(replicas)),
                    stuck: StuckPartitions::default(),
                    hottest: None,
                    waiting_percent: 0.0,
                }
            })
            .collect();
        self
    }
}
