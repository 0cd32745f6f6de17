//! The size of a StreamIngest: what the document says of it.

use std::time::Duration;

use super::pod::check_cpu;
use super::{Problems, within};
use crate::network::{NetworkPolicyMode, NetworkPolicyOptions};
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
    /// Time in which a backlog is to be worked off.
    pub catch_up: Duration,
}

/// Default of `catchUpDuration`.
pub const DEFAULT_CATCH_UP: Duration = Duration::from_secs(30 * 60);

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
        for (field, cpu) in [("maxCpuPerWorker", max_cpu_per_worker), ("maxCpu", max_cpu)] {
            if let Some(cpu) = cpu {
                check_cpu(&format!("{at}.{field}"), &cpu, problems);
            }
        }
        let durations = Duration::from_secs(10)..=Duration::from_secs(24 * 3600);
        let catch_up = catch_up_duration.map(|duration| duration.to_duration());
        let catch_up = within(&format!("{at}.catchUpDuration"), catch_up, durations.clone(), "10s to 24h", problems);
        for (field, duration) in
            [("stabilizationInterval", stabilization_interval), ("scaleDownInterval", scale_down_interval)]
        {
            let duration = duration.map(|duration| duration.to_duration());
            within(&format!("{at}.{field}"), duration, durations.clone(), "10s to 24h", problems);
        }
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
            catch_up: catch_up.unwrap_or(DEFAULT_CATCH_UP),
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
