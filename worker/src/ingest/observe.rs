//! What the topic was seen to be from the side: where its partitions end, and whether it is still the same.

use std::time::Duration;

use gristmill_core::log::{RejectCounts, rejects_in_window};
use gristmill_crds::report::IngestPhase;
use tokio::sync::watch;

use super::interruption::Step;
use super::opening::same_topic;
use super::patience::Passing;
use super::watch::Look;
use super::worker::Worker;
use crate::exit::Failure;
use crate::kafka::{KafkaFault, Source};

impl<S: Source> Worker<'_, S> {
    pub(super) async fn observe(&mut self, looks: &mut watch::Receiver<Look>) -> Step {
        let (stalled, seen) = match &*looks.borrow_and_update() {
            Look::None => (Vec::new(), None),
            Look::Seen { facts, ends, read_at, answered_at } => {
                same_topic(self.plan, &self.facts, facts)?;
                self.facts.partitions = facts.partitions;
                self.completeness.see(ends.clone(), read_at.timestamp_millis());
                (self.progress.stalled(ends), Some((ends.clone(), *answered_at)))
            }
            Look::Blind { since, fault } => {
                self.blind(self.clock.uptime().saturating_sub(*since), fault)?;
                self.measure_anew();
                return Ok(());
            }
        };
        // What others have committed counts as well.
        self.settle(self.grace).await?;
        match &self.denied {
            Some((since, fault)) => {
                self.blind(self.clock.uptime().saturating_sub(*since), fault)?;
                // On a silent topic only an end of partition says that it may be read again, and that comes after a seek.
                self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
            }
            None if self.patience.board.report().phase == IngestPhase::SourceUnavailable => self.ingesting(),
            None => {}
        }
        if !stalled.is_empty() {
            self.feed.seek(&stalled).await.map_err(Passing::into_failure)?;
        }
        if let Some((ends, answered_at)) = seen {
            self.measure(&ends, answered_at);
        }
        Ok(())
    }

    /// Says what Kafka does not give, which may pass.
    ///
    /// # Errors
    /// It does not pass, or it has lasted longer than the worker waits.
    pub(super) fn blind(&self, elapsed: Duration, fault: &KafkaFault) -> Result<(), Failure> {
        let failure = Failure::new(crate::exit::Exit::Kafka, fault.reason(), fault);
        if fault.is_permanent() || self.patience.limit.is_some_and(|limit| elapsed >= limit) {
            return Err(failure);
        }
        self.patience.board.phase(IngestPhase::SourceUnavailable, format!("{failure}; it is tried again"));
        Ok(())
    }

    /// Tells what the log says, and what is not committed yet of what the topic was last seen to hold.
    pub(super) fn tell(&mut self) -> i64 {
        let fold = self.zone.fold();
        self.completeness.note(fold);
        let (board, budget) = (&self.patience.board, &self.plan.rejected.budget);
        board.zone(fold);
        board.rejects(rejects_in_window(fold, RejectCounts::default(), self.zone.now(), budget), budget);
        board.reject_reasons(self.open.all_reasons(&self.plan.topic));
        if self.completeness.partitions() == 0 {
            return 0;
        }
        board.partitions(self.completeness.standings(fold));
        let lag = self.completeness.lag(fold, self.clock.now().timestamp_millis());
        board.lag(self.completeness.partitions(), lag, self.completeness.watermark(fold));
        lag.records
    }
}
