//! Whether the figures of the workers make a whole, and what they come to together.

use std::time::Duration;

use crate::decision::Hold;
use crate::facts::{Facts, HotPartition, Phase, StuckPartitions, Worker};
use crate::history::Cost;

/// Figures older than this are no basis: a worker is asked four times in it.
pub const STALE_AFTER: Duration = Duration::from_secs(60);

/// Fewer records than these say nothing about what a record costs.
const LEAST_RECORDS: u64 = 100;
/// A worker that uses less of its CPU pays more for waiting than for records. Its figures would call records dear,
/// and a burst after a quiet night would be given several times the CPU that it needs.
const LEAST_USED_PERCENT: f64 = 20.0;
/// Costs of workers differ by this much by chance.
const EVEN_COST: f64 = 1.15;
/// A worker that is slower than this has another trouble than its node.
const SLOWEST_COST: f64 = 4.0;

/// What is known of the whole stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    /// Records a second that arrive and can be processed.
    pub(crate) arrival: f64,
    /// Records that wait and can be processed.
    pub(crate) backlog: f64,
    /// Partitions of the topic that can have work.
    pub(crate) partitions: u32,
    /// Those that can't.
    pub(crate) stuck: StuckPartitions,
    /// The partition with most work.
    pub(crate) hottest: Option<HotPartition>,
    /// What a record costs; None where nothing has ever been processed.
    pub(crate) cost: Option<Cost>,
    /// Records a second that are processed.
    pub(crate) throughput: f64,
    /// Share of their CPU that the workers used, in percent.
    pub(crate) used_percent: f64,
    /// Share of the time that the worker which waits most waited for the store, in percent.
    pub(crate) waiting_percent: f64,
    /// Longest window of a worker.
    pub(crate) window: Duration,
}

/// The figures of all partitions, or why they are not known.
pub(crate) fn observe(facts: &Facts, remembered: Option<Cost>) -> Result<Observation, Hold> {
    if facts.workers.is_empty() {
        return Err(Hold::NoWorker);
    }
    let workers: Vec<&Worker> = facts.workers.iter().filter(|worker| takes_part(worker)).collect();
    for worker in &workers {
        check(worker)?;
    }
    if facts.partitions == 0 {
        return Err(Hold::PartitionsUnknown);
    }
    let owned: u64 = workers.iter().map(|worker| u64::from(worker.partitions)).sum();
    if owned != u64::from(facts.partitions) {
        return Err(Hold::PartitionsMissing { known: owned, partitions: facts.partitions });
    }
    let stuck = stuck(&workers);
    let (mut arrival, mut backlog, mut throughput) = (0.0, 0.0, 0.0);
    for worker in &workers {
        let arrives = rate(worker.arrival).ok_or_else(|| Hold::ArrivalUnknown { worker: worker.name.clone() })?;
        arrival += (arrives - rate(Some(worker.stuck.arrival)).unwrap_or(0.0)).max(0.0);
        backlog += worker.backlog.saturating_sub(worker.stuck.backlog) as f64;
        throughput += per_second(worker.records as f64, worker.window);
    }
    let cost = cost(&workers, remembered);
    let used_percent = used_percent(&workers);
    if cost.is_none() && arrival + backlog > 0.0 && !is_trickle(arrival, backlog, used_percent) {
        return Err(Hold::CostUnknown);
    }
    Ok(Observation {
        arrival,
        backlog,
        partitions: facts.partitions.saturating_sub(stuck.partitions),
        stuck,
        hottest: hottest(&workers, facts.limits.catch_up),
        cost,
        throughput,
        used_percent,
        waiting_percent: workers.iter().filter_map(|worker| rate(Some(worker.waiting_percent))).fold(0.0, f64::max),
        window: workers.iter().map(|worker| worker.window).max().unwrap_or_default(),
    })
}

/// Whether so little arrives that its cost will never be measured, and takes so little CPU that it need not be.
fn is_trickle(arrival: f64, backlog: f64, used_percent: f64) -> bool {
    let few = LEAST_RECORDS as f64;
    arrival * STALE_AFTER.as_secs_f64() < few && backlog < few && used_percent < LEAST_USED_PERCENT
}

/// A worker that starts or leaves owns nothing that another one does not tell about.
fn takes_part(worker: &Worker) -> bool {
    match worker.phase {
        Phase::Starting | Phase::Draining => worker.partitions > 0,
        Phase::Ingesting | Phase::Held | Phase::SourceUnavailable | Phase::StoreUnavailable => true,
    }
}

fn check(worker: &Worker) -> Result<(), Hold> {
    let name = || worker.name.clone();
    match worker.age {
        None => return Err(Hold::NoFigures { worker: name() }),
        Some(age) if age > STALE_AFTER => return Err(Hold::Stale { worker: name(), age }),
        Some(_) => {}
    }
    match worker.phase {
        Phase::Ingesting => Ok(()),
        Phase::Starting | Phase::Draining => Err(Hold::Moving { worker: name() }),
        Phase::Held => Err(Hold::Held { worker: name() }),
        Phase::SourceUnavailable => Err(Hold::SourceUnavailable { worker: name() }),
        Phase::StoreUnavailable => Err(Hold::StoreUnavailable { worker: name() }),
    }
}

fn stuck(workers: &[&Worker]) -> StuckPartitions {
    workers.iter().fold(StuckPartitions::default(), |sum, worker| StuckPartitions {
        partitions: sum.partitions.saturating_add(worker.stuck.partitions),
        arrival: sum.arrival + rate(Some(worker.stuck.arrival)).unwrap_or(0.0),
        backlog: sum.backlog.saturating_add(worker.stuck.backlog),
    })
}

fn hottest(workers: &[&Worker], catch_up: Duration) -> Option<HotPartition> {
    let work = |hot: &HotPartition| {
        rate(Some(hot.arrival)).unwrap_or(0.0) + per_second(hot.backlog as f64, catch_up.max(Duration::from_secs(1)))
    };
    workers.iter().filter_map(|worker| worker.hottest).max_by(|a, b| work(a).total_cmp(&work(b)))
}

/// CPU seconds of a record, from the workers that had enough to do, else what was known before, else what there is.
fn cost(workers: &[&Worker], remembered: Option<Cost>) -> Option<Cost> {
    let measured: Vec<&&Worker> = workers.iter().filter(|worker| seconds_per_record(worker).is_some()).collect();
    let busy: Vec<&&Worker> =
        measured.iter().filter(|worker| used_percent(&[**worker]) >= LEAST_USED_PERCENT).copied().collect();
    match (busy.is_empty(), remembered) {
        (false, _) => average(&busy),
        (true, Some(Cost { seconds, slowest })) if seconds.is_finite() && seconds > 0.0 => {
            Some(Cost { seconds, slowest: if slowest.is_finite() { slowest.clamp(1.0, SLOWEST_COST) } else { 1.0 } })
        }
        (true, _) => average(&measured),
    }
}

fn average(workers: &[&&Worker]) -> Option<Cost> {
    let records: f64 = workers.iter().map(|worker| worker.records as f64).sum();
    let seconds = workers.iter().map(|worker| worker.cpu_seconds).sum::<f64>() / records;
    let highest = workers.iter().filter_map(|worker| seconds_per_record(worker)).fold(0.0, f64::max);
    let slowest = (highest / seconds).min(SLOWEST_COST);
    let slowest = if slowest > EVEN_COST { slowest } else { 1.0 };
    (seconds.is_finite() && seconds > 0.0).then_some(Cost { seconds, slowest })
}

fn seconds_per_record(worker: &Worker) -> Option<f64> {
    let seconds = rate(Some(worker.cpu_seconds))? / worker.records as f64;
    (worker.records >= LEAST_RECORDS && seconds > 0.0 && seconds.is_finite()).then_some(seconds)
}

fn used_percent(workers: &[&Worker]) -> f64 {
    let (mut used, mut given) = (0.0, 0.0);
    for worker in workers {
        used += rate(Some(worker.cpu_seconds)).unwrap_or(0.0);
        given += worker.window.as_secs_f64() * f64::from(worker.cpu) / 1000.0;
    }
    if given > 0.0 { 100.0 * used / given } else { 0.0 }
}

/// What is a number that can be counted with.
fn rate(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value >= 0.0)
}

fn per_second(amount: f64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}
