//! What a member of the group is told, one event at a time and in order.
//!
//! The feed knows the next offset of each partition that it has been given. A message below it is a leftover and never
//! leaves this module (F11, schedule 28). While the caller waits for its store, [`Feed::attend`] goes on
//! polling, so that the group sees a live member; what arrives meanwhile waits, and beyond a bound nothing arrives.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::pin;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};

use super::KafkaFault;
use super::member::{Change, Changes, GroupMember};

/// What a member is told.
pub enum SourceEvent<'c> {
    /// Partitions that wait for [`Feed::assign`].
    Assigned(Vec<i32>),
    /// Partitions that were revoked or lost, and are given back already.
    Revoked(Vec<i32>),
    /// The next message of a partition.
    Message(BorrowedMessage<'c>),
    /// A partition was read to its end, as it was at some time after it was assigned or sought.
    EndOfPartition(i32),
    /// The broker has no message at the offset that was asked for.
    OutOfRange,
    /// The consumer met an error; unless it is permanent it goes on by itself.
    Disturbed(KafkaFault),
}

/// The events of one member.
pub struct Feed<'c> {
    member: &'c GroupMember,
    changes: Changes,
    positions: BTreeMap<i32, i64>,
    held: VecDeque<SourceEvent<'c>>,
    held_bytes: u64,
    hold_limit: u64,
}

impl<'c> Feed<'c> {
    /// The feed of a member. While the caller is attended, about `hold_limit` bytes of messages are held.
    pub fn new(member: &'c GroupMember, changes: Changes, hold_limit: u64) -> Self {
        Self { member, changes, positions: BTreeMap::new(), held: VecDeque::new(), held_bytes: 0, hold_limit }
    }

    /// The next event. Losing the race of a `select!` loses nothing.
    pub async fn next(&mut self) -> SourceEvent<'c> {
        match self.held.pop_front() {
            Some(event) => {
                self.held_bytes -= size(&event);
                event
            }
            None => self.receive().await,
        }
    }

    /// Runs `work` and stays a live member of the group until it is done.
    ///
    /// # Errors
    /// Partitions could not be paused or resumed; the outcome of `work` is lost then.
    pub async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, KafkaFault> {
        let mut work = pin!(work);
        let mut paused = false;
        let outcome = loop {
            let event = tokio::select! {
                biased;
                outcome = &mut work => break outcome,
                event = self.receive() => event,
            };
            self.held_bytes += size(&event);
            self.held.push_back(event);
            if self.held_bytes > self.hold_limit && !paused {
                self.member.pause(&self.owned())?;
                paused = true;
            }
        };
        if paused {
            self.hear();
            self.member.resume(&self.owned()).await?;
        }
        Ok(outcome)
    }

    /// Takes assigned partitions from these offsets, but for those that were revoked again meanwhile.
    ///
    /// # Errors
    /// librdkafka refuses.
    pub fn assign(&mut self, offsets: &[(i32, i64)]) -> Result<(), KafkaFault> {
        self.hear();
        let revoked = |partition: &i32| {
            self.held.iter().any(|event| matches!(event, SourceEvent::Revoked(gone) if gone.contains(partition)))
        };
        let offsets: Vec<_> = offsets.iter().filter(|(partition, _)| !revoked(partition)).copied().collect();
        self.member.assign(&offsets)?;
        self.positions.extend(offsets);
        Ok(())
    }

    /// Goes on from these offsets in partitions that are ours; others are left out. Events that were told of them
    /// before are dropped.
    ///
    /// # Errors
    /// librdkafka does not follow in time.
    pub async fn seek(&mut self, offsets: &[(i32, i64)]) -> Result<(), KafkaFault> {
        self.hear();
        let offsets: Vec<_> = offsets.iter().filter(|(p, _)| self.positions.contains_key(p)).copied().collect();
        let sought = |partition: i32| offsets.iter().any(|(p, _)| *p == partition);
        self.held.retain(|event| match event {
            SourceEvent::Message(message) => !sought(message.partition()),
            SourceEvent::EndOfPartition(partition) => !sought(*partition),
            SourceEvent::OutOfRange => false,
            SourceEvent::Assigned(_) | SourceEvent::Revoked(_) | SourceEvent::Disturbed(_) => true,
        });
        self.held_bytes = self.held.iter().map(size).sum();
        self.positions.extend(offsets.iter().copied());
        self.member.seek(&offsets).await
    }

    /// Takes note of rebalances that were told and not heard yet: a partition that is given back can't be moved, and
    /// librdkafka would be asked to for as long as a seek may take.
    fn hear(&mut self) {
        while let Ok(change) = self.changes.0.try_recv() {
            let event = self.change(change);
            self.held.push_back(event);
        }
    }

    /// Partitions that are ours and the next offset of each.
    fn owned(&self) -> Vec<(i32, i64)> {
        self.positions.iter().map(|(partition, offset)| (*partition, *offset)).collect()
    }

    async fn receive(&mut self) -> SourceEvent<'c> {
        loop {
            // librdkafka is always ready while it has messages, and would keep a runtime of one thread to itself.
            tokio::task::consume_budget().await;
            let received = tokio::select! {
                // A rebalance is told before any message that was polled after it.
                biased;
                Some(change) = self.changes.0.recv() => return self.change(change),
                received = self.member.consumer.recv() => received,
            };
            let event = match received {
                Ok(message) => self.admit(message),
                Err(KafkaError::PartitionEOF(partition)) => {
                    self.positions.contains_key(&partition).then_some(SourceEvent::EndOfPartition(partition))
                }
                Err(error) => Some(self.disturbance(error)),
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    fn change(&mut self, change: Change) -> SourceEvent<'c> {
        match change {
            Change::Assigned(partitions) => SourceEvent::Assigned(partitions),
            Change::Revoked(partitions) => {
                self.positions.retain(|partition, _| !partitions.contains(partition));
                SourceEvent::Revoked(partitions)
            }
        }
    }

    fn admit(&mut self, message: BorrowedMessage<'c>) -> Option<SourceEvent<'c>> {
        let position = self.positions.get_mut(&message.partition())?;
        if message.offset() < *position {
            return None;
        }
        *position = message.offset() + 1;
        Some(SourceEvent::Message(message))
    }

    fn disturbance(&self, error: KafkaError) -> SourceEvent<'c> {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::LogTruncation,
            ) => SourceEvent::OutOfRange,
            _ => SourceEvent::Disturbed(self.member.fault("read", error)),
        }
    }
}

/// Bytes that an event keeps in memory, near enough to bound what is held.
fn size(event: &SourceEvent<'_>) -> u64 {
    /// What librdkafka keeps of a message besides its key and value.
    const MESSAGE: usize = 256;
    match event {
        SourceEvent::Message(message) => (MESSAGE + message.payload_len() + message.key_len()) as u64,
        SourceEvent::Assigned(_)
        | SourceEvent::Revoked(_)
        | SourceEvent::EndOfPartition(_)
        | SourceEvent::OutOfRange
        | SourceEvent::Disturbed(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::kafka::{Connection, MemberOptions};

    #[tokio::test]
    async fn a_partition_whose_revocation_was_not_heard_yet_is_not_sought() {
        let options = MemberOptions {
            connection: Connection::plaintext("127.0.0.1:1"),
            topic: "books".to_owned(),
            group: "group".to_owned(),
            client_id: "test".to_owned(),
            prefetch_bytes: 1 << 20,
        };
        let (member, _) = GroupMember::join(&options).expect("a client");
        let (tell, changes) = mpsc::channel(1);
        let mut feed = Feed::new(&member, Changes(changes), 1 << 20);
        feed.positions.insert(0, 100);
        tell.try_send(Change::Revoked(vec![0])).expect("there is room");
        feed.seek(&[(0, 100)]).await.expect("there is nothing to seek");
        let SourceEvent::Revoked(partitions) = feed.next().await else { panic!("the revocation is told") };
        assert_eq!(partitions, [0]);
    }
}
