//! Whatever goes wrong with a file ends here: it is dropped whole, and all partitions are read again from where the log
//! stands (rule 15).

use std::time::Duration;

use gristmill_core::log::Fold;

use super::interruption::Step;
use super::patience::Passing;
use super::worker::{Worker, attend};
use crate::kafka::{Position, Source};

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
        self.settle().await?;
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

    /// Rows and offsets go together, always: offsets without their rows must never be committed.
    fn forget(&mut self) {
        self.open.drop_whole();
        let fold = self.zone.fold();
        self.progress.restart(fold.generation(), |partition| stands_at(fold, partition));
    }

    /// Decides an append that was dropped where it stood, and reads the log to its head.
    pub(super) async fn settle(&mut self) -> Step {
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = patience.repeat(async || {
            zone.decide().await?;
            zone.refresh().await
        });
        Step::from(attend(&mut self.feed, Duration::ZERO, work).await??)?;
        self.patience.board.zone(self.zone.fold());
        Ok(())
    }
}

/// Where the log stands in a partition.
pub(super) fn stands_at(fold: &Fold, partition: i32) -> Position {
    Position { partition, offset: fold.next(partition), leader_epoch: None }
}
