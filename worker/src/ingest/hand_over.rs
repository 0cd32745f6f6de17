//! Partitions that go to others (F12).
//!
//! On a revocation the whole open file is committed, within a deadline; else it is dropped whole. Lost partitions are
//! others' already, so that the file is dropped at once: its entry would be refused.

use super::interruption::{Interruption, Step};
use super::worker::Worker;
use crate::kafka::Source;

impl<S: Source> Worker<'_, S> {
    pub(super) async fn hand_over(&mut self, partitions: &[i32]) -> Step {
        if !self.feed.is_asked_back() {
            // Given back already, when the time for it was up.
            return Ok(());
        }
        tracing::info!(?partitions, "partitions revoked; commits before they are handed over");
        self.commit().await?;
        self.give_back();
        self.ingesting();
        Ok(())
    }

    pub(super) async fn lose(&mut self, partitions: &[i32]) -> Step {
        tracing::warn!(
            ?partitions,
            "partitions lost: the group took them, or was not reached for too long; what was read of them is dropped"
        );
        if partitions.iter().any(|partition| self.progress.next(*partition).is_some()) {
            self.give_back();
            self.start_over().await?;
        }
        self.ingesting();
        Ok(())
    }

    fn give_back(&mut self) {
        self.feed.give_back();
        let feed = &self.feed;
        self.progress.keep(|partition| feed.owns(partition));
        self.measure_anew();
    }

    /// Ends a step that was interrupted by the group: gives back what it wants and drops the open file whole.
    pub(super) async fn resolve(&mut self, mut step: Step) -> Step {
        while let Err(Interruption::Revoked) = step {
            tracing::warn!("the group could not be kept waiting; what was read is dropped and read again");
            self.give_back();
            step = self.start_over().await;
            self.ingesting();
        }
        step
    }
}
