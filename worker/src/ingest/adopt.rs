//! Assigned partitions, taken from where the log stands after the topic was asked whether it still reaches there.

use std::collections::BTreeMap;

use super::interruption::{Interruption, Step};
use super::patience::Passing;
use super::recover::stands_at;
use super::refusals::Standstill;
use super::rewind::{append_rewind, truncated};
use super::standing::{Standing, standing};
use super::worker::{Worker, attend};
use crate::exit::{Exit, Failure};
use crate::kafka::{Brokers, OffsetRange, Position, Source};

impl<S: Source> Worker<'_, S> {
    pub(super) async fn adopt(&mut self, partitions: &[i32]) -> Step {
        match self.take_up(partitions).await {
            Err(Interruption::Revoked) => {
                // Whatever of them is still ours is taken up again after that.
                self.feed.put_back(partitions);
                Err(Interruption::Revoked)
            }
            taken => taken,
        }
    }

    async fn take_up(&mut self, partitions: &[i32]) -> Step {
        self.settle(self.grace).await?;
        if partitions.iter().any(|partition| self.progress.next(*partition).is_some()) {
            // It was lost and given anew without a word of the loss: rows of the open file may be others' by now.
            self.start_over().await?;
        }
        let brokers = &self.brokers;
        let ask = self.patience.repeat(async || brokers.ranges(partitions.to_vec()).await);
        let ranges = Step::from(attend(&mut self.feed, self.grace, ask).await??)?;
        self.rewind_truncated(&ranges).await?;
        let fold = self.zone.fold();
        let (mut positions, mut lost) = (Vec::new(), Vec::new());
        for (partition, range) in &ranges {
            let mut position = stands_at(fold, *partition);
            if let Standing::Lost { below } = self.standing(position, *range)? {
                lost.push((*partition, below));
                position = Position { offset: below, leader_epoch: None, ..position };
            }
            positions.push(position);
        }
        self.feed.assign(&positions).map_err(Passing::into_failure)?;
        for position in positions.iter().filter(|position| self.feed.owns(position.partition)) {
            let partition = position.partition;
            self.progress.begin(stands_at(fold, partition), ranges[&partition].high);
        }
        for (partition, below) in lost {
            self.record_gap(partition, below);
        }
        self.measure_anew();
        self.assigned.notify_one();
        self.patience.board.joined();
        self.ingesting();
        tracing::info!(?partitions, "partitions assigned");
        Ok(())
    }

    /// A broker refused an offset: messages are lost, or it was a leader that had just changed.
    pub(super) async fn check_refused(&mut self) -> Step {
        if !self.refusals.is_due(self.clock.uptime()) {
            return Ok(());
        }
        let positions = self.progress.positions();
        let partitions: Vec<i32> = positions.iter().map(|position| position.partition).collect();
        let brokers = &self.brokers;
        let ask = self.patience.repeat(async || brokers.ranges(partitions.clone()).await);
        let ranges = Step::from(attend(&mut self.feed, self.grace, ask).await??)?;
        let stands = |position: &Position| standing(position.offset, ranges[&position.partition]);
        let held = positions.iter().all(|position| stands(position) == Standing::Held);
        let behind = positions.iter().map(|position| {
            let Position { partition, offset, .. } = *position;
            Standstill { partition, next: offset, is_behind: offset < ranges[&partition].high }
        });
        let diverged = self.refusals.check(self.clock.uptime(), behind);
        if diverged || !held {
            // What was read before the loss may be lost to the next start as well: it is kept.
            self.commit().await?;
        }
        if diverged && held {
            return Err(self.diverged().into());
        }
        for position in &positions {
            if let Standing::Lost { below } = self.standing(*position, ranges[&position.partition])? {
                self.record_gap(position.partition, below);
            }
        }
        self.rewind_truncated(&ranges).await?;
        self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
        Ok(())
    }

    fn standing(&self, position: Position, range: OffsetRange) -> Result<Standing, Failure> {
        standing(position.offset, range).allowed(self.plan, position.partition, position.offset)
    }

    /// The offsets below this one are gone, and the resource wants that counted.
    fn record_gap(&mut self, partition: i32, below: i64) {
        let Some(next) = self.progress.next(partition).filter(|next| *next < below) else { return };
        tracing::warn!("{}", Standing::Lost { below }.describe(&self.plan.topic, partition, next));
        self.progress.lose_below(partition, below);
        self.open.note_advance();
    }

    async fn rewind_truncated(&mut self, ranges: &BTreeMap<i32, OffsetRange>) -> Step {
        let Some(rewind) = truncated(self.plan, self.zone.fold(), &self.facts, ranges)? else { return Ok(()) };
        let (zone, patience) = (&mut self.zone, &self.patience);
        // Where another worker's rewind came first, brokers refuse what is still truncated once more, and it is judged anew.
        let work = patience.repeat(async || append_rewind(zone, &rewind).await);
        Step::from(attend(&mut self.feed, self.grace, work).await??)?;
        self.start_over().await
    }

    /// Brokers refuse an offset again and again that lies within what they hold: by the leader's epoch they know that
    /// other messages stand before it than were read (KIP-320).
    fn diverged(&self) -> Failure {
        let message = format!(
            "the brokers of topic {:?} have lost messages that were read: a leader was elected that had not received \
             them, and others stand in their place; choose where to go on by spec.rewind",
            self.plan.topic
        );
        Failure { exit: Exit::DataLoss, reason: "DataLoss", message }
    }

    /// A message is larger than this member receives: its partition stops there, and the others go on.
    pub(super) async fn stop_too_large(&mut self) -> Step {
        let brokers = &self.brokers;
        let mut positions = self.progress.positions();
        // A partition that has stopped already would be the answer for ever.
        positions.retain(|position| !self.feed.is_stopped(position.partition));
        let ask = self.patience.repeat(async || brokers.too_large_at(positions.clone()).await);
        let Some(place) = Step::from(attend(&mut self.feed, self.grace, ask).await??)? else { return Ok(()) };
        self.feed.stop(place.partition).map_err(Passing::into_failure)?;
        let message = format!(
            "the message at {}/{} offset {} is larger than can be received; raise spec.record.limits.maxMessageSize \
             and the worker's memory, or go past it by spec.rewind",
            self.plan.topic, place.partition, place.offset
        );
        if self.targets.is_some() {
            self.commit().await?;
            return Err(Failure { exit: Exit::Kafka, reason: "MessageTooLarge", message }.into());
        }
        tracing::error!(reason = "MessageTooLarge", "{message}");
        self.patience.board.stopped(place.partition, place.offset, message);
        Ok(())
    }
}
