//! What a StreamIngest's status says next, and whether it is time to write it. Pure.

use gristmill_crds::report::IngestReport;
use gristmill_crds::{ScalingMode, SizingStatus, StreamIngestStatus};
use jiff::{SignedDuration, Timestamp};

use super::Stream;
use super::conditions::{Outcome, conditions};
use super::observe::Observed;
use crate::condition;
use crate::labels::STREAM_INGEST;

/// Figures change all the time; a write a minute keeps 200 resources below 4 writes a second.
const BETWEEN_WRITES: SignedDuration = SignedDuration::from_secs(60);

/// The status after a reconcile.
pub fn next(stream: &Stream, observed: &Observed, outcome: &Outcome, now: Timestamp) -> StreamIngestStatus {
    let previous = &stream.status;
    let generation = stream.metadata.generation;
    let deployment = observed.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    let states = conditions(stream, observed, outcome, now);
    let mut status = StreamIngestStatus {
        observed_generation: generation,
        observed_time: Some(now.to_string()),
        selector: Some(format!("{STREAM_INGEST}={}", stream.name())),
        replicas: Some(deployment.and_then(|status| status.replicas).unwrap_or(0)),
        ready_replicas: Some(deployment.and_then(|status| status.ready_replicas).unwrap_or(0)),
        conditions: condition::all(&previous.conditions, states, generation, now),
        ..previous.clone()
    };
    if let Ok((plan, sizing)) = outcome {
        status.consumer_group = Some(plan.consumer_group.clone());
        if let Some(sizing) = sizing.status(now) {
            status.sizing = Some(sizing);
        } else if plan.scaling.mode == ScalingMode::Manual {
            status.sizing = None;
        }
    }
    if let Some(report) = observed.report() {
        take_figures(&mut status, report);
    }
    status
}

/// Whether the next status is to be written: at once when a condition, the number of pods or the decided size changed,
/// at most once a minute when only figures did, never when nothing but the words of a decision did: some of them count
/// minutes.
///
/// What is held back is written by a later reconcile; figures come from a running worker, which is asked
/// again every 15 seconds.
pub fn is_due(previous: &StreamIngestStatus, next: &StreamIngestStatus) -> bool {
    let without_time = |status: &StreamIngestStatus| StreamIngestStatus {
        observed_time: None,
        sizing: status.sizing.clone().map(|sizing| SizingStatus {
            time: String::new(),
            explanation: String::new(),
            ..sizing
        }),
        ..status.clone()
    };
    let size = |status: &StreamIngestStatus| {
        let sizing = status.sizing.as_ref()?;
        Some((sizing.desired_replicas, sizing.cpu_per_worker.clone()))
    };
    if without_time(previous) == without_time(next) {
        return false;
    }
    let urgent = condition::differ(&previous.conditions, &next.conditions)
        || previous.replicas != next.replicas
        || previous.ready_replicas != next.ready_replicas
        || previous.observed_generation != next.observed_generation
        || size(previous) != size(next);
    let time = |status: &StreamIngestStatus| status.observed_time.as_ref()?.parse::<Timestamp>().ok();
    let waited = match (time(previous), time(next)) {
        (Some(last), Some(now)) => now.duration_since(last) >= BETWEEN_WRITES || now < last,
        (None, _) | (_, None) => true,
    };
    urgent || waited
}

/// Figures that a worker reports. Those that it does not know yet keep their last value.
fn take_figures(status: &mut StreamIngestStatus, report: &IngestReport) {
    // No `..`: a new figure must be placed here.
    let IngestReport {
        version,
        spec_digest: _,
        // Told by conditions.
        phase: _,
        phase_since: _,
        message: _,
        rejected_over_budget: _,
        consumer_group,
        zone,
        partitions,
        messages,
        rows,
        lag,
        watermark,
        rejected_percent,
        retention,
        // Told by the worker's own answer alone.
        unpublished: _,
        stopped: _,
        reject_reasons: _,
        work: _,
    } = report;
    status.version = Some(version.clone());
    status.consumer_group = Some(consumer_group.clone());
    if *partitions > 0 {
        status.partitions = Some(*partitions);
    }
    // Before the zone is open a worker counts from nothing.
    if let Some(zone) = zone {
        status.zone = Some(zone.clone());
        status.messages = Some(*messages);
        status.rows = Some(*rows);
    }
    if let Some(lag) = lag {
        status.lag = Some(*lag);
    }
    let keep_last = |figure: &Option<String>, last: &mut Option<String>| {
        if figure.is_some() {
            last.clone_from(figure);
        }
    };
    keep_last(watermark, &mut status.watermark);
    keep_last(rejected_percent, &mut status.rejected_percent);
    if retention.is_some() {
        status.retention.clone_from(retention);
    }
}
