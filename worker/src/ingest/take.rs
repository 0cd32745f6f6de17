//! Messages into the open file.
//!
//! Where several threads decode, what is here already is taken along with a message, up to a bound, and decoded at a time.
//! Nothing else happens between the first message of such a batch and the last: no commit, no rebalance and no hold comes
//! in between, and no offset counts whose message was not decoded.

use std::iter;
use std::time::Duration;

use gristmill_core::raw::{Header, Headers, Message, MessageDecoder, Verdict};

use super::interruption::Step;
use super::progress::{Admission, Origin};
use super::worker::{MessageOf, Worker, attend};
use crate::kafka::{Delivered, Source, size};

impl<'m, S: Source> Worker<'m, S> {
    pub(super) async fn take(&mut self, message: MessageOf<'m, S>) -> Step {
        if self.is_held || !self.is_next(&message) {
            return Ok(());
        }
        self.open.note_advance();
        let before = self.measured.done;
        let batch = self.batch(message);
        let began = self.clock.uptime();
        match batch {
            Batch::One(message) => self.decode(&message),
            Batch::Several(messages) => self.decode_batch(messages),
        }
        let took = self.clock.uptime() - began;
        let done = &mut self.measured.done;
        done.decode += took;
        let (messages, bytes) = (done.records - before.records, done.bytes - before.bytes);
        self.patience.board.metrics().decoded(messages, bytes, took);
        self.patience.board.read(messages);
        if self.open.is_full() { self.flush().await } else { Ok(()) }
    }

    /// What was counted before, or is of a partition that is not read or was lost meanwhile, is passed over.
    fn is_next(&self, message: &MessageOf<'m, S>) -> bool {
        let owned = |partition| self.feed.owns(partition);
        self.progress.admit(message.partition(), message.offset(), owned) == Admission::Next
    }

    /// Takes along what is here already, if that pays.
    fn batch(&mut self, first: MessageOf<'m, S>) -> Batch<MessageOf<'m, S>> {
        let Some(limits) = self.open.batch_limits().filter(|limits| length(&first) <= limits.longest) else {
            return Batch::One(first);
        };
        let left = self.plan.max_records.map_or(u64::MAX, |most| most.saturating_sub(self.open.messages()));
        let (mut messages, mut bytes) = (1, length(&first));
        // What the caller holds and what the feed holds share one budget.
        let (most, mut room) = (limits.messages.min(left), self.feed.room().saturating_sub(size(&first)));
        let mut batch = Vec::new();
        while messages < most {
            let next = self.feed.next_if(|message| {
                let length = length(message);
                length <= limits.longest && bytes + length <= limits.bytes && size(message) <= room
            });
            let Some(message) = next else { break };
            messages += 1;
            bytes += length(&message);
            room = room.saturating_sub(size(&message));
            batch.push(message);
        }
        if batch.is_empty() {
            return Batch::One(first);
        }
        Batch::Several(iter::once(first).chain(batch).filter(|message| self.is_next(message)).collect())
    }

    fn decode(&mut self, message: &MessageOf<'m, S>) {
        let (plan, facts, generation) = (self.plan, &self.facts, self.progress.generation());
        let verdict =
            with_message(message, (&plan.topic, &facts.topic_id, generation), |message| self.open.decode(message));
        self.record(message, verdict);
    }

    /// Decodes a batch by several threads. What is too much for the memory comes again later.
    fn decode_batch(&mut self, mut messages: Vec<MessageOf<'m, S>>) {
        let lengths: Vec<usize> = messages.iter().map(length).collect();
        let of = (self.plan.topic.as_str(), self.facts.topic_id.as_str(), self.progress.generation());
        let decode = |decoder: &mut MessageDecoder, message: &MessageOf<'m, S>| {
            with_message(message, of, |message| decoder.decode(message))
        };
        let verdicts = self.open.decode_batch(&messages, &lengths, decode);
        let rest = messages.split_off(verdicts.len());
        for (message, verdict) in messages.iter().zip(verdicts) {
            self.record(message, verdict);
        }
        self.feed.put_back_messages(rest.into_iter());
    }

    fn record(&mut self, message: &MessageOf<'m, S>, verdict: Verdict) {
        let origin = Origin {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp(),
            leader_epoch: message.leader_epoch(),
        };
        self.progress.record(&origin, verdict);
        self.measured.done.records += 1;
        self.measured.done.bytes += length(message) as u64;
    }

    /// Encodes what was decoded.
    async fn flush(&mut self) -> Step {
        let began = self.clock.uptime();
        self.tell_buffered();
        let flushed = attend(&mut self.feed, self.grace, self.open.flush(&mut self.zone)).await?;
        self.encoded(began);
        match flushed {
            Ok(()) => Ok(()),
            Err(error) => self.recover(error).await,
        }
    }

    /// Counts the time that encoding took until now.
    pub(super) fn encoded(&mut self, began: Duration) {
        let took = self.clock.uptime() - began;
        self.measured.done.encode += took;
        self.patience.board.metrics().encoded(took);
        let waited = self.open.take_waited();
        self.waited_for_store(waited);
    }

    /// Tells what is buffered, at its most.
    pub(super) fn tell_buffered(&self) {
        self.patience.board.metrics().buffered(self.open.memory() + self.feed.held_bytes());
    }
}

/// What is decoded at a time.
enum Batch<M> {
    One(M),
    Several(Vec<M>),
}

fn length(message: &impl Delivered) -> usize {
    message.payload().map_or(0, <[u8]>::len)
}

/// The headers of a message, read where the decoder asks for them.
struct HeadersOf<'m, M>(&'m M);

impl<M: Delivered> Headers for HeadersOf<'_, M> {
    fn read(&self) -> Vec<Header<'_>> {
        self.0.headers()
    }
}

/// A message as the decoder is given it, of this topic, topic id and generation.
fn with_message<T>(
    message: &impl Delivered,
    (topic, topic_id, generation): (&str, &str, i32),
    decode: impl FnOnce(&Message<'_>) -> T,
) -> T {
    decode(&Message {
        topic,
        topic_id,
        partition: message.partition(),
        offset: message.offset(),
        generation,
        timestamp_micros: message.timestamp().and_then(|time| time.checked_mul(1000)),
        key: message.key(),
        payload: message.payload(),
        headers: &HeadersOf(message),
    })
}
