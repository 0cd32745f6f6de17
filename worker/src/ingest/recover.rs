//! Whatever goes wrong with a file ends here: it is dropped whole, and all partitions are read again from where the log
//! stands (rule 15).

use std::time::Duration;

use gristmill_core::log::Fold;

use super::interruption::Step;
use super::opening::replaced;
use super::patience::Passing;
use super::worker::{Worker, attend};
use crate::exit::Failure;
use crate::kafka::{Brokers, Position, Source};

impl<S: Source> Worker<'_, S> {
    /// A file could not be written. Its name is burned, so its messages are read again once the store is back.
    pub(super) async fn recover<E: Passing>(&mut self, error: E) -> Step {
        let wait = self.patience.endure_again(error, &mut self.trouble);
        attend(&mut self.feed, self.grace, wait).await??;
        self.start_over().await?;
        self.ingesting();
        Ok(())
    }

    /// Drops the open file whole and reads all partitions again from where the log stands.
    ///
    /// The group is not kept waiting for it: there is nothing to be committed.
    pub(super) async fn start_over(&mut self) -> Step {
        if self.open.is_begun() {
            self.pace.discarded();
        }
        self.forget();
        self.settle(Duration::ZERO).await?;
        if self.zone.fold().is_fenced(self.zone.incarnation()) {
            // Others took this process for dead; what it has staged is theirs to sweep (rule 15).
            let incarnation = self.zone.renew_incarnation().map_err(Failure::from)?;
            tracing::warn!(%incarnation, "fenced; goes on under a new incarnation");
        }
        self.forget();
        self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
        let (zone, patience) = (&mut self.zone, &self.patience);
        // What cannot be deleted now is garbage that a later sweep finds; it is never committed.
        let discard = async {
            if let Err(error) = zone.discard_staged().await {
                tracing::debug!(%error, "staged files not deleted");
            }
            patience.board.turn();
        };
        attend(&mut self.feed, Duration::ZERO, discard).await
    }

    /// Drops the open file whole without a look at the log.
    pub(super) fn drop_open(&mut self) {
        self.forget();
    }

    /// Rows and offsets go together, always: offsets without their rows must never be committed.
    fn forget(&mut self) {
        self.measure_anew();
        self.open.drop_whole();
        let fold = self.zone.fold();
        self.progress.restart(fold.generation(), |partition| stands_at(fold, partition));
    }

    /// Decides an append that was dropped where it stood, reads the log to its head, and heeds what it says of all
    /// workers.
    pub(super) async fn settle(&mut self, grace: Duration) -> Step {
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = patience.repeat(async || {
            zone.decide().await?;
            zone.refresh().await
        });
        Step::from(attend(&mut self.feed, grace, work).await??)?;
        self.tell();
        if self.zone.fold().source().is_some_and(|source| source.topic_id != self.facts.topic_id) {
            self.follow_topic(grace).await?;
        }
        if self.zone.fold().generation() != self.progress.generation() {
            // Rows of the open file name a generation that has ended.
            self.forget();
            self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
        }
        self.heed_hold().await
    }

    /// Another worker's rewind has gone on to another topic of the name: it must be the one that is there.
    async fn follow_topic(&mut self, grace: Duration) -> Step {
        let (brokers, patience) = (&self.brokers, &self.patience);
        let ask = patience.repeat(async || brokers.facts().await);
        let facts = Step::from(attend(&mut self.feed, grace, ask).await??)?;
        let is_there = |source: &gristmill_core::log::Source| {
            source.topic_id == facts.topic_id && source.cluster_id == facts.cluster_id
        };
        if !self.zone.fold().source().is_some_and(is_there) {
            return Err(replaced(self.plan, &self.facts, &facts).into());
        }
        self.facts = facts;
        Ok(())
    }
}

/// Where the log stands in a partition.
pub(super) fn stands_at(fold: &Fold, partition: i32) -> Position {
    let leader_epoch = fold.partitions().get(&partition).and_then(|state| state.leader_epoch);
    Position { partition, offset: fold.next(partition), leader_epoch }
}
