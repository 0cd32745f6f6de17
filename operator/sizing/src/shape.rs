//! Which workers meet a need: how many, with how much CPU, and what keeps them from being enough.

use crate::decision::Reason;
use crate::demand::fullest;
use crate::facts::{Limits, Size};
use crate::history::Need;

/// CPU is given in steps, so that a small change of the load is none of the size.
pub(crate) const CPU_STEP: u32 = 50;

/// The size for a need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Workers and their CPU.
    pub(crate) size: Size,
    /// What keeps it below what is needed, or above it.
    pub(crate) limit: Option<Reason>,
}

/// The fewest workers of which the fullest needs no more CPU than one may have, and as much CPU as it needs.
///
/// CPU comes before workers, since it is given to a worker in place: no partition moves.
pub(crate) fn shape(need: Need, partitions: u32, limits: &Limits) -> Shape {
    let most = limits.max_replicas.min(partitions.max(1)).max(1);
    // More workers than partitions do nothing, whatever the document asks for.
    let least = limits.min_replicas.min(most);
    let fits = |replicas: u32| fullest(need, partitions, replicas) <= f64::from(most_cpu(replicas, limits));
    if let Some(replicas) = (least..=most).find(|replicas| fits(*replicas)) {
        let size = Size { replicas, cpu: in_steps(fullest(need, partitions, replicas), most_cpu(replicas, limits)) };
        let is_more_than_needed = least > 1 && (1..least).any(fits);
        return Shape { size, limit: is_more_than_needed.then_some(Reason::MinReplicas) };
    }
    // Nothing fits. The size that comes nearest: the fewest workers of which the fullest lacks least. What differs by
    // rounding only is alike, else a little more work could take a worker away.
    let has = |replicas: u32| f64::from(most_cpu(replicas, limits)) / fullest(need, partitions, replicas).max(1e-9);
    let best = (least..=most).map(has).fold(0.0, f64::max);
    let replicas = (least..=most).find(|replicas| has(*replicas) >= best * (1.0 - 1e-9)).unwrap_or(least);
    let size = Size { replicas, cpu: most_cpu(replicas, limits) };
    Shape { size, limit: Some(why_not_enough(need, partitions, replicas, most, limits)) }
}

fn why_not_enough(need: Need, partitions: u32, replicas: u32, most: u32, limits: &Limits) -> Reason {
    let is_too_hot = need.hottest * need.slowest > f64::from(limits.max_cpu_per_worker);
    let is_hotter = need.hottest > 1.5 * need.total / f64::from(partitions.max(1));
    if is_too_hot && is_hotter {
        Reason::SkewedPartition
    } else if most_cpu(replicas, limits) < limits.max_cpu_per_worker {
        Reason::MaxCpu
    } else if most == partitions && partitions <= limits.max_replicas {
        Reason::PartitionCount
    } else {
        Reason::MaxReplicas
    }
}

/// CPU that each of so many workers may have.
pub(crate) fn most_cpu(replicas: u32, limits: &Limits) -> u32 {
    let share = limits.max_cpu.map_or(u32::MAX, |cpu| cpu / replicas.max(1));
    limits.max_cpu_per_worker.min(share).max(1)
}

/// Rounded up to a step, one at the least; the most that is allowed need not be a whole number of steps.
fn in_steps(cpu: f64, most: u32) -> u32 {
    // What is above a step by rounding only is not meant.
    let steps = (cpu / f64::from(CPU_STEP) - 1e-9).ceil().clamp(1.0, f64::from(u32::MAX / CPU_STEP));
    (steps as u32 * CPU_STEP).min(most)
}

/// A size within what the document and the topic allow, whatever is known of the load.
pub(crate) fn bounded(size: Size, partitions: u32, limits: &Limits) -> Size {
    let most = if partitions == 0 { limits.max_replicas } else { limits.max_replicas.min(partitions) };
    let replicas = size.replicas.clamp(limits.min_replicas.min(most), most);
    Size { replicas, cpu: size.cpu.clamp(1, most_cpu(replicas, limits)) }
}
