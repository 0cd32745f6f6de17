//! What the worker says of itself while it runs: the report behind `/status`, and whether it is ready and alive.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use gristmill_core::log::{FORMAT, FileZone, Fold, LogTime, RejectCounts, RemovedTotals, oldest_file};
use gristmill_crds::plan::{IngestPlan, RejectedBudget};
use gristmill_crds::report::{IngestPhase, IngestReport, PartitionsReport, RejectReason, StoppedPartition, WorkReport};
use gristmill_crds::{Lag, MessageCounts, RetentionStatus, RowCounts, ZoneStatus};
use tokio::sync::watch;

use super::partitions::{self, PartitionStanding};
use super::rewind_plan::RewindPlans;
use crate::exit::Failure;
use crate::metrics::IngestMetrics;
use crate::zone::ZoneError;

/// A loop that did not come by for so long is dead: Kafka's `max.poll.interval.ms` is the same, so its partitions are
/// gone as well.
const ALIVE_WITHIN: Duration = Duration::from_secs(300);

/// Shared between the loop, which writes, and the admin server, which reads.
#[derive(Debug, Clone)]
pub struct StatusBoard {
    report: watch::Sender<IngestReport>,
    /// Messages that were read, committed or not.
    read: watch::Sender<u64>,
    partitions: watch::Sender<Vec<PartitionStanding>>,
    rewind_plans: RewindPlans,
    vitals: Arc<Vitals>,
    metrics: IngestMetrics,
    /// The phase before Kafka or the store went away.
    before: Arc<Mutex<Option<(IngestPhase, String)>>>,
}

#[derive(Debug)]
struct Vitals {
    joined: AtomicBool,
    started: Instant,
    /// Milliseconds after `started` when the loop came by last.
    last_turn: AtomicU64,
}

impl StatusBoard {
    /// The board of a worker that begins.
    pub fn new(plan: &IngestPlan) -> Self {
        let report = IngestReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            spec_digest: plan.spec_digest.clone(),
            phase: IngestPhase::Starting,
            phase_since: Some(time_of_phase()),
            message: "opens the zone and joins the group".to_owned(),
            consumer_group: plan.consumer_group.clone(),
            zone: None,
            partitions: 0,
            messages: MessageCounts::default(),
            rows: RowCounts::default(),
            lag: None,
            watermark: None,
            rejected_percent: None,
            rejected_over_budget: false,
            retention: None,
            unpublished: None,
            stopped: Vec::new(),
            reject_reasons: Vec::new(),
            work: None,
        };
        let vitals = Vitals { joined: AtomicBool::new(false), started: Instant::now(), last_turn: AtomicU64::new(0) };
        let report = watch::Sender::new(report);
        let metrics = IngestMetrics::new(plan, report.subscribe());
        Self {
            report,
            read: watch::Sender::new(0),
            partitions: watch::Sender::default(),
            rewind_plans: RewindPlans::default(),
            vitals: Arc::new(vitals),
            metrics,
            before: Arc::default(),
        }
    }

    /// What `/metrics` tells.
    pub fn metrics(&self) -> &IngestMetrics {
        &self.metrics
    }

    /// The report now and all that follow.
    pub fn subscribe(&self) -> watch::Receiver<IngestReport> {
        self.report.subscribe()
    }

    /// The report now.
    pub fn report(&self) -> IngestReport {
        self.report.borrow().clone()
    }

    /// How far the partitions from this one on are committed.
    pub fn partitions_from(&self, from: i32) -> PartitionsReport {
        partitions::page(&self.partitions.borrow(), from)
    }

    /// Answers what a rewind would read again.
    pub fn rewind_plans(&self) -> &RewindPlans {
        &self.rewind_plans
    }

    pub(super) fn standings(&self) -> Vec<PartitionStanding> {
        self.partitions.borrow().clone()
    }

    /// Returns when so many messages were read by this process, committed or not; at once if they were.
    pub async fn wait_until_read(&self, messages: u64) {
        let mut read = self.read.subscribe();
        read.wait_for(|read| *read >= messages).await.expect("the board itself keeps the sender");
    }

    /// Whether the worker has been given its partitions once. It stays so while Kafka or the store is away: a restart
    /// would not bring them back.
    pub fn is_ready(&self) -> bool {
        self.vitals.joined.load(Ordering::Relaxed)
    }

    /// Whether the loop came by lately.
    pub fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.vitals.last_turn.load(Ordering::Relaxed));
        self.vitals.started.elapsed().saturating_sub(last) < ALIVE_WITHIN
    }

    pub(super) fn turn(&self) {
        let now = u64::try_from(self.vitals.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.vitals.last_turn.store(now, Ordering::Relaxed);
    }

    pub(super) fn read(&self, messages: u64) {
        self.read.send_modify(|read| *read += messages);
    }

    pub(super) fn joined(&self) {
        self.vitals.joined.store(true, Ordering::Relaxed);
    }

    /// What was waited for is there again: the phase is the one from before, unless another has begun.
    pub(super) fn passed(&self) {
        let is_trouble = is_trouble(self.report.borrow().phase);
        let before = if is_trouble { self.before.lock().unwrap_or_else(PoisonError::into_inner).take() } else { None };
        if let Some((phase, message)) = before {
            self.phase(phase, message);
        }
    }

    /// The zone's store answers: whoever said that it is away takes that back.
    pub(super) fn store_is_back(&self) {
        let is_away = self.report.borrow().phase == IngestPhase::StoreUnavailable;
        if is_away {
            self.passed();
        }
    }

    /// Changes the phase; one log line when it is another one.
    pub(super) fn phase(&self, phase: IngestPhase, message: impl Into<String>) {
        let message = message.into();
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.report.borrow();
        if is_trouble(phase) && !is_trouble(now.phase) {
            *before = Some((now.phase, now.message.clone()));
        }
        drop((now, before));
        self.report.send_if_modified(|report| {
            if report.phase != phase {
                match phase {
                    // Whoever waits must see for what, also where a bar takes the place of the log.
                    IngestPhase::SourceUnavailable
                    | IngestPhase::StoreUnavailable
                    | IngestPhase::GroupShared
                    | IngestPhase::Held => {
                        tracing::warn!(phase = phase.reason(), "{message}");
                    }
                    IngestPhase::Starting | IngestPhase::Ingesting | IngestPhase::Draining => {
                        tracing::info!(phase = phase.reason(), "{message}");
                    }
                }
            }
            let changed = report.phase != phase || report.message != message;
            if report.phase != phase {
                report.phase_since = Some(time_of_phase());
            }
            report.phase = phase;
            report.message = message;
            changed
        });
    }

    pub(super) fn zone(&self, fold: &Fold) {
        let totals = fold.totals();
        let mut rows = RowCounts::default();
        for live in fold.live().values() {
            match live.file.zone {
                FileZone::Rejected => rows.rejected += signed(live.file.rows),
                FileZone::Raw | FileZone::Processed => rows.accepted += signed(live.file.rows),
            }
        }
        self.report.send_modify(|report| {
            report.zone = Some(ZoneStatus {
                id: fold.zone_id().to_string(),
                format: i32::try_from(FORMAT).unwrap_or(i32::MAX),
                sequence: fold.head().position(),
                last_commit_time: Some(fold.effective_time().to_string()),
            });
            report.messages = MessageCounts {
                accepted: signed(totals.accepted),
                rejected: signed(totals.rejected),
                tombstones: signed(totals.tombstones),
                absent: signed(totals.absent),
                gaps: signed(totals.gaps),
            };
            report.rows = rows;
        });
    }

    /// How far behind the zone is, and up to when it is complete, in milliseconds since 1970.
    pub(super) fn lag(&self, partitions: usize, lag: Lag, watermark: Option<i64>) {
        let watermark = watermark.and_then(DateTime::from_timestamp_millis).map(|time| LogTime::new(time).to_string());
        self.report.send_modify(|report| {
            report.partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
            report.lag = Some(lag);
            report.watermark = watermark;
        });
    }

    /// What retention has done, and what holds files whose time has come.
    pub(super) fn retention(&self, fold: &Fold, held_by: String) {
        let RemovedTotals { files, bytes, rejected_files: _, rows: _ } = fold.removed();
        let status = RetentionStatus {
            removed_files: signed(files),
            removed_bytes: bytes.to_string(),
            held_by,
            oldest_file_time: oldest_file(fold).map(|time| time.to_string()),
        };
        self.report.send_if_modified(|report| {
            let changed = report.retention.as_ref() != Some(&status);
            report.retention = Some(status);
            changed
        });
    }

    /// What the worker did lately; none until that is measured anew.
    pub(super) fn work(&self, work: Option<WorkReport>) {
        self.report.send_if_modified(|report| {
            let changed = report.work != work;
            report.work = work;
            changed
        });
    }

    /// How far each partition is committed.
    pub(super) fn partitions(&self, standings: Vec<PartitionStanding>) {
        self.partitions.send_replace(standings);
    }

    /// Why records were rejected lately.
    pub(super) fn reject_reasons(&self, reasons: Vec<RejectReason>) {
        self.report.send_if_modified(|report| {
            let changed = report.reject_reasons != reasons;
            report.reject_reasons = reasons;
            changed
        });
    }

    /// Messages of the rejected budget's window.
    pub(super) fn rejects(&self, counts: RejectCounts, budget: &RejectedBudget) {
        let RejectCounts { messages, with_rejects } = counts;
        let percent = (messages > 0).then(|| RejectedBudget::share(messages, with_rejects));
        self.report.send_modify(|report| {
            report.rejected_percent = percent;
            report.rejected_over_budget = budget.is_exceeded(messages, with_rejects);
        });
    }

    /// So many entries are committed and not visible.
    pub(super) fn unpublished(&self, entries: usize, error: &ZoneError) {
        let message = format!("{entries} entries are committed and not visible yet: {}", describe(error));
        tracing::warn!("{message}");
        self.report.send_modify(|report| report.unpublished = Some(message));
    }

    pub(super) fn all_published(&self) {
        self.report.send_if_modified(|report| report.unpublished.take().is_some());
    }

    /// A partition is read no more from this offset on.
    pub(super) fn stopped(&self, partition: i32, offset: i64, message: String) {
        let stopped = StoppedPartition { partition, offset, reason: "MessageTooLarge".to_owned(), message };
        self.report.send_modify(|report| {
            report.stopped.retain(|other| other.partition != partition);
            report.stopped.push(stopped);
        });
    }
}

/// The time for people and for the operator; no decision of a worker depends on it.
fn time_of_phase() -> String {
    LogTime::new(Utc::now()).to_string()
}

/// Whether a phase says that Kafka or the store is away.
fn is_trouble(phase: IngestPhase) -> bool {
    matches!(phase, IngestPhase::SourceUnavailable | IngestPhase::StoreUnavailable)
}

fn describe(error: &ZoneError) -> String {
    Failure::new(error.exit(), error.reason(), error).message
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
