//! What an HourlyCompaction's status says next. Pure.
//!
//! A run tells of itself once, in the termination message of its pod, or of each of its pods. The status keeps what it
//! said after they are gone.

use std::collections::BTreeMap;

use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::report::CompactionReport;
use gristmill_crds::{HourlyCompactionStatus, Run, ScalingMode};
use jiff::Timestamp;
use kube::ResourceExt;

use super::Compaction;
use super::conditions::conditions;
use super::endings::Ending;
use super::observe::Observed;
use super::size::RunSize;
use crate::condition;
use crate::error::Error;
use crate::quantity;

/// Runs that a status holds.
const RUNS: usize = 5;

/// The status with what runs told that have ended since it was written.
pub fn told(previous: &HourlyCompactionStatus, endings: &[Ending]) -> HourlyCompactionStatus {
    let mut status = previous.clone();
    for ending in endings {
        if let Ok(report) = &ending.result {
            take_report(&mut status, report.as_ref(), ending);
        }
    }
    status
}

/// Whether no run has succeeded since this ending. The status knows of runs whose pods and Jobs are gone.
pub fn is_after_last_success(status: &HourlyCompactionStatus, ending: &Ending) -> bool {
    last_success(status).is_none_or(|succeeded| ending.time > succeeded)
}

/// When a run has succeeded last.
pub fn last_success(status: &HourlyCompactionStatus) -> Option<Timestamp> {
    status.last_successful_time.as_ref()?.parse().ok()
}

/// The status after a reconcile, from the one with what runs told. `last` is the newest ending that can be seen.
pub fn next(
    compaction: &Compaction,
    told: HourlyCompactionStatus,
    observed: &Observed,
    outcome: &Result<CompactionPlan, Error>,
    last: Option<&Ending>,
    now: Timestamp,
) -> HourlyCompactionStatus {
    let generation = compaction.metadata.generation;
    let states = conditions(compaction, observed, outcome, last);
    let mut status = HourlyCompactionStatus {
        observed_generation: generation,
        active_job: observed.active.as_ref().map(|active| active.job.name_any()),
        conditions: condition::all(&compaction.status.conditions, states, generation, now),
        ..told
    };
    if let Ok(plan) = outcome {
        let starts = observed.cron_job.is_some() || !compaction.is_paused();
        let next = next_run(plan, observed, now).filter(|_| starts);
        status.next_run_time = next.map(|time| time.to_string());
    }
    status
}

/// What is said when mode Auto gives the next run another size than the live template has.
pub fn resized(compaction: &Compaction, live: Option<&RunSize>, next: &RunSize) -> Option<String> {
    let mode = compaction.typed().ok()?.spec.sizing.as_ref()?.mode;
    let text = |RunSize { cpu, memory, parallelism }: &RunSize| match parallelism {
        1 => format!("1 pod x {} and {}", cpu.0, memory.0),
        pods => format!("{pods} pods x {} and {}", cpu.0, memory.0),
    };
    let is_told = mode == Some(ScalingMode::Auto) && !compaction.is_paused();
    let live = live.filter(|live| is_told && *live != next)?;
    Some(format!("the next run has {} instead of {}", text(next), text(live)))
}

/// When the CronJob starts the next run. `@every` counts from the start before, as the CronJob controller does.
fn next_run(plan: &CompactionPlan, observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    if plan.suspend {
        return None;
    }
    let cron_job = observed.cron_job.as_deref();
    let last = cron_job.and_then(|cron_job| cron_job.status.as_ref()?.last_schedule_time.as_ref());
    let made = cron_job.and_then(|cron_job| cron_job.metadata.creation_timestamp.as_ref());
    let after = |moment: Timestamp| {
        let next = plan.next_start(moment.as_second())?;
        Timestamp::from_second(next).ok()
    };
    let by_last = last.or(made).and_then(|last| after(last.0)).filter(|next| *next > now);
    by_last.or_else(|| after(now))
}

fn take_report(status: &mut HourlyCompactionStatus, report: Option<&CompactionReport>, ending: &Ending) {
    let known = last_success(status);
    if known.is_some_and(|known| known > ending.time) {
        return;
    }
    status.last_successful_time = Some(ending.time.to_string());
    if let Some(report) = report {
        // No `..`: a new figure must be placed here.
        let CompactionReport { version: _, zone, source, buckets: _, processed_through, runs } = report.clone();
        // Sequences of another zone mean nothing in this one.
        let is_same = status.zone.as_ref().is_some_and(|known| known.id == zone.id);
        let known = if is_same { std::mem::take(&mut status.runs) } else { Vec::new() };
        let told = runs.into_iter().map(|run| seen(run, &known, ending)).collect();
        status.zone = Some(zone);
        status.source = Some(source);
        status.processed_through = processed_through;
        status.runs = together(known, told);
    }
}

/// The runs that were known and those that were told now, newest first.
///
/// A report of a whole run has the log's last entries. Those of a run that pods have shared are parts of what is known.
fn together(known: Vec<Run>, told: Vec<Run>) -> Vec<Run> {
    let mut runs: BTreeMap<i64, Run> = told.into_iter().map(|run| (run.sequence, run)).collect();
    for run in known {
        let is_shared = run.shards.is_some();
        if is_shared || !runs.contains_key(&run.sequence) {
            runs.insert(run.sequence, run);
        }
    }
    let shared: Vec<Run> = runs.values().filter(|run| run.shards.is_some()).cloned().collect();
    let is_part = |run: &Run| run.buckets.is_some() && shared.iter().any(|shared| is_within(run, shared));
    runs.into_values().rev().filter(|run| !is_part(run)).take(RUNS).collect()
}

fn is_within(part: &Run, whole: &Run) -> bool {
    let times = |run: &Run| {
        let start = run.start_time.parse::<Timestamp>().ok()?;
        Some((start, run.completion_time.parse::<Timestamp>().ok()?))
    };
    times(part).zip(times(whole)).is_some_and(|(part, whole)| part.0 >= whole.0 && part.1 <= whole.1)
}

/// The run with who started it and the CPU of its pods: the log does not know, Job and pods do, and the status remembers.
fn seen(run: Run, known: &[Run], ending: &Ending) -> Run {
    let remembered = known.iter().find(|other| other.sequence == run.sequence);
    let start = run.start_time.parse::<Timestamp>().ok();
    // Clocks of a node and of the log's store may differ a little; runs of a zone are minutes apart.
    let is_of_this_job = start.zip(ending.began).is_some_and(|(start, began)| {
        let began_at = began.as_second() - 1;
        (began_at..=ending.time.as_second() + 1).contains(&start.as_second())
    });
    let trigger = remembered.and_then(|run| run.trigger).or(ending.trigger.filter(|_| is_of_this_job));
    let requested = ending.cpu.filter(|_| is_of_this_job).map(|cpu| quantity::of_millicores(cpu).0);
    Run { trigger, cpu: remembered.and_then(|run| run.cpu.clone()).or(requested), ..run }
}
