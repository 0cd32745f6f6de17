//! What the topic was seen to be from the side: where its partitions end, and whether it is still the same.

use std::time::Duration;

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
        let stalled = match &*looks.borrow_and_update() {
            Look::None => Vec::new(),
            Look::Seen { facts, ends } => {
                same_topic(self.plan, &self.facts, facts)?;
                self.ends.clone_from(ends);
                self.progress.stalled(ends)
            }
            Look::Blind { since, fault } => {
                self.blind(self.clock.uptime().saturating_sub(*since), fault)?;
                return Ok(());
            }
        };
        self.tell_lag();
        if self.patience.board.report().phase == IngestPhase::SourceUnavailable {
            self.ingesting();
        }
        if !stalled.is_empty() {
            self.feed.seek(&stalled).await.map_err(Passing::into_failure)?;
        }
        Ok(())
    }

    fn blind(&self, elapsed: Duration, fault: &KafkaFault) -> Result<(), Failure> {
        let failure = Failure::new(crate::exit::Exit::Kafka, fault.reason(), fault);
        if fault.is_permanent() || self.patience.limit.is_some_and(|limit| elapsed >= limit) {
            return Err(failure);
        }
        self.patience.board.phase(IngestPhase::SourceUnavailable, format!("{failure}; it is tried again"));
        Ok(())
    }

    /// What is not committed yet of what the topic was last seen to hold.
    pub(super) fn tell_lag(&self) -> i64 {
        let fold = self.zone.fold();
        let lag = self.ends.iter().map(|(partition, end)| (end - fold.next(*partition)).max(0)).sum();
        if !self.ends.is_empty() {
            self.patience.board.lag(self.ends.len(), lag);
        }
        lag
    }
}
