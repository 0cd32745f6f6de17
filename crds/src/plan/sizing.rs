//! The size of a run: what the document says of it.

use std::time::Duration;

use super::pod::check_cpu;
use super::{Problems, within};
use crate::hourly_compaction::Sizing;
use crate::scalar::Quantity;
use crate::scaling::ScalingMode;

/// Default time in which a run is to end.
const DEFAULT_TARGET_DURATION: Duration = Duration::from_secs(300);
/// Default CPU of a pod at the most.
const DEFAULT_MAX_CPU: &str = "4";
/// Default memory of a pod at the most.
const DEFAULT_MAX_MEMORY: u64 = 8 << 30;
/// Default local disk of a run at the most.
const DEFAULT_MAX_SPILL: u64 = 20 << 30;

/// How large a run may be, and who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizingPlan {
    /// Who decides.
    pub mode: ScalingMode,
    /// Time in which a run is to end.
    pub target_duration: Duration,
    /// CPU of a pod at the most.
    pub max_cpu: Quantity,
    /// Memory of a pod at the most, in bytes.
    pub max_memory: u64,
    /// Local disk of a run at the most, in bytes.
    pub max_spill: u64,
    /// Pods that may share a run.
    pub max_parallelism: u32,
}

impl SizingPlan {
    pub(super) fn read(at: &str, sizing: Option<&Sizing>, problems: &mut Problems) -> Self {
        // No `..`: a new field must be given a meaning here.
        let Sizing { mode, target_duration, max_cpu_per_pod, max_memory_per_pod, max_spill_per_pod, max_parallelism } =
            sizing.cloned().unwrap_or_default();
        let durations = Duration::from_secs(10)..=Duration::from_secs(24 * 3600);
        let duration = target_duration.map(|duration| duration.to_duration());
        let duration = within(&format!("{at}.targetDuration"), duration, durations, "10s to 24h", problems);
        if let Some(cpu) = &max_cpu_per_pod {
            check_cpu(&format!("{at}.maxCpuPerPod"), cpu, problems);
        }
        let memory = max_memory_per_pod.map(|memory| memory.to_bytes());
        // Below it a process has no room for one open file, as with pod.memory.
        let memory = within(&format!("{at}.maxMemoryPerPod"), memory, 128 << 20..=64 << 40, "128Mi to 64Ti", problems);
        let spill = max_spill_per_pod.map(|spill| spill.to_bytes());
        let spill = within(&format!("{at}.maxSpillPerPod"), spill, 64 << 20..=16 << 40, "64Mi to 16Ti", problems);
        let pods = max_parallelism.unwrap_or(1);
        let valid_pods = u32::try_from(pods).ok().filter(|pods| (1..=256).contains(pods));
        if valid_pods.is_none() {
            problems.add(format!("{at}.maxParallelism"), format!("{pods} is outside 1 to 256"));
        }
        Self {
            mode: mode.unwrap_or_default(),
            target_duration: duration.unwrap_or(DEFAULT_TARGET_DURATION),
            max_cpu: max_cpu_per_pod.unwrap_or_else(|| Quantity(DEFAULT_MAX_CPU.into())),
            max_memory: memory.unwrap_or(DEFAULT_MAX_MEMORY),
            max_spill: spill.unwrap_or(DEFAULT_MAX_SPILL),
            max_parallelism: valid_pods.unwrap_or(1),
        }
    }
}
