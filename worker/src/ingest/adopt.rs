//! Assigned partitions, taken from where the log stands after the topic was asked whether it still reaches there.

use super::interruption::Step;
use super::opening::still_held;
use super::patience::Passing;
use super::recover::stands_at;
use super::worker::{Worker, attend};
use crate::exit::{Exit, Failure};
use crate::kafka::{Brokers, Source};

impl<S: Source> Worker<'_, S> {
    pub(super) async fn adopt(&mut self, partitions: &[i32]) -> Step {
        let generation = self.progress.generation();
        self.settle().await?;
        if self.zone.fold().generation() != generation {
            // Rows of the open file would name a generation that has ended.
            self.start_over().await?;
        }
        let brokers = &self.brokers;
        let ask = self.patience.repeat(async || brokers.ranges(partitions.to_vec()).await);
        let ranges = Step::from(attend(&mut self.feed, self.grace, ask).await??)?;
        let mut positions = Vec::new();
        for (partition, range) in &ranges {
            let next = self.zone.fold().next(*partition);
            still_held(self.plan, *partition, next, *range)?;
            positions.push(stands_at(self.zone.fold(), *partition));
        }
        self.feed.assign(&positions).map_err(Passing::into_failure)?;
        for position in positions.iter().filter(|position| self.feed.owns(position.partition)) {
            self.progress.begin(*position, ranges[&position.partition].high);
        }
        self.patience.board.joined();
        self.ingesting();
        tracing::info!(?partitions, "partitions assigned");
        Ok(())
    }

    /// The broker refused an offset: messages are lost, or it was a leader that had just changed.
    pub(super) async fn check_held(&mut self) -> Step {
        let positions = self.progress.positions();
        let partitions: Vec<i32> = positions.iter().map(|position| position.partition).collect();
        let brokers = &self.brokers;
        let ask = self.patience.repeat(async || brokers.ranges(partitions.clone()).await);
        let ranges = Step::from(attend(&mut self.feed, self.grace, ask).await??)?;
        for position in &positions {
            let held = still_held(self.plan, position.partition, position.offset, ranges[&position.partition]);
            if held.is_err() {
                // What was read before the loss may be lost to the next start as well: it is kept.
                self.commit().await?;
            }
            held?;
        }
        self.feed.seek(&positions).await.map_err(Passing::into_failure)?;
        Ok(())
    }

    /// A message is larger than this member receives: its partition stops there, and the others go on.
    pub(super) async fn stop_too_large(&mut self) -> Step {
        let brokers = &self.brokers;
        let positions = self.progress.positions();
        let ask = self.patience.repeat(async || brokers.too_large_at(positions.clone()).await);
        let Some(place) = Step::from(attend(&mut self.feed, self.grace, ask).await??)? else { return Ok(()) };
        self.feed.stop(place.partition).map_err(Passing::into_failure)?;
        let message = format!(
            "the message at {}/{} offset {} is larger than can be received; raise spec.record.limits.maxMessageSize \
             and the worker's memory, or go past it by spec.rewind",
            self.plan.topic, place.partition, place.offset
        );
        Err(Failure { exit: Exit::Kafka, reason: "MessageTooLarge", message }.into())
    }
}
