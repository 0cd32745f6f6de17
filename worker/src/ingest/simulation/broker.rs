//! A Kafka cluster with one topic: what its partitions hold, and who in the group reads which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::executor::Timeline;
use crate::kafka::{Change, KafkaFault, MemberFacts, OffsetRange, TopicFacts};
use crate::zone::Clock;

/// A member that is silent for so long is taken for dead.
pub(super) const SESSION: Duration = Duration::from_secs(15);
/// A member that keeps the others waiting for so long is expelled: max.poll.interval.ms.
const REBALANCE: Duration = Duration::from_secs(300);

/// A message of the topic; none has what the ingest does not look at.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) key: String,
    pub(super) payload: Option<String>,
    pub(super) timestamp: i64,
    /// Epoch of the leader that took it.
    pub(super) epoch: i32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PartitionLog {
    pub(super) low: i64,
    /// Offsets without a record were compacted away or are control records.
    pub(super) records: BTreeMap<i64, Record>,
    pub(super) high: i64,
    /// Epoch of the leader.
    epoch: i32,
}

impl PartitionLog {
    /// Whether what a reader at this offset has read up to a leader's epoch is still what stands before it (KIP-320).
    pub(super) fn has_lost(&self, offset: i64, epoch: Option<i32>) -> bool {
        let Some(epoch) = epoch.filter(|epoch| *epoch < self.epoch) else { return false };
        let later = self.records.iter().find(|(_, record)| record.epoch > epoch);
        later.map_or(self.high, |(first, _)| *first) < offset
    }
}

/// A cluster; clones are the same one.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) timeline: Timeline,
    pub(super) changed: Arc<Notify>,
    state: Arc<Mutex<State>>,
    memory: Arc<Memory>,
}

/// Bytes of messages that are fetched and not dropped yet, by all members together.
#[derive(Default)]
struct Memory {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A message's share of the memory, until it is dropped.
pub(super) struct InMemory {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Drop for InMemory {
    fn drop(&mut self) {
        self.memory.now.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

pub(super) struct State {
    pub(super) cluster_id: String,
    pub(super) topic_id: String,
    pub(super) partitions: Vec<PartitionLog>,
    /// No broker answers.
    pub(super) down: bool,
    members: BTreeMap<u64, MemberState>,
    joined: u64,
    /// What tools have stored in the group.
    pub(super) stored: BTreeMap<i32, i64>,
    /// What anybody was ever given, with the first offset: for schedules that look at it.
    pub(super) assignments: Vec<(i32, i64)>,
}

struct MemberState {
    client_id: String,
    changes: mpsc::Sender<Change>,
    /// Partitions that are its own, told or taken.
    owned: BTreeSet<i32>,
    /// Of these, those that the group has asked back.
    wanted: BTreeSet<i32>,
    wanted_since: Option<Duration>,
    heard: Duration,
}

impl Cluster {
    pub(super) fn new(timeline: &Timeline, partitions: usize) -> Self {
        let state = State {
            cluster_id: "cluster-1".to_owned(),
            topic_id: "topic-1".to_owned(),
            partitions: vec![PartitionLog::default(); partitions],
            down: false,
            members: BTreeMap::new(),
            joined: 0,
            stored: BTreeMap::new(),
            assignments: Vec::new(),
        };
        let (changed, state) = (Arc::new(Notify::new()), Arc::new(Mutex::new(state)));
        Self { timeline: timeline.clone(), changed, state, memory: Arc::default() }
    }

    /// A record is fetched.
    pub(super) fn in_memory(&self, record: &Record) -> InMemory {
        let bytes = record.payload.as_ref().map_or(0, String::len);
        let now = self.memory.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.memory.most.fetch_max(now, Ordering::Relaxed);
        InMemory { memory: Arc::clone(&self.memory), bytes }
    }

    /// The most bytes of messages that were in memory at a time.
    pub(super) fn most_in_memory(&self) -> usize {
        self.memory.most.load(Ordering::Relaxed)
    }

    /// How often anybody joined, and how many are members now.
    pub(super) fn membership(&self) -> (u64, usize) {
        let state = self.lock();
        (state.joined, state.members.len())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the state")
    }

    /// Changes something, and tells everybody who waits.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_waiters();
        changed
    }

    /// Appends a record to a partition.
    pub(super) fn append(&self, partition: usize, payload: Option<String>) {
        let timestamp = self.timeline.now().timestamp_millis();
        self.change(|state| {
            let log = &mut state.partitions[partition];
            let (key, epoch) = ("key".to_owned(), log.epoch);
            log.records.insert(log.high, Record { key, payload, timestamp, epoch });
            log.high += 1;
        });
    }

    /// Retention takes everything below an offset.
    pub(super) fn delete_below(&self, partition: usize, offset: i64) {
        self.change(|state| {
            let log = &mut state.partitions[partition];
            log.low = log.low.max(offset.min(log.high));
            log.records = log.records.split_off(&log.low);
        });
    }

    /// A replica is elected that has received a partition up to this offset only.
    pub(super) fn elect_unclean(&self, partition: usize, end: i64) {
        self.change(|state| {
            let log = &mut state.partitions[partition];
            drop(log.records.split_off(&end));
            log.high = end;
            log.epoch += 1;
        });
    }

    pub(super) fn ends(&self) -> BTreeMap<i32, i64> {
        self.lock().partitions.iter().enumerate().map(|(partition, log)| (number(partition), log.high)).collect()
    }

    pub(super) async fn answer<T>(&self, answer: impl FnOnce(&State) -> T) -> Result<T, KafkaFault> {
        self.timeline.sleep(self.timeline.some(Duration::from_millis(30))).await;
        let state = self.lock();
        if state.down {
            return Err(KafkaFault::NoCluster { servers: "simulated:9092".to_owned(), why: None });
        }
        Ok(answer(&state))
    }

    /// A control record or an aborted message: an offset that is never delivered.
    pub(super) fn append_marker(&self, partition: usize) {
        self.change(|state| state.partitions[partition].high += 1);
    }

    /// A partition more.
    pub(super) fn grow(&self) {
        self.change(|state| state.partitions.push(PartitionLog::default()));
    }

    // The group.

    /// Puts every member out; each finds out by its next heartbeat.
    pub(super) fn expel_all(&self) {
        self.change(|state| state.members.clear());
    }

    pub(super) fn join(&self, client_id: &str, changes: mpsc::Sender<Change>) -> u64 {
        let heard = self.timeline.uptime();
        self.change(|state| {
            state.joined += 1;
            let (client_id, owned, wanted) = (client_id.to_owned(), BTreeSet::new(), BTreeSet::new());
            let member = MemberState { client_id, changes, owned, wanted, wanted_since: None, heard };
            state.members.insert(state.joined, member);
            state.joined
        })
    }

    pub(super) fn leave(&self, member: u64) {
        self.change(|state| state.members.remove(&member));
    }

    /// A heartbeat; false if the member was put out.
    pub(super) fn beat(&self, member: u64) -> bool {
        let now = self.timeline.uptime();
        let mut state = self.lock();
        if state.down {
            return true;
        }
        state.members.get_mut(&member).map(|member| member.heard = now).is_some()
    }

    pub(super) fn give_back(&self, member: u64, partitions: &[i32]) {
        self.change(|state| {
            if let Some(member) = state.members.get_mut(&member) {
                member.owned.retain(|partition| !partitions.contains(partition));
                member.wanted.retain(|partition| !partitions.contains(partition));
                if member.wanted.is_empty() {
                    member.wanted_since = None;
                }
            }
        });
    }

    /// What the coordinator does: puts silent members out, asks partitions back, gives free ones away.
    pub(super) fn coordinate(&self) {
        let now = self.timeline.uptime();
        let mut state = self.lock();
        if state.down {
            return;
        }
        let late = |member: &MemberState| {
            now - member.heard > SESSION || member.wanted_since.is_some_and(|since| now - since > REBALANCE)
        };
        state.members.retain(|_, member| !late(member));
        let members: Vec<u64> = state.members.keys().copied().collect();
        let count = state.partitions.len();
        if members.is_empty() {
            return;
        }
        // Each gets its share; what it has beyond it is asked back.
        let share = |index: usize| count / members.len() + usize::from(index < count % members.len());
        for (index, number) in members.iter().enumerate() {
            let Some(member) = state.members.get_mut(number) else { continue };
            let beyond = (member.owned.len() - member.wanted.len()).saturating_sub(share(index));
            let asked: Vec<i32> = member.owned.difference(&member.wanted).copied().take(beyond).collect();
            if !asked.is_empty() && member.changes.try_send(Change::Revoked(asked.clone())).is_ok() {
                member.wanted.extend(asked);
                member.wanted_since.get_or_insert(now);
            }
        }
        let taken: BTreeSet<i32> = state.members.values().flat_map(|member| member.owned.iter().copied()).collect();
        let mut free: Vec<i32> = (0..number(count)).filter(|partition| !taken.contains(partition)).collect();
        for (index, number) in members.iter().enumerate() {
            let Some(member) = state.members.get_mut(number) else { continue };
            let room = share(index).saturating_sub(member.owned.len()).min(free.len());
            let given: Vec<i32> = free.drain(..room).collect();
            if !given.is_empty() && member.changes.try_send(Change::Assigned(given.clone())).is_ok() {
                member.owned.extend(given);
            }
        }
    }
}

impl State {
    pub(super) fn facts(&self) -> TopicFacts {
        TopicFacts {
            cluster_id: self.cluster_id.clone(),
            topic_id: self.topic_id.clone(),
            partitions: number(self.partitions.len()),
        }
    }

    pub(super) fn members(&self) -> Vec<MemberFacts> {
        let facts =
            |member: &MemberState| MemberFacts { client_id: member.client_id.clone(), host: "/10.0.0.7".to_owned() };
        self.members.values().map(facts).collect()
    }

    pub(super) fn range(&self, partition: i32) -> OffsetRange {
        let log = &self.partitions[index(partition)];
        OffsetRange { low: log.low, high: log.high }
    }
}

pub(super) fn number(partition: usize) -> i32 {
    i32::try_from(partition).expect("few partitions")
}

pub(super) fn index(partition: i32) -> usize {
    usize::try_from(partition).expect("a partition")
}
