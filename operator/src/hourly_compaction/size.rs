//! The size of the next run: from what the status tells of the last ones to the facts of the decision, and back. Pure.
//!
//! Nothing here follows the clock while nothing happens: the facts change when a run ends, a start is missed or the spec
//! changes. A run that is under way is none of them: it keeps the template that it began with, and until it tells something
//! the one after it is sized by what was known when it began.

use std::time::Duration;

use gristmill_crds::plan::{CompactionPlan, SizingPlan};
use gristmill_crds::{CompactionSizing, HourlyCompactionStatus, PodOptions, Quantity, Run, RunTrigger, ScalingMode};
use gristmill_sizing::Mode;
use gristmill_sizing::compaction::{
    self as sizing, CompactionDecision, CompactionFacts, MemoryRefused, PastRun, PodSize,
};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::CronJob;
use kube::ResourceExt;

use super::build::DEFAULT_MEMORY;
use super::endings::{self, Ending, trigger};
use super::observe::Observed;
use super::status::{is_after_last_success, last_success};
use crate::labels;
use crate::pod::{CONTAINER, DEFAULT_CPU};
use crate::quantity;

/// What the template of a run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSize {
    /// CPU of each pod.
    pub cpu: Quantity,
    /// Memory of each pod.
    pub memory: Quantity,
    /// Pods that share the run.
    pub parallelism: u32,
}

impl RunSize {
    /// What the document says: one pod.
    pub fn of_document(options: Option<&PodOptions>) -> Self {
        let written = |value: fn(&PodOptions) -> Option<&Quantity>, default: &str| {
            options.and_then(value).cloned().unwrap_or_else(|| Quantity(default.to_owned()))
        };
        Self {
            cpu: written(|options| options.cpu.as_ref(), DEFAULT_CPU),
            memory: written(|options| options.memory.as_ref(), DEFAULT_MEMORY),
            parallelism: 1,
        }
    }

    /// What the runs of a CronJob have; none if it does not read.
    pub fn of_template(cron_job: &CronJob) -> Option<Self> {
        let job = cron_job.spec.as_ref()?.job_template.spec.as_ref()?;
        let containers = &job.template.spec.as_ref()?.containers;
        let ours = containers.iter().find(|container| container.name == CONTAINER)?;
        let requests = ours.resources.as_ref()?.requests.as_ref()?;
        let asked = |name: &str| Some(Quantity(requests.get(name)?.0.clone()));
        let parallelism = job.completions.map_or(Some(1), |pods| u32::try_from(pods).ok())?;
        Some(Self { cpu: asked("cpu")?, memory: asked("memory")?, parallelism })
    }

    /// The size that a status tells; none if it does not read.
    fn of_status(CompactionSizing { cpu, memory, parallelism, .. }: &CompactionSizing) -> Option<Self> {
        let parallelism = u32::try_from(*parallelism).ok().filter(|pods| *pods > 0)?;
        let (cpu, memory) = (Quantity(cpu.clone()), Quantity(memory.clone()));
        (cpu.to_millicores().is_ok() && memory.to_bytes().is_ok()).then_some(Self { cpu, memory, parallelism })
    }

    /// The same in the words in which the API server stores it.
    fn as_stored(&self) -> Self {
        let (cpu, memory) = (quantity::cpu(&self.cpu).0, quantity::memory(&self.memory).0);
        Self { cpu: Quantity(cpu), memory: Quantity(memory), parallelism: self.parallelism }
    }

    fn to_decided(&self) -> sizing::RunSize {
        let pod = PodSize { cpu: millicores(&self.cpu), memory: bytes(&self.memory) };
        sizing::RunSize { pod, parallelism: self.parallelism }
    }
}

/// What was decided of the next run.
#[derive(Debug, Clone, PartialEq)]
pub struct NextSize {
    /// What its template has.
    pub template: RunSize,
    /// What the status tells; none in mode Manual.
    pub status: Option<CompactionSizing>,
}

/// What there is to decide by.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// What the resource says.
    pub plan: &'a CompactionPlan,
    /// What it says of its pods.
    pub options: Option<&'a PodOptions>,
    /// The status with all that the endings tell.
    pub told: &'a HourlyCompactionStatus,
    /// What the cluster holds.
    pub observed: &'a Observed,
    /// How runs ended, oldest first.
    pub endings: &'a [Ending],
    /// Now.
    pub now: Timestamp,
}

/// Decides the size of the next run.
pub fn decide(seen: &Seen<'_>) -> NextSize {
    let Seen { plan, options, told, endings, .. } = *seen;
    let document = RunSize::of_document(options);
    if plan.sizing.mode == ScalingMode::Manual {
        return NextSize { template: document.as_stored(), status: None };
    }
    let least = least_memory(told, endings);
    let facts = facts(plan, &document, told, least, start_of_next(seen));
    let decision = sizing::decide(&facts);
    let size = size_of(&decision);
    let status = CompactionSizing {
        cpu: size.cpu.0.clone(),
        memory: size.memory.0.clone(),
        parallelism: i32::try_from(size.parallelism).unwrap_or(i32::MAX),
        least_memory: least.map(|bytes| stored_bytes(bytes).0),
        details: decision.explanation(&facts).trim_end().to_owned(),
        explanation: decision.sentence,
    };
    let template = if plan.sizing.mode == ScalingMode::Auto { size.as_stored() } else { document.as_stored() };
    NextSize { template, status: Some(status) }
}

fn size_of(CompactionDecision { pod, parallelism, .. }: &CompactionDecision) -> RunSize {
    let cpu = Quantity(quantity::of_millicores(pod.cpu).0);
    RunSize { cpu, memory: stored_bytes(pod.memory), parallelism: *parallelism }
}

fn facts(
    plan: &CompactionPlan,
    document: &RunSize,
    told: &HourlyCompactionStatus,
    least_memory: Option<u64>,
    start: Option<Timestamp>,
) -> CompactionFacts {
    let SizingPlan { mode, target_duration, max_cpu, max_memory, max_spill: _, max_parallelism } = &plan.sizing;
    // The backlog is that of the end of the last good run: what comes after it is part of the growth.
    let seen = told.last_successful_time.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
    let until_start = seen.zip(start).map(|(seen, start)| between(seen, start)).unwrap_or_default();
    let backlog = told.source.as_ref().and_then(|source| source.backlog_bytes.as_ref()?.parse().ok());
    CompactionFacts {
        mode: match mode {
            ScalingMode::Manual => Mode::Manual,
            ScalingMode::Advise => Mode::Advise,
            ScalingMode::Auto => Mode::Auto,
        },
        target: *target_duration,
        max_cpu: millicores(max_cpu),
        max_memory: *max_memory,
        max_parallelism: (*max_parallelism).min(most_pods(&plan.name)),
        buckets: plan.buckets,
        document: document.to_decided().pod,
        backlog_bytes: backlog.unwrap_or(0),
        growth: growth(&told.runs),
        until_start,
        runs: told.runs.iter().filter_map(past_run).collect(),
        memory_refused: least_memory.map(MemoryRefused::Needs),
        current: told.sizing.as_ref().and_then(RunSize::of_status).map(|size| size.to_decided()),
    }
}

/// When the next run starts: after the last start or end that is known, unless that one was missed.
///
/// Of a run that is under way neither its start nor its failed attempts count: the next one would look an hour further away
/// as soon as it begins.
fn start_of_next(Seen { plan, told, observed, endings, now, .. }: &Seen<'_>) -> Option<Timestamp> {
    let cron_job = observed.cron_job.as_ref().and_then(|cron_job| cron_job.status.as_ref());
    let scheduled = cron_job.and_then(|status| status.last_schedule_time.as_ref()).map(|time| time.0);
    let active = observed.active.as_ref().map(|active| active.job.as_ref());
    let succeeded = last_success(told);
    let is_over = |ending: &&Ending| active.is_none_or(|job| job.name_any() != ending.job);
    let ended = endings.iter().filter(is_over).map(|ending| ending.time).max();
    let last = [scheduled.filter(|_| active.is_none()), succeeded, ended].into_iter().flatten().max()?;
    let after = |moment: Timestamp| Timestamp::from_second(plan.next_start(moment.as_second())?).ok();
    let start = after(last)?;
    if let Some(job) = active {
        // It may have begun long after the last one: that start was missed before.
        let began = match trigger(job) {
            RunTrigger::Schedule => endings::scheduled(job).or(scheduled),
            RunTrigger::Manual => job.creation_timestamp().map(|time| time.0),
        };
        return began.map_or(Some(start), |began| Some(start.max(began)));
    }
    let is_missed = between(start, *now) > plan.starting_deadline;
    if is_missed { after(*now) } else { Some(start) }
}

/// The memory without which runs have ended: what the status remembers, and what has failed since the last good run.
fn least_memory(told: &HourlyCompactionStatus, endings: &[Ending]) -> Option<u64> {
    let remembered = told.sizing.as_ref().and_then(|sizing| sizing.least_memory.clone());
    let remembered = remembered.and_then(|memory| Quantity(memory).to_bytes().ok());
    let since = endings.iter().filter(|ending| is_after_last_success(told, ending));
    let refused = since.filter_map(|ending| ending.memory_refused).map(MemoryRefused::least);
    // A text that a quantity can't hold would not be read again.
    refused.chain(remembered).max().map(|bytes| bytes.min(i64::MAX as u64))
}

/// Pods of a run at the most, by the length of their host names: 63 characters of the name of the Job and the index. A run
/// that somebody starts by hand has the longest name.
fn most_pods(name: &str) -> u32 {
    let room = 63usize.saturating_sub(labels::compaction_name(name).len() + "-now-12345-".len());
    10u32.checked_pow(u32::try_from(room).unwrap_or(u32::MAX)).unwrap_or(u32::MAX)
}

/// A run by which the next one can be sized: one over all buckets of which the cost is known.
fn past_run(run: &Run) -> Option<PastRun> {
    let cost = run.cost.as_ref().filter(|_| run.buckets.is_none())?;
    Some(PastRun {
        bytes: cost.delta_bytes.parse().ok()?,
        rows: u64::try_from(run.rows.read).ok()?,
        cpu_seconds: cost.cpu_milliseconds as f64 / 1000.0,
        duration: between(run.start_time.parse().ok()?, run.completion_time.parse().ok()?),
        cpu: run.cpu.as_ref().and_then(|cpu| Quantity(cpu.clone()).to_millicores().ok()).unwrap_or(0),
    })
}

/// Bytes a second by which RAW grows: what the newest runs have found, over the time from the start of the run before them.
fn growth(runs: &[Run]) -> f64 {
    let whole: Vec<(Timestamp, Option<PastRun>)> = runs
        .iter()
        .filter(|run| run.buckets.is_none())
        .filter_map(|run| Some((run.start_time.parse().ok()?, past_run(run))))
        .collect();
    // What the oldest one has found came before it, and of one that tells no bytes nobody knows.
    let pairs = whole.windows(2);
    let found: Vec<u64> = pairs.map_while(|pair| pair[0].1.as_ref().map(|run| run.bytes)).collect();
    let (Some((newest, _)), Some((since, _))) = (whole.first(), whole.get(found.len())) else { return 0.0 };
    let seconds = between(*since, *newest).as_secs_f64();
    if seconds > 0.0 { found.iter().map(|bytes| *bytes as f64).sum::<f64>() / seconds } else { 0.0 }
}

/// The time from one moment to a later one; nothing if it is earlier.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn millicores(cpu: &Quantity) -> u32 {
    cpu.to_millicores().expect("the plan accepted this amount")
}

/// Bytes of a size that a plan has accepted.
fn bytes(memory: &Quantity) -> u64 {
    memory.to_bytes().expect("the plan accepted this size")
}

fn stored_bytes(bytes: u64) -> Quantity {
    Quantity(quantity::memory(&Quantity(bytes.to_string())).0)
}

#[cfg(test)]
mod tests {
    use gristmill_crds::{RunBuckets, RunCost, RunFiles, RunResult, RunRows};
    use rstest::rstest;

    use super::*;

    /// A run at five past an hour that found so many bytes; none if it told no cost.
    fn run(hour: u32, bytes: Option<u64>) -> Run {
        Run {
            sequence: hour.into(),
            trigger: None,
            start_time: format!("2026-11-23T{hour:02}:05:00Z"),
            completion_time: format!("2026-11-23T{hour:02}:06:00Z"),
            result: RunResult::Succeeded,
            rows: RunRows::default(),
            files: RunFiles::default(),
            buckets: None,
            shards: None,
            cost: bytes.map(|bytes| RunCost { delta_bytes: bytes.to_string(), cpu_milliseconds: 1000 }),
            cpu: None,
        }
    }

    fn part(hour: u32) -> Run {
        Run { buckets: Some(RunBuckets { first: 0, last: 1 }), ..run(hour, Some(7200)) }
    }

    #[rstest]
    #[case::no_run(vec![], 0.0)]
    #[case::one_run(vec![run(5, Some(7200))], 0.0)]
    #[case::the_oldest_tells_its_start_alone(vec![run(6, Some(7200)), run(5, Some(1_000_000))], 2.0)]
    #[case::hours_without_a_run(vec![run(9, Some(14_400)), run(7, Some(14_400)), run(5, Some(1))], 2.0)]
    #[case::up_to_one_that_tells_no_cost(vec![run(7, Some(3600)), run(6, None), run(5, Some(1_000_000))], 1.0)]
    #[case::newest_without_cost(vec![run(6, None), run(5, Some(7200))], 0.0)]
    #[case::parts_of_runs(vec![run(7, Some(7200)), part(6), run(5, Some(1)), part(4)], 1.0)]
    fn growth_is_what_runs_found_over_the_time_between_them(#[case] runs: Vec<Run>, #[case] expected: f64) {
        assert!((growth(&runs) - expected).abs() < 1e-9, "{}", growth(&runs));
    }

    #[test]
    fn pods_of_a_long_name_are_as_many_as_their_host_names_allow() {
        assert_eq!(most_pods(&"a".repeat(40)), 10);
        assert_eq!(most_pods(&"a".repeat(39)), 100);
        assert_eq!(most_pods("books"), u32::MAX);
    }
}
