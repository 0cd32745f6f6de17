//! What the cluster and the workers say, as facts of the decision. Pure.

use gristmill_crds::plan::ScalingPlan;
use gristmill_sizing::{Facts, Limits, Obstacle, ObstacleKind, Phase, Size, Worker};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::DeploymentCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::super::observe::{self, Answer, Observed};
use super::super::pod_cpu;
use super::super::ready::deployment_condition;
use super::Refusal;
use crate::admission::is_by_quota;
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
        limits: Limits::of_plan(scaling),
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

/// What keeps an earlier decision from being carried out: a quota, a node, or somebody else.
pub fn obstacles(
    observed: &Observed,
    refused: Option<&Refusal>,
    less_refused: Option<&Refusal>,
    scaler: Option<&str>,
) -> Vec<Obstacle> {
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
        refused.map(|refused| at(ObstacleKind::ResizeRefused(refused.by()), refused.since)),
        less_refused
            .map(|refused| at(ObstacleKind::LessCpuRefused { by: refused.by(), kept: refused.cpu }, refused.since)),
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
    let cpu = pod_cpu::granted(&worker.pod).unwrap_or(0);
    let name = worker.pod.name_any();
    match (&worker.state, &worker.answer) {
        (_, Answer::Report(report)) => Worker::of_report(name, report, cpu),
        // It may own partitions that nobody else tells of.
        (PodState::Running { .. }, Answer::Silence(_) | Answer::NotAsked) => {
            Worker::silent(name, Phase::Ingesting, cpu)
        }
        // No process runs, so it owns nothing.
        (
            PodState::Coming(_) | PodState::Unexplained(_) | PodState::Failing(_) | PodState::Ended,
            Answer::Silence(_) | Answer::NotAsked,
        ) => Worker::silent(name, Phase::Starting, cpu),
    }
}
