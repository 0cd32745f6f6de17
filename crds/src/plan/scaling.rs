//! The size of a StreamIngest: what the document says of it.

use std::time::Duration;

use super::pod::check_cpu;
use super::{Problems, within};
use crate::network::{NetworkPolicyMode, NetworkPolicyOptions};
use crate::scalar::{HumanDuration, Quantity};
use crate::scaling::{Scaling, ScalingMode};

/// How many workers there may be, and who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingPlan {
    /// Who decides.
    pub mode: ScalingMode,
    /// Workers that the document asks for, in Manual and Advise.
    pub replicas: Option<i32>,
    /// Fewest workers.
    pub min_replicas: i32,
    /// Most workers.
    pub max_replicas: i32,
    /// CPU of one worker at the most, in thousandths of a core.
    pub max_cpu_per_worker: u32,
    /// CPU of all workers at the most, in thousandths of a core.
    pub max_cpu: Option<u32>,
    /// Share of its CPU that a worker is to use.
    pub target_utilization_percent: u32,
    /// Time in which a backlog is to be worked off.
    pub catch_up: Duration,
    /// Time between two decisions that add.
    pub stabilization: Duration,
    /// Time for which less must be enough before anything is taken away.
    pub scale_down: Duration,
}

/// Default of `maxCpuPerWorker`, in thousandths of a core.
const DEFAULT_MAX_CPU_PER_WORKER: u32 = 2000;
/// Default of `targetUtilizationPercent`: the rest is for peaks.
const DEFAULT_TARGET_UTILIZATION: u32 = 70;
/// Default of `catchUpDuration`.
pub const DEFAULT_CATCH_UP: Duration = Duration::from_secs(30 * 60);
/// Default of `stabilizationInterval`: a worker that was added has joined and caught its breath by then.
const DEFAULT_STABILIZATION: Duration = Duration::from_secs(5 * 60);
/// Default of `scaleDownInterval`: it spans what comes back every hour.
const DEFAULT_SCALE_DOWN: Duration = Duration::from_secs(60 * 60);

impl ScalingPlan {
    /// Workers to begin with: what the document asks for, else the fewest.
    pub fn initial_replicas(&self) -> i32 {
        self.replicas.unwrap_or(self.min_replicas)
    }

    pub(super) fn read(at: &str, scaling: Option<&Scaling>, problems: &mut Problems) -> Self {
        let Scaling {
            mode,
            replicas,
            min_replicas,
            max_replicas,
            max_cpu_per_worker,
            max_cpu,
            target_utilization_percent,
            catch_up_duration,
            stabilization_interval,
            scale_down_interval,
        } = scaling.cloned().unwrap_or_default();
        let mode = mode.unwrap_or_default();
        if mode == ScalingMode::Auto && replicas.is_some() {
            problems.add(
                format!("{at}.replicas"),
                "is decided by the operator in mode Auto; remove it and set minReplicas and maxReplicas, or write mode: Manual",
            );
        }
        for (field, value, range) in [
            ("replicas", replicas, 0..=1000),
            ("minReplicas", min_replicas, 1..=1000),
            ("maxReplicas", max_replicas, 1..=1000),
            ("targetUtilizationPercent", target_utilization_percent, 10..=95),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                problems
                    .add(format!("{at}.{field}"), format!("{value} is outside {} to {}", range.start(), range.end()));
            }
        }
        let mut cpu = |field: &str, cpu: Option<Quantity>| {
            let cpu = cpu?;
            check_cpu(&format!("{at}.{field}"), &cpu, problems);
            cpu.to_millicores().ok()
        };
        let max_cpu_per_worker = cpu("maxCpuPerWorker", max_cpu_per_worker);
        let max_cpu = cpu("maxCpu", max_cpu);
        let mut duration = |field: &str, duration: Option<HumanDuration>, default| {
            let durations = Duration::from_secs(10)..=Duration::from_secs(24 * 3600);
            let duration = duration.map(|duration| duration.to_duration());
            within(&format!("{at}.{field}"), duration, durations, "10s to 24h", problems).unwrap_or(default)
        };
        let catch_up = duration("catchUpDuration", catch_up_duration, DEFAULT_CATCH_UP);
        let stabilization = duration("stabilizationInterval", stabilization_interval, DEFAULT_STABILIZATION);
        let scale_down = duration("scaleDownInterval", scale_down_interval, DEFAULT_SCALE_DOWN);
        let fewest = min_replicas.unwrap_or(1);
        let most = max_replicas.unwrap_or(fewest.max(10));
        if fewest > most {
            let message = format!("{fewest} is more than maxReplicas, {most}; lower it or raise maxReplicas");
            problems.add(format!("{at}.minReplicas"), message);
        }
        Self {
            mode,
            replicas,
            min_replicas: fewest,
            max_replicas: most,
            max_cpu_per_worker: max_cpu_per_worker.unwrap_or(DEFAULT_MAX_CPU_PER_WORKER),
            max_cpu,
            target_utilization_percent: target_utilization_percent
                .and_then(|percent| u32::try_from(percent).ok())
                .unwrap_or(DEFAULT_TARGET_UTILIZATION),
            catch_up,
            stabilization,
            scale_down,
        }
    }
}

pub(super) fn check_network(at: &str, policy: Option<&NetworkPolicyOptions>, problems: &mut Problems) {
    let Some(NetworkPolicyOptions { mode, metrics_from, egress }) = policy else { return };
    if *mode != NetworkPolicyMode::IngressAndEgress && !egress.is_empty() {
        let message = format!("is set, and mode is {mode:?}; write mode: IngressAndEgress or remove egress");
        problems.add(format!("{at}.egress"), message);
    }
    if *mode == NetworkPolicyMode::Disabled && !metrics_from.is_empty() {
        let message = "has no effect in mode Disabled; write mode: Ingress or remove metricsFrom";
        problems.add(format!("{at}.metricsFrom"), message);
    }
}
