//! What a stream needs: `(arrival + backlog / catchUpDuration) x CPU seconds of a record / utilization`.
//!
//! The rate that a core is capable of is taken from CPU seconds, not from how fast records went by: a worker that
//! waits looks slow and is not (DS2: Kalavri et al., Three steps is all you need, OSDI 2018).

use crate::facts::{HotPartition, Limits, Size};
use crate::history::Need;
use crate::observation::Observation;

/// More thousandths of a core than any cluster has; sums beyond it are not told apart.
const MOST: f64 = 1e9;

/// What an observation comes to.
pub(crate) fn need(observation: &Observation, limits: &Limits) -> Need {
    let Some(cost) = observation.cost else { return Need { total: 0.0, hottest: 0.0, slowest: 1.0 } };
    let per_rate = 1000.0 * cost.seconds * 100.0 / f64::from(limits.target_utilization_percent);
    let catch_up = limits.catch_up.as_secs_f64();
    let total = at_most(MOST, (observation.arrival + observation.backlog / catch_up) * per_rate);
    let hottest = observation.hottest.map_or(0.0, |HotPartition { partition: _, arrival, backlog }| {
        at_most(total, (arrival + backlog as f64 / catch_up) * per_rate)
    });
    Need { total, hottest, slowest: at_most(10.0, cost.slowest).max(1.0) }
}

/// What the fullest of so many workers needs: the hottest partition, and as many of the others as it has beside it.
///
/// Kafka gives each worker as many partitions as the next, give or take one, and does not look at their work.
pub(crate) fn fullest(need: Need, partitions: u32, replicas: u32) -> f64 {
    let partitions = partitions.max(1);
    let owned = partitions.div_ceil(replicas.max(1));
    let hottest = need.hottest.max(need.total / f64::from(partitions));
    let others = if partitions > 1 {
        f64::from(owned - 1) * (need.total - hottest).max(0.0) / f64::from(partitions - 1)
    } else {
        0.0
    };
    (hottest + others) * need.slowest
}

/// Need that a size is just enough for, if work is spread as it is now.
pub(crate) fn capacity(size: Size, need: Need, partitions: u32) -> f64 {
    let fullest = fullest(need, partitions, size.replicas);
    if size.replicas == 0 {
        0.0
    } else if fullest > 0.0 && need.total > 0.0 {
        f64::from(size.cpu) * need.total / fullest
    } else {
        size.total() as f64
    }
}

/// A number that is not above a bound; not a number is the bound, since then nothing is known to be enough.
fn at_most(bound: f64, value: f64) -> f64 {
    if value.is_nan() { bound } else { value.clamp(0.0, bound) }
}
