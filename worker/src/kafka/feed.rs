//! What a member of the group is told, one event at a time and in order.
//!
//! The feed knows the next offset of each partition that it has been given. A message below it is a leftover and never
//! leaves this module (F11, schedule 28). While the caller waits for its store, [`Feed::attend`] goes on polling, so
//! that the group sees a live member; what arrives meanwhile waits, and beyond a bound nothing arrives. When the group
//! wants partitions back the caller's work may go on for a grace, and no longer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::KafkaFault;
use super::source::{Change, Changes, Delivered, Member, Position, Received};
use crate::zone::Clock;

#[cfg(test)]
mod tests;

/// What a member is told.
#[derive(Debug)]
pub enum SourceEvent<M> {
    /// Partitions that wait for [`Feed::assign`].
    Assigned(Vec<i32>),
    /// Partitions that wait for [`Feed::give_back`].
    Revoked(Vec<i32>),
    /// Partitions that are others' already.
    Lost(Vec<i32>),
    /// The next message of a partition.
    Message(M),
    /// A partition was read to its end, as it was at some time after it was assigned or sought.
    EndOfPartition(i32),
    /// A partition that was taken by the epoch of a leader begins to be read; nothing of it is told before
    /// [`Feed::prove`].
    Begun(i32),
    /// A broker has no message at the offset that was asked for, or another one than was read there before.
    OutOfRange,
    /// A message is larger than this member receives.
    TooLarge,
    /// The consumer met an error; unless it is permanent it goes on by itself.
    Disturbed(KafkaFault),
}

/// How work ended that was attended.
#[derive(Debug, PartialEq, Eq)]
pub enum Attended<T> {
    /// It is done.
    Done(T),
    /// The group could not be kept waiting, or has given partitions away already. The work was dropped where it stood.
    Interrupted,
}

/// The events of one member.
pub struct Feed<'m, M: Member> {
    member: &'m M,
    changes: Changes,
    clock: Arc<dyn Clock>,
    positions: BTreeMap<i32, Position>,
    /// Partitions that the group wants back, and since when.
    wanted: BTreeSet<i32>,
    wanted_since: Option<Duration>,
    /// Partitions that were taken by the epoch of a leader and not sought since, and whether they are read already.
    ///
    /// Brokers compare the epoch at a seek only: an assignment alone would go on behind an unclean election as if
    /// nothing had been lost. librdkafka seeks once it has begun to read.
    unproven: BTreeMap<i32, bool>,
    /// Partitions that are read no more although they are ours.
    stopped: BTreeSet<i32>,
    /// Nothing is fetched until the caller says so.
    suspended: bool,
    held: VecDeque<SourceEvent<M::Message<'m>>>,
    held_bytes: u64,
    hold_limit: u64,
}

impl<'m, M: Member> Feed<'m, M> {
    /// The feed of a member. While the caller is attended, about `hold_limit` bytes of messages are held.
    pub fn new(member: &'m M, changes: Changes, clock: Arc<dyn Clock>, hold_limit: u64) -> Self {
        Self {
            member,
            changes,
            clock,
            positions: BTreeMap::new(),
            wanted: BTreeSet::new(),
            wanted_since: None,
            unproven: BTreeMap::new(),
            stopped: BTreeSet::new(),
            suspended: false,
            held: VecDeque::new(),
            held_bytes: 0,
            hold_limit,
        }
    }

    /// Bytes of messages that wait here, beside librdkafka's own queue.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// The next event. Losing the race of a `select!` loses nothing.
    pub async fn next(&mut self) -> SourceEvent<M::Message<'m>> {
        match self.held.pop_front() {
            Some(event) => {
                self.held_bytes -= size_of_event(&event);
                event
            }
            None => self.receive().await,
        }
    }

    /// The next message, if it is here already and the caller takes it. What else is here comes by [`Self::next`].
    pub fn next_if(&mut self, takes: impl FnOnce(&M::Message<'m>) -> bool) -> Option<M::Message<'m>> {
        if self.held.is_empty() {
            let event = self.receive_now()?;
            self.hold(event);
        }
        match self.held.pop_front()? {
            SourceEvent::Message(message) if takes(&message) => {
                self.held_bytes -= size(&message);
                Some(message)
            }
            event => {
                self.held.push_front(event);
                None
            }
        }
    }

    /// Gives back messages that were told last, in their order: they are told again before anything else.
    pub fn put_back_messages(&mut self, messages: impl DoubleEndedIterator<Item = M::Message<'m>>) {
        for message in messages.rev() {
            self.held_bytes += size(&message);
            self.held.push_front(SourceEvent::Message(message));
        }
    }

    /// Bytes of messages that may wait with the caller without more being held than in [`Self::attend`].
    pub fn room(&self) -> u64 {
        self.hold_limit.saturating_sub(self.held_bytes)
    }

    fn hold(&mut self, event: SourceEvent<M::Message<'m>>) {
        self.held_bytes += size_of_event(&event);
        self.held.push_back(event);
    }

    /// Runs `work` and stays a live member of the group until it is done. Once the group wants partitions back the work
    /// may go on for `grace`; once it has given them away, not at all.
    ///
    /// # Errors
    /// Partitions could not be paused or resumed; the outcome of `work` is lost then.
    pub async fn attend<T>(
        &mut self,
        grace: Duration,
        work: impl Future<Output = T>,
    ) -> Result<Attended<T>, KafkaFault> {
        let mut work = pin!(work);
        let mut paused = false;
        let outcome = loop {
            let overdue = self.overdue(grace);
            let event = tokio::select! {
                biased;
                outcome = &mut work => break Attended::Done(outcome),
                () = overdue => break Attended::Interrupted,
                event = self.receive() => event,
            };
            let lost = matches!(event, SourceEvent::Lost(_));
            self.hold(event);
            if lost {
                break Attended::Interrupted;
            }
            if self.held_bytes > self.hold_limit && !paused {
                self.member.pause(&self.owned())?;
                paused = true;
            }
        };
        if paused && !self.suspended {
            self.hear();
            self.resume().await?;
        }
        Ok(outcome)
    }

    /// Returns when the group has waited for a grace; never while it wants nothing.
    fn overdue(&self, grace: Duration) -> impl Future<Output = ()> + use<M> {
        let left = self.wanted_since.map(|since| (since + grace).saturating_sub(self.clock.uptime()));
        let clock = Arc::clone(&self.clock);
        async move {
            match left {
                Some(left) => clock.sleep(left).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Takes assigned partitions from these positions.
    ///
    /// # Errors
    /// The client refuses.
    pub fn assign(&mut self, positions: &[Position]) -> Result<(), KafkaFault> {
        self.hear();
        let gone = |partition: &i32| {
            self.held.iter().any(|event| matches!(event, SourceEvent::Lost(lost) if lost.contains(partition)))
        };
        let positions: Vec<_> = positions.iter().filter(|position| !gone(&position.partition)).copied().collect();
        self.member.assign(&positions)?;
        if self.suspended {
            self.member.pause(&partitions(&positions))?;
        }
        self.positions.extend(positions.iter().map(|position| (position.partition, *position)));
        let by_epoch = positions.iter().filter(|position| position.leader_epoch.is_some());
        self.unproven.extend(by_epoch.map(|position| (position.partition, false)));
        Ok(())
    }

    /// Has brokers compare the epochs by which partitions were taken with what they hold. A partition that has lost what
    /// was read before answers with [`SourceEvent::OutOfRange`]; another is told of from its first message on.
    ///
    /// # Errors
    /// librdkafka does not follow in time.
    pub async fn prove(&mut self) -> Result<(), KafkaFault> {
        self.hear();
        let is_begun = |position: &&Position| self.unproven.get(&position.partition) == Some(&true);
        let positions: Vec<_> = self.positions.values().filter(is_begun).copied().collect();
        if positions.is_empty() { Ok(()) } else { self.seek(&positions).await }
    }

    /// Tells once more of assigned partitions that were not taken, but for those that were lost meanwhile.
    pub fn put_back(&mut self, partitions: &[i32]) {
        self.hear();
        let lost = |partition: &i32| {
            self.held.iter().any(|event| matches!(event, SourceEvent::Lost(lost) if lost.contains(partition)))
        };
        let left: Vec<i32> = partitions.iter().filter(|partition| !lost(partition)).copied().collect();
        if !left.is_empty() {
            self.held.push_back(SourceEvent::Assigned(left));
        }
    }

    /// Whether the group waits for partitions.
    pub fn is_asked_back(&self) -> bool {
        self.wanted_since.is_some()
    }

    /// Whether a partition is ours.
    pub fn owns(&self, partition: i32) -> bool {
        self.positions.contains_key(&partition)
    }

    /// Gives back what the group wants; nothing that was told of it is heard any more.
    pub fn give_back(&mut self) {
        let wanted = std::mem::take(&mut self.wanted);
        self.wanted_since = None;
        if wanted.is_empty() {
            return;
        }
        self.forget(&wanted);
        self.held.retain(|event| !matches!(event, SourceEvent::Revoked(_)) && !is_of(event, |p| wanted.contains(&p)));
        self.held_bytes = self.held.iter().map(size_of_event).sum();
        self.member.give_back(&wanted.into_iter().collect::<Vec<_>>());
    }

    /// Goes on from these positions in partitions that are ours; others are left out. Events that were told of them
    /// before are dropped.
    ///
    /// # Errors
    /// librdkafka does not follow in time.
    pub async fn seek(&mut self, positions: &[Position]) -> Result<(), KafkaFault> {
        self.hear();
        let positions: Vec<_> = positions.iter().filter(|position| self.owns(position.partition)).copied().collect();
        let sought = |partition: i32| positions.iter().any(|position| position.partition == partition);
        // A refusal does not say of which partition it is: it is settled if all are sought.
        let all = self.positions.keys().all(|partition| sought(*partition));
        let settled =
            |event: &SourceEvent<_>| (all && matches!(event, SourceEvent::OutOfRange)) || is_of(event, sought);
        self.held.retain(|event| !settled(event));
        self.held_bytes = self.held.iter().map(size_of_event).sum();
        self.positions.extend(positions.iter().map(|position| (position.partition, *position)));
        self.move_to(&positions).await
    }

    /// Reads nothing more until [`Self::go_on`]; the member stays in the group.
    ///
    /// # Errors
    /// The client refuses.
    pub fn suspend(&mut self) -> Result<(), KafkaFault> {
        if !self.suspended {
            self.suspended = true;
            self.member.pause(&self.owned())?;
        }
        Ok(())
    }

    /// Reads on where it was suspended.
    ///
    /// # Errors
    /// librdkafka does not follow in time.
    pub async fn go_on(&mut self) -> Result<(), KafkaFault> {
        if self.suspended {
            self.suspended = false;
            self.hear();
            self.resume().await?;
        }
        Ok(())
    }

    /// Whether a partition of ours is read no more.
    pub fn is_stopped(&self, partition: i32) -> bool {
        self.stopped.contains(&partition)
    }

    /// Reads a partition no more, as long as it is ours.
    ///
    /// # Errors
    /// The client refuses.
    pub fn stop(&mut self, partition: i32) -> Result<(), KafkaFault> {
        self.stopped.insert(partition);
        self.member.pause(&[partition])
    }

    /// Reads on in what is neither stopped nor gone, where it stands.
    async fn resume(&mut self) -> Result<(), KafkaFault> {
        let positions: Vec<_> =
            self.positions.values().filter(|position| !self.stopped.contains(&position.partition)).copied().collect();
        self.member.resume(&partitions(&positions))?;
        self.move_to(&positions).await
    }

    async fn move_to(&mut self, positions: &[Position]) -> Result<(), KafkaFault> {
        self.member.seek(positions).await?;
        self.unproven.retain(|partition, _| positions.iter().all(|position| position.partition != *partition));
        Ok(())
    }

    /// Takes note of rebalances that were told and not heard yet: a partition that is lost can't be moved, and
    /// librdkafka would be asked to for as long as a seek may take.
    fn hear(&mut self) {
        while let Ok(change) = self.changes.0.try_recv() {
            let event = self.change(change);
            self.held.push_back(event);
        }
    }

    fn owned(&self) -> Vec<i32> {
        self.positions.keys().copied().collect()
    }

    fn forget(&mut self, gone: &BTreeSet<i32>) {
        self.positions.retain(|partition, _| !gone.contains(partition));
        self.stopped.retain(|partition| !gone.contains(partition));
        self.unproven.retain(|partition, _| !gone.contains(partition));
    }

    async fn receive(&mut self) -> SourceEvent<M::Message<'m>> {
        loop {
            // librdkafka is always ready while it has messages, and would keep a runtime of one thread to itself.
            tokio::task::consume_budget().await;
            let received = tokio::select! {
                // A rebalance is told before any message that was polled after it.
                biased;
                Some(change) = self.changes.0.recv() => return self.change(change),
                received = self.member.receive() => received,
            };
            if let Some(event) = self.told(received) {
                return event;
            }
        }
    }

    /// What [`Self::receive`] would give at once.
    fn receive_now(&mut self) -> Option<SourceEvent<M::Message<'m>>> {
        loop {
            if let Ok(change) = self.changes.0.try_recv() {
                return Some(self.change(change));
            }
            let received = self.member.receive_now()?;
            if let Some(event) = self.told(received) {
                return Some(event);
            }
        }
    }

    /// The event that was received, if the caller is to be told.
    fn told(&mut self, received: Received<M::Message<'m>>) -> Option<SourceEvent<M::Message<'m>>> {
        match received {
            Received::Message(message) if self.unproven.contains_key(&message.partition()) => {
                self.begin(message.partition())
            }
            Received::EndOfPartition(partition) if self.unproven.contains_key(&partition) => self.begin(partition),
            Received::Message(message) => self.admit(message),
            Received::EndOfPartition(partition) => {
                self.owns(partition).then_some(SourceEvent::EndOfPartition(partition))
            }
            Received::OutOfRange => Some(SourceEvent::OutOfRange),
            Received::TooLarge => Some(SourceEvent::TooLarge),
            Received::Disturbed(fault) => Some(SourceEvent::Disturbed(fault)),
        }
    }

    fn change(&mut self, change: Change) -> SourceEvent<M::Message<'m>> {
        match change {
            Change::Assigned(partitions) => SourceEvent::Assigned(partitions),
            Change::Revoked(partitions) => {
                self.wanted.extend(&partitions);
                self.wanted_since.get_or_insert_with(|| self.clock.uptime());
                SourceEvent::Revoked(partitions)
            }
            Change::Lost(partitions) => {
                let gone = partitions.iter().copied().collect();
                self.forget(&gone);
                self.wanted.retain(|partition| !gone.contains(partition));
                if self.wanted.is_empty() {
                    self.wanted_since = None;
                }
                SourceEvent::Lost(partitions)
            }
        }
    }

    /// What is read of a partition before its seek is read again after it.
    fn begin(&mut self, partition: i32) -> Option<SourceEvent<M::Message<'m>>> {
        let was_begun = self.unproven.insert(partition, true);
        (was_begun == Some(false)).then_some(SourceEvent::Begun(partition))
    }

    fn admit(&mut self, message: M::Message<'m>) -> Option<SourceEvent<M::Message<'m>>> {
        let position = self.positions.get_mut(&message.partition())?;
        if message.offset() < position.offset {
            return None;
        }
        position.offset = message.offset() + 1;
        position.leader_epoch = message.leader_epoch().or(position.leader_epoch);
        Some(SourceEvent::Message(message))
    }
}

fn partitions(positions: &[Position]) -> Vec<i32> {
    positions.iter().map(|position| position.partition).collect()
}

/// Whether an event was told of one of these partitions.
fn is_of<M: Delivered>(event: &SourceEvent<M>, partition: impl Fn(i32) -> bool) -> bool {
    match event {
        SourceEvent::Message(message) => partition(message.partition()),
        SourceEvent::EndOfPartition(of) | SourceEvent::Begun(of) => partition(*of),
        SourceEvent::Assigned(_)
        | SourceEvent::Revoked(_)
        | SourceEvent::Lost(_)
        | SourceEvent::OutOfRange
        | SourceEvent::TooLarge
        | SourceEvent::Disturbed(_) => false,
    }
}

/// Bytes that a message keeps in memory, near enough to bound what is held.
pub(crate) fn size<M: Delivered>(message: &M) -> u64 {
    /// What librdkafka keeps of a message besides its key and value.
    const MESSAGE: usize = 256;
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    (MESSAGE + length(message.payload()) + length(message.key())) as u64
}

fn size_of_event<M: Delivered>(event: &SourceEvent<M>) -> u64 {
    match event {
        SourceEvent::Message(message) => size(message),
        SourceEvent::Assigned(_)
        | SourceEvent::Revoked(_)
        | SourceEvent::Lost(_)
        | SourceEvent::EndOfPartition(_)
        | SourceEvent::Begun(_)
        | SourceEvent::OutOfRange
        | SourceEvent::TooLarge
        | SourceEvent::Disturbed(_) => 0,
    }
}
