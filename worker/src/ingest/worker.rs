//! The loop: take what the group tells, decode, and commit when a file is due.
//!
//! ```text
//! adopt      assigned partitions, from where the log stands
//! take       a message into the open file
//! commit     seal, append, publish, mirror
//! hand_over  revoked partitions: commit first, or give up in time
//! recover    whatever goes wrong with a file: drop it whole and read again from where the log stands
//! observe    ends of partitions, seen from the side
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::log::Sequence;
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestPhase;
use tokio::sync::{Notify, watch};

use super::Summary;
use super::completeness::Completeness;
use super::group::{Claim, Foreign, Seen};
use super::interruption::{Interruption, Step};
use super::measure::{CpuWatch, Measured};
use super::open_file::OpenFile;
use super::pace::Pace;
use super::patience::{Passing, Patience, Trouble};
use super::progress::Progress;
use super::refusals::Refusals;
use super::retention::Retaining;
use super::watch::Look;
use crate::exit::Failure;
use crate::kafka::{Attended, Feed, KafkaFault, Member, Source, SourceEvent, TopicFacts};
use crate::zone::{Clock, Zone};

/// How often the age of the open file is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Everything that one ingest works with.
pub(super) struct Worker<'m, S: Source> {
    pub(super) plan: &'m IngestPlan,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) zone: Zone,
    pub(super) facts: TopicFacts,
    pub(super) brokers: S::Brokers,
    pub(super) member: &'m S::Member,
    pub(super) feed: Feed<'m, S::Member>,
    pub(super) progress: Progress,
    pub(super) open: OpenFile,
    pub(super) pace: Pace,
    /// How long the group may be kept waiting for partitions that it wants back.
    pub(super) grace: Duration,
    /// Offsets at which the work is done; none to work until a signal.
    pub(super) targets: Option<BTreeMap<i32, i64>>,
    pub(super) completeness: Completeness,
    /// Entries of ours that are committed and not visible yet, and when that is tried again.
    pub(super) unpublished: BTreeSet<Sequence>,
    pub(super) publish_at: Duration,
    /// When upkeep is due.
    pub(super) upkeep_at: Duration,
    /// Failures of upkeep, since it last succeeded.
    pub(super) upkeep_trouble: Trouble,
    pub(super) retaining: Retaining,
    /// Consumption is held by the log, and when that is looked at again.
    pub(super) is_held: bool,
    pub(super) look_at: Option<Duration>,
    /// Where a user's resume token is looked for.
    pub(super) resume_file: Option<PathBuf>,
    /// The CPU that it may use.
    pub(super) cpu: CpuWatch,
    /// What it did lately.
    pub(super) measured: Measured,
    /// Offsets that brokers refuse.
    pub(super) refusals: Refusals,
    /// What the group or the topic refuse this member, and since when: until partitions or messages come again.
    pub(super) denied: Option<(Duration, KafkaFault)>,
    /// The claim to the group.
    pub(super) claim: Claim,
    /// Has the group looked at once there is an assignment.
    pub(super) assigned: Arc<Notify>,
    pub(super) patience: Patience,
    /// Files that could not be written, since the last entry that was decided.
    pub(super) trouble: Trouble,
    pub(super) summary: Summary,
}

/// How a membership ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The work is done, or a signal came.
    Done,
    /// The group is that of another zone.
    GroupShared(Foreign),
}

/// Message of a source.
pub(super) type MessageOf<'m, S> = <<S as Source>::Member as Member>::Message<'m>;

impl<'m, S: Source> Worker<'m, S> {
    /// Works until the targets are reached, a signal comes or the group is another's; what was read is committed then.
    pub(super) async fn work(
        mut self,
        looks: &mut watch::Receiver<Look>,
        group: &mut watch::Receiver<Seen>,
    ) -> Result<(Summary, Ended), Failure> {
        let clock = Arc::clone(&self.clock);
        let mut tick = clock.sleep(TICK);
        let held = self.heed_hold().await;
        self.resolve(held).await.or_else(Interruption::into_outcome)?;
        while !self.is_done() {
            let step = tokio::select! {
                biased;
                () = self.patience.cancel.cancelled() => Err(Interruption::Signalled),
                () = &mut tick => {
                    tick = clock.sleep(TICK);
                    Ok(())
                }
                archived = self.retaining.copied() => self.take_off_copied(archived).await,
                Ok(()) = looks.changed() => self.observe(looks).await,
                Ok(()) = group.changed() => self.heed_group(&group.borrow_and_update()),
                event = self.feed.next() => self.handle(event).await,
            };
            self.patience.board.turn();
            let step = match step {
                Ok(()) => self.keep_up().await,
                interrupted => interrupted,
            };
            match self.resolve(step).await {
                Ok(()) => {}
                Err(Interruption::Failed(failure)) => return Err(failure),
                Err(Interruption::Signalled | Interruption::Revoked) => return Ok((self.drain().await?, Ended::Done)),
                Err(Interruption::GivesWay(foreign)) => {
                    return Ok((self.drain().await?, Ended::GroupShared(foreign)));
                }
            }
        }
        self.publish_all().await.or_else(Interruption::into_outcome)?;
        Ok((self.summary, Ended::Done))
    }

    /// What is due after each event.
    async fn keep_up(&mut self) -> Step {
        self.heed_cpu();
        self.check_refused().await?;
        self.commit_if_due().await?;
        self.publish_again().await?;
        self.upkeep().await?;
        self.retain().await?;
        self.look_if_held().await
    }

    async fn handle(&mut self, event: SourceEvent<MessageOf<'m, S>>) -> Step {
        if ends_denial(&event) {
            self.denied = None;
        }
        match event {
            SourceEvent::Message(message) => self.take(message).await,
            // What is left over from before a hold says nothing: its messages were dropped.
            SourceEvent::EndOfPartition(partition) if self.is_held || !self.feed.owns(partition) => Ok(()),
            SourceEvent::EndOfPartition(partition) => {
                self.progress.reach_end(partition);
                if self.progress.advanced() {
                    self.open.note_advance();
                }
                Ok(())
            }
            SourceEvent::Assigned(partitions) => self.adopt(&partitions).await,
            SourceEvent::Revoked(partitions) => self.hand_over(&partitions).await,
            SourceEvent::Lost(partitions) => self.lose(&partitions).await,
            SourceEvent::Begun(_) => Ok(self.feed.prove().await.map_err(Passing::into_failure)?),
            SourceEvent::OutOfRange => {
                self.refusals.note(self.clock.uptime());
                Ok(())
            }
            SourceEvent::TooLarge => self.stop_too_large().await,
            SourceEvent::Disturbed(fault) => {
                tracing::debug!(error = %fault, "consumer disturbed");
                if fault.is_permanent() {
                    return Err(fault.into_failure().into());
                }
                if fault.is_denial() {
                    // librdkafka tells it once and goes on asking.
                    let now = self.clock.uptime();
                    self.blind(Duration::ZERO, &fault)?;
                    self.denied.get_or_insert((now, fault));
                }
                Ok(())
            }
        }
    }

    /// Commits what was read before the group is left. What can't be committed without keeping the group waiting is left out.
    async fn drain(mut self) -> Result<Summary, Failure> {
        self.patience.board.phase(IngestPhase::Draining, "commits what was read and leaves the group");
        self.measure_anew();
        let committed = match self.commit().await {
            Ok(()) => self.publish_all().await,
            interrupted => interrupted,
        };
        committed.or_else(Interruption::into_outcome)?;
        Ok(self.summary)
    }

    /// Everything up to the targets is committed.
    fn is_done(&self) -> bool {
        self.targets.as_ref().is_some_and(|targets| covers(&self.zone, targets))
    }

    pub(super) fn ingesting(&self) {
        let board = &self.patience.board;
        if board.is_ready() && !self.is_held && !self.patience.cancel.is_cancelled() {
            let partitions = self.progress.owned();
            board
                .phase(IngestPhase::Ingesting, format!("reads {partitions} partitions of topic {:?}", self.plan.topic));
        }
    }
}

/// Whether it shows that brokers let this member in.
fn ends_denial<M>(event: &SourceEvent<M>) -> bool {
    match event {
        SourceEvent::Message(_) | SourceEvent::EndOfPartition(_) | SourceEvent::Assigned(_) => true,
        SourceEvent::Revoked(_)
        | SourceEvent::Lost(_)
        | SourceEvent::Begun(_)
        | SourceEvent::OutOfRange
        | SourceEvent::TooLarge
        | SourceEvent::Disturbed(_) => false,
    }
}

/// Runs `work` and stays in the group; the group may be kept waiting for `grace`.
pub(super) async fn attend<M: Member, T>(
    feed: &mut Feed<'_, M>,
    grace: Duration,
    work: impl Future<Output = T>,
) -> Step<T> {
    match feed.attend(grace, work).await {
        Ok(Attended::Done(outcome)) => Ok(outcome),
        Ok(Attended::Interrupted) => Err(Interruption::Revoked),
        Err(fault) => Err(fault.into_failure().into()),
    }
}

/// Whether the zone holds everything below these offsets.
pub(super) fn covers(zone: &Zone, targets: &BTreeMap<i32, i64>) -> bool {
    targets.iter().all(|(partition, end)| zone.fold().next(*partition) >= *end)
}
