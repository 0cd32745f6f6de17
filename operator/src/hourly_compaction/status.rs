//! What an HourlyCompaction's status says next. Pure.
//!
//! A run tells of itself once, in the termination message of its pod. The status keeps what it said after the pod
//! is gone.

use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::report::CompactionReport;
use gristmill_crds::{HourlyCompactionStatus, Run};
use jiff::Timestamp;
use kube::ResourceExt;

use super::Compaction;
use super::conditions::conditions;
use super::endings::{Ending, endings};
use super::observe::Observed;
use crate::condition;
use crate::error::Error;

/// Runs that a status holds.
const RUNS: usize = 5;

/// The status after a reconcile.
pub fn next(
    compaction: &Compaction,
    observed: &Observed,
    outcome: &Result<CompactionPlan, Error>,
    now: Timestamp,
) -> HourlyCompactionStatus {
    let previous = &compaction.status;
    let generation = compaction.metadata.generation;
    let endings = endings(observed);
    let states = conditions(compaction, observed, outcome, endings.last());
    let mut status = HourlyCompactionStatus {
        observed_generation: generation,
        active_job: observed.active.as_ref().map(|active| active.job.name_any()),
        conditions: condition::all(&previous.conditions, states, generation, now),
        ..previous.clone()
    };
    if let Ok(plan) = outcome {
        status.next_run_time = next_run(plan, observed, now).map(|time| time.to_string());
    }
    for ending in &endings {
        if let Ok(report) = &ending.result {
            take_report(&mut status, report.as_ref(), ending);
        }
    }
    status
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
    let known = status.last_successful_time.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
    if known.is_some_and(|known| known > ending.time) {
        return;
    }
    status.last_successful_time = Some(ending.time.to_string());
    if let Some(report) = report {
        // No `..`: a new figure must be placed here.
        let CompactionReport { version: _, zone, source, buckets: _, processed_through, runs } = report.clone();
        status.zone = Some(zone);
        status.source = Some(source);
        status.processed_through = processed_through;
        status.runs = runs.into_iter().take(RUNS).map(|run| triggered(run, &status.runs, ending)).collect();
    }
}

/// The run with who started it: the log does not know, its Job does, and the status remembers that.
fn triggered(run: Run, known: &[Run], ending: &Ending) -> Run {
    let remembered = known.iter().find(|other| other.sequence == run.sequence).and_then(|other| other.trigger);
    let start = run.start_time.parse::<Timestamp>().ok();
    // Clocks of a node and of the log's store may differ a little; runs of a zone are minutes apart.
    let is_of_this_job = start.zip(ending.began).is_some_and(|(start, began)| {
        let began_at = began.as_second() - 1;
        (began_at..=ending.time.as_second() + 1).contains(&start.as_second())
    });
    let trigger = remembered.or(ending.trigger.filter(|_| is_of_this_job));
    Run { trigger, ..run }
}
