//! A message into the open file.

use gristmill_core::raw::{Header, Message};

use super::interruption::Step;
use super::progress::{Admission, Origin};
use super::worker::{MessageOf, Worker, attend};
use crate::kafka::{Delivered, Source};

impl<'m, S: Source> Worker<'m, S> {
    pub(super) async fn take(&mut self, message: &MessageOf<'m, S>) -> Step {
        let (partition, offset) = (message.partition(), message.offset());
        if self.is_held || self.progress.admit(partition, offset) == Admission::Known {
            return Ok(());
        }
        let headers = message.headers();
        let headers: Vec<_> = headers.iter().map(|(key, value)| Header { key, value: *value }).collect();
        let timestamp = message.timestamp();
        self.open.note_advance();
        let began = self.clock.uptime();
        let verdict = self.open.decode(&Message {
            topic: &self.plan.topic,
            topic_id: &self.facts.topic_id,
            partition,
            offset,
            generation: self.progress.generation(),
            timestamp_micros: timestamp.and_then(|time| time.checked_mul(1000)),
            key: message.key(),
            payload: message.payload(),
            headers: &headers,
        });
        let bytes = message.payload().map_or(0, <[u8]>::len);
        self.patience.board.metrics().decoded(bytes, self.clock.uptime() - began);
        let origin = Origin { partition, offset, timestamp, leader_epoch: message.leader_epoch() };
        self.progress.record(&origin, verdict);
        self.patience.board.read();
        if !self.open.is_full() {
            return Ok(());
        }
        let began = self.clock.uptime();
        self.tell_buffered();
        let flushed = attend(&mut self.feed, self.grace, self.open.flush(&mut self.zone)).await?;
        self.patience.board.metrics().encoded(self.clock.uptime() - began);
        match flushed {
            Ok(()) => Ok(()),
            Err(error) => self.recover(error).await,
        }
    }

    /// Tells what is buffered, at its most.
    pub(super) fn tell_buffered(&self) {
        self.patience.board.metrics().buffered(self.open.memory() + self.feed.held_bytes());
    }
}
