//! What the cluster and the workers say, as facts of the decision. Pure.

use std::time::Duration;

use gristmill_crds::ScalingMode;
use gristmill_crds::plan::ScalingPlan;
use gristmill_crds::report::{IngestPhase, IngestReport, WorkReport};
use gristmill_sizing::{
    Facts, HotPartition, Limits, Mode, Obstacle, ObstacleKind, Phase, Size, StuckPartitions, Worker,
};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::DeploymentCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::super::observe::{self, Answer, Observed};
use super::super::pod_cpu;
use super::super::ready::{deployment_condition, is_by_quota};
use super::Memory;
use crate::pod_state::PodState;

/// The facts of a moment; `running` is the size in effect, and `scaler` whoever else sets the replicas.
pub fn facts(
    scaling: &ScalingPlan,
    observed: &Observed,
    running: Size,
    obstacles: Vec<Obstacle>,
    (partitions, now): (Option<i32>, Timestamp),
) -> Facts {
    let told = observed.workers.iter().filter_map(observe::Worker::report).map(|report| report.partitions).max();
    let partitions = told.into_iter().chain(partitions).find(|partitions| *partitions > 0);
    Facts {
        time: seconds(now),
        limits: limits(scaling),
        partitions: partitions.and_then(|partitions| u32::try_from(partitions).ok()).unwrap_or(0),
        workers: observed.workers.iter().map(worker).collect(),
        obstacles,
        running,
    }
}

/// Seconds since 1970.
pub fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or(0)
}

/// What the document allows.
pub fn limits(scaling: &ScalingPlan) -> Limits {
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

/// What keeps an earlier decision from being carried out: a quota, a node, or somebody else.
pub fn obstacles(observed: &Observed, memory: &Memory, scaler: Option<&str>) -> Vec<Obstacle> {
    let since = |time: Option<&Time>| time.map_or(0, |time| seconds(time.0));
    let at = |kind: ObstacleKind, since: u64| Obstacle { kind, since };
    let pods = || observed.workers.iter().map(|worker| worker.pod.as_ref());
    let conditions = |wanted: &'static str, status: &'static str| {
        pods()
            .flat_map(|pod| pod.status.iter().flat_map(|status| status.conditions.iter().flatten()))
            .filter(move |condition| condition.type_ == wanted && condition.status == status)
            .map(|condition| since(condition.last_transition_time.as_ref()))
            .min()
    };
    let refused_pod = deployment_condition(observed, "ReplicaFailure").filter(|failure| is_refused_by_quota(failure));
    let found = [
        scaler.map(|scaler| at(ObstacleKind::ForeignOwner(scaler.to_owned()), 0)),
        memory.refused.as_ref().map(|refused| at(ObstacleKind::ResizeOverQuota, refused.since)),
        conditions("PodResizePending", "True").map(|since| at(ObstacleKind::ResizeNodeFull, since)),
        refused_pod.map(|failure| at(ObstacleKind::PodOverQuota, since(failure.last_transition_time.as_ref()))),
        conditions("PodScheduled", "False").map(|since| at(ObstacleKind::PodUnschedulable, since)),
    ];
    found.into_iter().flatten().collect()
}

fn is_refused_by_quota(failure: &DeploymentCondition) -> bool {
    failure.status == "True" && failure.message.as_deref().is_some_and(is_by_quota)
}

fn worker(worker: &observe::Worker) -> Worker {
    let silent = Worker {
        name: worker.pod.name_any(),
        age: None,
        phase: Phase::Starting,
        window: Duration::ZERO,
        cpu_seconds: 0.0,
        records: 0,
        cpu: pod_cpu::granted(&worker.pod).unwrap_or(0),
        partitions: 0,
        arrival: None,
        backlog: 0,
        stuck: StuckPartitions::default(),
        hottest: None,
        waiting_percent: 0.0,
    };
    match (&worker.state, &worker.answer) {
        (_, Answer::Report(report)) => reporting(silent, report),
        // It may own partitions that nobody else tells of.
        (PodState::Running { .. }, Answer::Silence(_) | Answer::NotAsked) => {
            Worker { phase: Phase::Ingesting, ..silent }
        }
        // No process runs, so it owns nothing.
        (PodState::Coming(_) | PodState::Failing(_) | PodState::Ended, Answer::Silence(_) | Answer::NotAsked) => silent,
    }
}

/// A worker whose answer is of this moment.
fn reporting(silent: Worker, report: &IngestReport) -> Worker {
    let phase = match report.phase {
        // It stays out of the group and owns nothing, like a worker that starts. If all of them do, the partitions that
        // are told of are too few, which holds the size; why they stay out is what Ready says.
        IngestPhase::Starting | IngestPhase::GroupShared => Phase::Starting,
        IngestPhase::Ingesting => Phase::Ingesting,
        IngestPhase::Held => Phase::Held,
        IngestPhase::SourceUnavailable => Phase::SourceUnavailable,
        IngestPhase::StoreUnavailable => Phase::StoreUnavailable,
        IngestPhase::Draining => Phase::Draining,
    };
    let Some(work) = &report.work else { return Worker { phase, ..silent } };
    let Ok(window) = Duration::try_from_secs_f64(work.window_seconds) else { return Worker { phase, ..silent } };
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
    } = work.clone();
    Worker {
        // The worker was asked a moment ago.
        age: Some(Duration::ZERO),
        phase,
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
