//! A day of a stream in a second: traces, a model of workers, and the policies that size them.
//!
//! ```text
//! trace ──> cluster ──> figures ──> policy ──> size ──> cluster
//!                          └──> measures ──> table, plots, expectations
//! ```
//!
//! Time is virtual and randomness seeded: a run gives the same figures each time.
//!
//! What is assumed, of all policies alike: 12 partitions; 0.31 ms of CPU a record, and 5m of CPU for a worker that
//! does nothing; a worker uses no more CPU than it is given; a new worker is ready after 30 s; when partitions move
//! nothing is read for 5 s; at most 12 workers and 6 cores; all begin with as many workers of 500m as the first hour
//! needs at 70 % use.

#![forbid(unsafe_code)]

pub mod cluster;
pub mod expectation;
pub mod measure;
pub mod plot;
pub mod policy;
pub mod table;
pub mod trace;

/// CPU seconds of a record.
pub const COST: f64 = 0.000_31;
/// CPU of a worker that does nothing, in cores.
pub const IDLE: f64 = 0.005;
/// Partitions of the topic.
pub const PARTITIONS: usize = 12;
/// Most workers.
pub const MAX_REPLICAS: u32 = 12;
/// Most CPU of all workers, in thousandths of a core.
pub const MAX_CPU: u32 = 6000;
/// CPU of a worker to begin with, and always where a policy does not decide about CPU.
pub const WORKER_CPU: u32 = 500;
/// Age of the oldest record that waits, in seconds, which a policy is to stay below: Flink's default of
/// `job.autoscaler.backlog-processing.lag-threshold`.
pub const LAG_TARGET: f64 = 300.0;
/// Time of a step of the model, in seconds.
pub const STEP: u64 = 5;
