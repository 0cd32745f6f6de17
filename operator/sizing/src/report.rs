//! What a document and a worker's report say, as limits and figures of a decision.

use std::time::Duration;

use gristmill_crds::ScalingMode;
use gristmill_crds::plan::ScalingPlan;
use gristmill_crds::report::{IngestPhase, IngestReport, WorkReport};

use crate::facts::{HotPartition, Limits, Mode, Phase, StuckPartitions, Worker};

impl Limits {
    /// What the document allows.
    pub fn of_plan(scaling: &ScalingPlan) -> Self {
        // No `..`: a new limit must reach the decision.
        let ScalingPlan {
            mode,
            replicas: _,
            min_replicas,
            max_replicas,
            max_cpu_per_worker,
            max_cpu,
            target_utilization_percent,
            catch_up,
            stabilization,
            scale_down,
        } = scaling.clone();
        let count = |replicas: i32| u32::try_from(replicas).unwrap_or(1);
        Limits {
            mode: match mode {
                ScalingMode::Manual => Mode::Manual,
                ScalingMode::Advise => Mode::Advise,
                ScalingMode::Auto => Mode::Auto,
            },
            min_replicas: count(min_replicas),
            max_replicas: count(max_replicas),
            max_cpu_per_worker,
            max_cpu,
            target_utilization_percent,
            catch_up,
            stabilization,
            scale_down,
        }
    }
}

impl Worker {
    /// A worker that was asked a moment ago.
    pub fn of_report(name: String, report: &IngestReport, cpu: u32) -> Self {
        let phase = match report.phase {
            // It stays out of the group and owns nothing, like a worker that starts. If all of them do, the partitions
            // that are told of are too few, which holds the size; why they stay out is what Ready says.
            IngestPhase::Starting | IngestPhase::GroupShared => Phase::Starting,
            IngestPhase::Ingesting => Phase::Ingesting,
            IngestPhase::Held => Phase::Held,
            IngestPhase::SourceUnavailable => Phase::SourceUnavailable,
            IngestPhase::StoreUnavailable => Phase::StoreUnavailable,
            IngestPhase::Draining => Phase::Draining,
        };
        let silent = Worker::silent(name, phase, cpu);
        let Some(work) = report.work.clone() else { return silent };
        // No `..`: a new figure must be given a meaning here.
        let WorkReport {
            window_seconds,
            cpu_seconds,
            records,
            bytes: _,
            decode_seconds: _,
            encode_seconds: _,
            commit_seconds: _,
            store_wait_seconds,
            decode_threads: _,
            partitions,
            arrival,
            backlog,
            stuck,
            hottest,
        } = work;
        let Ok(window) = Duration::try_from_secs_f64(window_seconds) else { return silent };
        Worker {
            age: Some(Duration::ZERO),
            window,
            cpu_seconds,
            records,
            partitions,
            arrival,
            backlog,
            stuck: StuckPartitions { partitions: stuck.partitions, arrival: stuck.arrival, backlog: stuck.backlog },
            hottest: hottest.map(|hot| HotPartition {
                partition: hot.partition,
                arrival: hot.arrival,
                backlog: hot.backlog,
            }),
            waiting_percent: if window_seconds > 0.0 { 100.0 * store_wait_seconds / window_seconds } else { 0.0 },
            ..silent
        }
    }
}
