//! Kafka as one simulated process is given it: a member of the group, and answers to its questions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use gristmill_core::raw::Header;
use tokio::sync::mpsc;

use super::broker::{Cluster, InMemory, Record, index, number};
use crate::kafka::{
    Brokers, Change, Changes, Delivered, KafkaFault, Member, MemberFacts, OffsetRange, Position, Received, Source,
    TopicFacts,
};
use crate::zone::Clock;

/// How often a member tells that it lives.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Messages that a member fetches ahead of its reader.
pub(super) const AHEAD: usize = 8;

pub(super) struct Message {
    partition: i32,
    offset: i64,
    record: Record,
    _in_memory: InMemory,
}

impl Delivered for Message {
    fn partition(&self) -> i32 {
        self.partition
    }
    fn offset(&self) -> i64 {
        self.offset
    }
    fn timestamp(&self) -> Option<i64> {
        Some(self.record.timestamp)
    }
    fn leader_epoch(&self) -> Option<i32> {
        Some(self.record.epoch)
    }
    fn key(&self) -> Option<&[u8]> {
        Some(self.record.key.as_bytes())
    }
    fn payload(&self) -> Option<&[u8]> {
        self.record.payload.as_deref().map(str::as_bytes)
    }
    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }
}

/// A member of the simulated group.
pub(super) struct SimulatedMember {
    cluster: Cluster,
    changes: mpsc::Sender<Change>,
    state: Mutex<State>,
}

struct State {
    client_id: String,
    number: u64,
    beaten: Duration,
    places: BTreeMap<i32, Place>,
    ahead: VecDeque<Message>,
}

#[derive(Default)]
struct Place {
    /// The next offset to fetch.
    fetch: i64,
    paused: bool,
    /// The broker has refused the offset: nothing is fetched until a seek.
    refused: bool,
    /// Epoch by which what was read before is compared with what the leader holds. As in librdkafka an assignment does
    /// not hand it over; a seek does, and messages.
    epoch: Option<i32>,
    at_end: bool,
}

impl SimulatedMember {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the state")
    }

    /// Tells the coordinator that this member lives. One that was put out tells its reader, and joins anew.
    fn beat(&self) {
        let now = self.cluster.timeline.uptime();
        let mut state = self.lock();
        if now - state.beaten < HEARTBEAT {
            return;
        }
        state.beaten = now;
        if !self.cluster.beat(state.number) {
            let lost: Vec<i32> = state.places.keys().copied().collect();
            state.places.clear();
            state.ahead.clear();
            self.changes.try_send(Change::Lost(lost)).expect("there is room");
            state.number = self.cluster.join(&state.client_id, self.changes.clone());
        }
    }

    /// Fetches ahead, and gives the next thing if there is one.
    fn poll(&self) -> Option<Received<Message>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let cluster = self.cluster.lock();
        if cluster.down {
            return state.ahead.pop_front().map(Received::Message);
        }
        for (partition, place) in state.places.iter_mut().filter(|(_, place)| !place.paused && !place.refused) {
            let log = &cluster.partitions[index(*partition)];
            if log.has_lost(place.fetch, place.epoch) || place.fetch < log.low || place.fetch > log.high {
                place.refused = true;
                return Some(Received::OutOfRange);
            }
            while state.ahead.len() < AHEAD
                && let Some((offset, record)) = log.records.range(place.fetch..).next()
            {
                place.fetch = offset + 1;
                place.epoch = Some(record.epoch);
                let (_in_memory, record) = (self.cluster.in_memory(record), record.clone());
                state.ahead.push_back(Message { partition: *partition, offset: *offset, record, _in_memory });
                place.at_end = false;
            }
            let read = log.records.range(place.fetch..).next().is_none();
            let waits = state.ahead.iter().any(|message| message.partition == *partition);
            if read && !waits && (!place.at_end || place.fetch < log.high) {
                place.at_end = true;
                place.fetch = log.high;
                return Some(Received::EndOfPartition(*partition));
            }
        }
        let lot = usize::try_from(self.cluster.timeline.lot(3)).expect("a small number");
        // The order within a partition is kept; that between partitions is nobody's promise.
        let chosen = state.ahead.get(lot).map(|message| message.partition);
        let first = state.ahead.iter().position(|message| Some(message.partition) == chosen).unwrap_or(0);
        state.ahead.remove(first).map(Received::Message)
    }
}

impl Member for SimulatedMember {
    type Message<'m> = Message;

    async fn receive(&self) -> Received<Message> {
        loop {
            // Other processes may go on between two messages. Nothing is taken before it: this future may be dropped here.
            self.cluster.timeline.sleep(Duration::ZERO).await;
            self.beat();
            if let Some(received) = self.poll() {
                return received;
            }
            let changed = self.cluster.changed.notified();
            tokio::select! {
                biased;
                () = changed => {}
                () = self.cluster.timeline.sleep(HEARTBEAT) => {}
            }
        }
    }

    /// Any number of messages comes at once, so that batches end anywhere.
    fn receive_now(&self) -> Option<Received<Message>> {
        if self.cluster.timeline.once_in(6) {
            return None;
        }
        self.beat();
        self.poll()
    }

    fn assign(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        let mut state = self.lock();
        for Position { partition, offset, .. } in positions {
            state.places.insert(*partition, Place { fetch: *offset, ..Place::default() });
            self.cluster.lock().assignments.push((*partition, *offset));
        }
        Ok(())
    }

    fn give_back(&self, partitions: &[i32]) {
        let mut state = self.lock();
        state.places.retain(|partition, _| !partitions.contains(partition));
        state.ahead.retain(|message| !partitions.contains(&message.partition));
        self.cluster.give_back(state.number, partitions);
    }

    fn pause(&self, partitions: &[i32]) -> Result<(), KafkaFault> {
        let mut state = self.lock();
        for partition in partitions {
            if let Some(place) = state.places.get_mut(partition) {
                place.paused = true;
            }
        }
        Ok(())
    }

    fn resume(&self, partitions: &[i32]) -> Result<(), KafkaFault> {
        let mut state = self.lock();
        for partition in partitions {
            if let Some(place) = state.places.get_mut(partition) {
                place.paused = false;
            }
        }
        Ok(())
    }

    async fn seek(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        {
            let mut state = self.lock();
            for Position { partition, offset, leader_epoch } in positions {
                if let Some(place) = state.places.get_mut(partition) {
                    let (fetch, epoch, paused) = (*offset, *leader_epoch, place.paused);
                    *place = Place { fetch, epoch, paused, ..Place::default() };
                    // Leftovers from before the seek arrive after it; the barrier of the client lets none pass that is
                    // ahead of the new place.
                    state.ahead.retain(|message| message.partition != *partition || message.offset < *offset);
                }
            }
        }
        self.cluster.changed.notify_waiters();
        self.cluster.timeline.sleep(self.cluster.timeline.some(Duration::from_millis(20))).await;
        Ok(())
    }

    fn mirror(&self, offsets: &[(i32, i64)]) {
        self.cluster.lock().stored.extend(offsets.iter().copied());
    }

    async fn leave(self) {
        self.cluster.timeline.sleep(self.cluster.timeline.some(Duration::from_millis(50))).await;
        self.cluster.leave(self.lock().number);
    }
}

/// Kafka, as a simulated process is given it.
pub(super) struct SimulatedSource(pub(super) Cluster);

#[derive(Clone)]
pub(super) struct SimulatedBrokers(Cluster);

impl Brokers for SimulatedBrokers {
    async fn facts(&self) -> Result<TopicFacts, KafkaFault> {
        self.0.answer(|state| state.facts()).await
    }

    async fn ranges(&self, partitions: Vec<i32>) -> Result<BTreeMap<i32, OffsetRange>, KafkaFault> {
        self.0
            .answer(|state| partitions.into_iter().map(|partition| (partition, state.range(partition))).collect())
            .await
    }

    async fn ends(&self) -> Result<BTreeMap<i32, i64>, KafkaFault> {
        let ends = self.0.clone();
        self.0.answer(|_| ()).await?;
        Ok(ends.ends())
    }

    async fn offsets_at(&self, timestamp: i64) -> Result<BTreeMap<i32, i64>, KafkaFault> {
        self.0
            .answer(|state| {
                let at = |(partition, log): (usize, &super::broker::PartitionLog)| {
                    let first = log.records.iter().find(|(_, record)| record.timestamp >= timestamp);
                    (number(partition), first.map_or(log.high, |(offset, _)| *offset))
                };
                state.partitions.iter().enumerate().map(at).collect()
            })
            .await
    }

    async fn too_large_at(&self, _: Vec<Position>) -> Result<Option<Position>, KafkaFault> {
        Ok(None)
    }

    async fn members(&self) -> Result<Vec<MemberFacts>, KafkaFault> {
        self.0.answer(|state| state.members()).await
    }
}

impl Source for SimulatedSource {
    type Brokers = SimulatedBrokers;
    type Member = SimulatedMember;

    fn brokers(&self) -> Result<SimulatedBrokers, KafkaFault> {
        Ok(SimulatedBrokers(self.0.clone()))
    }

    fn join(&self, client_id: &str) -> Result<(SimulatedMember, Changes), KafkaFault> {
        let (changes, heard) = mpsc::channel(1024);
        let number = self.0.join(client_id, changes.clone());
        let beaten = self.0.timeline.uptime();
        let client_id = client_id.to_owned();
        let state = State { client_id, number, beaten, places: BTreeMap::new(), ahead: VecDeque::new() };
        Ok((SimulatedMember { cluster: self.0.clone(), changes, state: Mutex::new(state) }, Changes(heard)))
    }
}
