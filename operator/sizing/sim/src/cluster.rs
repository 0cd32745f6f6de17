//! Workers that read partitions with the CPU that they have.

use std::collections::VecDeque;

use gristmill_sizing::Size;

use crate::trace::{Trace, Trouble};
use crate::{COST, IDLE, PARTITIONS, STEP, WORKER_CPU};

/// Time until a new worker reads: its pod is placed, the image is there, the process starts and joins.
const START: u64 = 30;
/// Time in which nothing is read when partitions move: files are closed and committed first.
const MOVE: u64 = 5;
/// What is remembered of each step: a quarter of an hour, the longest window of a policy.
const REMEMBERED: usize = (15 * 60 / STEP) as usize;

/// The workers of a stream and what waits for them.
#[derive(Debug)]
pub struct Cluster {
    /// The trace that it lives through.
    pub trace: Trace,
    /// Seconds since the start.
    pub time: u64,
    /// The size that was asked for.
    pub size: Size,
    /// CPU that the nodes give a worker at the most, in thousandths of a core; a resize beyond it waits.
    pub node_cpu: Option<u32>,
    refused_since: Option<u64>,
    workers: Vec<Worker>,
    waiting: Vec<VecDeque<(u64, f64)>>,
    paused_until: u64,
    ready: usize,
    /// What happened in the last steps, newest last.
    pub steps: VecDeque<Step>,
}

#[derive(Debug, Clone)]
struct Worker {
    ready_at: u64,
}

/// What happened in a step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Records that arrived, by partition.
    pub arrived: Vec<f64>,
    /// Records that were processed, by worker.
    pub processed: Vec<f64>,
    /// CPU seconds, by worker.
    pub cpu_seconds: Vec<f64>,
    /// Records that wait after it.
    pub waiting: f64,
}

impl Cluster {
    /// Workers that are enough for the first hour at 70 % use, all of which read.
    pub fn new(trace: Trace) -> Cluster {
        let seconds = (0..3600).step_by(STEP as usize);
        let arrival = seconds.clone().map(|time| trace.arrival(time)).sum::<f64>() / seconds.count() as f64;
        let replicas = (arrival * COST / 0.7 * 1000.0 / f64::from(WORKER_CPU)).ceil().max(1.0) as u32;
        Cluster {
            trace,
            time: 0,
            size: Size { replicas, cpu: WORKER_CPU },
            node_cpu: None,
            refused_since: None,
            workers: vec![Worker { ready_at: 0 }; replicas as usize],
            waiting: vec![VecDeque::new(); PARTITIONS],
            paused_until: 0,
            ready: replicas as usize,
            steps: VecDeque::new(),
        }
    }

    /// Another size: CPU takes effect at once, a new worker when it has started.
    pub fn resize(&mut self, size: Size) {
        let ready_at = self.time + START;
        self.workers.resize(size.replicas as usize, Worker { ready_at });
        self.size = size;
        let is_refused = self.granted() < size.cpu;
        self.refused_since = self.refused_since.or(Some(self.time)).filter(|_| is_refused);
    }

    /// CPU that each worker has, in thousandths of a core.
    pub fn granted(&self) -> u32 {
        self.node_cpu.map_or(self.size.cpu, |most| most.min(self.size.cpu))
    }

    /// Since when workers wait for CPU that no node gives them, in seconds since the start.
    pub fn refused_since(&self) -> Option<u64> {
        self.refused_since
    }

    /// Another size, by a restart of everything.
    pub fn restart(&mut self, size: Size) {
        self.workers.clear();
        self.resize(size);
    }

    /// Workers that read.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Since when partitions have had their owner, in seconds.
    pub fn settled(&self) -> u64 {
        self.time.saturating_sub(self.paused_until)
    }

    /// The worker that owns a partition.
    pub fn owner(&self, partition: usize) -> Option<usize> {
        partition.checked_rem(self.ready)
    }

    /// Records of a partition that wait.
    pub fn backlog(&self, partition: usize) -> f64 {
        self.waiting[partition].iter().map(|(_, records)| records).sum()
    }

    /// Age of the oldest record that waits, in seconds.
    pub fn lag(&self) -> f64 {
        let oldest = self.waiting.iter().filter_map(|queue| queue.front()).map(|(time, _)| *time).min();
        oldest.map_or(0.0, |time| (self.time - time) as f64)
    }

    /// Goes on by a step.
    pub fn step(&mut self) {
        let trouble = self.trace.trouble(self.time);
        let ready = self.workers.iter().filter(|worker| worker.ready_at <= self.time).count();
        if ready != self.ready {
            self.ready = ready;
            self.paused_until = self.time + MOVE;
        }
        let mut step = Step {
            arrived: self.arrive(),
            processed: vec![0.0; ready],
            cpu_seconds: vec![IDLE * STEP as f64; ready],
            waiting: 0.0,
        };
        if trouble == Trouble::None && self.time >= self.paused_until {
            for worker in 0..ready {
                let cost = COST * self.trace.slowness(self.time, worker);
                let able = (f64::from(self.granted()) / 1000.0 - IDLE).max(0.0) * STEP as f64 / cost;
                step.processed[worker] = self.process(worker, able);
                step.cpu_seconds[worker] += step.processed[worker] * cost;
            }
        }
        step.waiting = (0..PARTITIONS).map(|partition| self.backlog(partition)).sum();
        self.steps.push_back(step);
        if self.steps.len() > REMEMBERED {
            self.steps.pop_front();
        }
        self.time += STEP;
    }

    fn arrive(&mut self) -> Vec<f64> {
        let (rate, parts) = (self.trace.arrival(self.time), self.trace.parts(self.time));
        let arrived: Vec<f64> = parts.iter().map(|part| rate * part * STEP as f64).collect();
        for (queue, records) in self.waiting.iter_mut().zip(&arrived) {
            if *records > 0.0 {
                queue.push_back((self.time, *records));
            }
        }
        arrived
    }

    /// A worker takes from each of its partitions the same part of what waits there.
    fn process(&mut self, worker: usize, able: f64) -> f64 {
        let own: Vec<usize> = (0..PARTITIONS).filter(|partition| self.owner(*partition) == Some(worker)).collect();
        let waiting: f64 = own.iter().map(|partition| self.backlog(*partition)).sum();
        let part = if waiting > able { able / waiting } else { 1.0 };
        for partition in own {
            let mut left = self.backlog(partition) * part;
            let queue = &mut self.waiting[partition];
            while let Some((_, records)) = queue.front_mut() {
                if part < 1.0 && *records > left {
                    *records -= left;
                    break;
                }
                left -= *records;
                queue.pop_front();
            }
        }
        waiting * part
    }
}
