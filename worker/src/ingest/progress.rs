//! How far each partition has been read, and what became of every offset since the last commit.
//!
//! Pure: offsets in, ranges of the log out. The identity `to - from = accepted + rejected + tombstones + absent + gaps`
//! holds by construction, since `next` moves only where one of the five is counted.

use std::collections::BTreeMap;

use gristmill_core::log::PartitionRange;
use gristmill_core::raw::Verdict;

use crate::kafka::Position;

#[cfg(test)]
mod tests;

/// The partitions that are read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    partitions: BTreeMap<i32, Tally>,
    /// Generation of the zone that everything read since the last commit belongs to.
    generation: i32,
}

/// One partition since the last commit.
#[derive(Debug, Default)]
struct Tally {
    from: i64,
    next: i64,
    accepted: u64,
    accepted_with_rejects: u64,
    rejected: u64,
    tombstones: u64,
    absent: u64,
    gaps: u64,
    leader_epoch: Option<i32>,
    max_timestamp: Option<i64>,
    /// An end that was asked for before the partition was assigned or sought: its next end of partition passes it.
    end: i64,
    /// Nothing below this offset is there any more.
    lost_below: i64,
    /// The end of the partition was reached, and no message has come since.
    at_end: bool,
    /// Where the partition stood, short of its end, when ends were last looked at.
    stood_at: Option<i64>,
}

/// Whether a message is the next one of its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is; what was skipped before it is counted as absent.
    Next,
    /// It was counted before, or its partition is not read or not ours any more.
    Known,
}

/// What is told of a message besides its verdict.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Its partition.
    pub(super) partition: i32,
    /// Its offset.
    pub(super) offset: i64,
    /// Milliseconds since 1970.
    pub(super) timestamp: Option<i64>,
    /// Epoch of the partition's leader.
    pub(super) leader_epoch: Option<i32>,
}

impl Progress {
    /// Begins with the zone in this generation.
    pub(super) fn of_generation(generation: i32) -> Self {
        Self { generation, ..Self::default() }
    }

    /// The generation that everything read since the last commit belongs to.
    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    /// Reads a partition from a position where the log stands; `end` was asked for before.
    pub(super) fn begin(&mut self, position: Position, end: i64) {
        let Position { partition, offset, leader_epoch } = position;
        let tally = Tally { from: offset, next: offset, leader_epoch, end, ..Tally::default() };
        self.partitions.insert(partition, tally);
    }

    /// Reads on in the partitions that this holds for, and no more in others.
    pub(super) fn keep(&mut self, owned: impl Fn(i32) -> bool) {
        self.partitions.retain(|partition, _| owned(*partition));
    }

    /// Forgets what was read since the last commit, and begins again where the log stands.
    pub(super) fn restart(&mut self, generation: i32, at: impl Fn(i32) -> Position) {
        self.generation = generation;
        for (partition, tally) in &mut self.partitions {
            let Position { offset, leader_epoch, .. } = at(*partition);
            let (end, lost_below) = (tally.end, tally.lost_below);
            *tally = Tally { from: offset, next: offset, leader_epoch, end, ..Tally::default() };
            tally.lose_below(lost_below);
        }
    }

    /// The brokers hold nothing of a partition below this offset: what was not read of it is a gap.
    pub(super) fn lose_below(&mut self, partition: i32, offset: i64) {
        if let Some(tally) = self.partitions.get_mut(&partition) {
            tally.lose_below(offset);
        }
    }

    /// Whether a message is to be decoded. One that waits of a partition that was lost meanwhile is not, although the
    /// partition is still counted here until that is heard of: the messages between may have been dropped, and they would
    /// count as absent.
    pub(super) fn admit(&self, partition: i32, offset: i64, owned: impl Fn(i32) -> bool) -> Admission {
        match self.partitions.get(&partition) {
            Some(tally) if offset >= tally.next && owned(partition) => Admission::Next,
            Some(_) | None => Admission::Known,
        }
    }

    /// Counts an admitted message, and the offsets before it that Kafka did not deliver.
    pub(super) fn record(&mut self, origin: &Origin, verdict: Verdict) {
        let Some(tally) = self.partitions.get_mut(&origin.partition) else { return };
        tally.skip_to(origin.offset);
        tally.next += 1;
        match verdict {
            Verdict::Accepted { rejected_rows, .. } => {
                tally.accepted += 1;
                tally.accepted_with_rejects += u64::from(rejected_rows > 0);
            }
            Verdict::Rejected { .. } => tally.rejected += 1,
            Verdict::Tombstone => tally.tombstones += 1,
        }
        tally.leader_epoch = origin.leader_epoch.or(tally.leader_epoch);
        tally.max_timestamp = tally.max_timestamp.max(origin.timestamp);
        tally.at_end = false;
    }

    /// The end of a partition was reached: what lies below the end that was asked for before was never delivered (F8).
    pub(super) fn reach_end(&mut self, partition: i32) {
        let Some(tally) = self.partitions.get_mut(&partition) else { return };
        tally.skip_to(tally.end);
        tally.at_end = true;
    }

    /// Partitions that stand at their end, below an end that was asked for later, for the second time at the same
    /// place: a tail that is never delivered, as a transaction's marker is. They are to be sought where they stand; the
    /// end of partition that follows then passes these ends.
    pub(super) fn stalled(&mut self, ends: &BTreeMap<i32, i64>) -> Vec<Position> {
        let mut stalled = Vec::new();
        for (partition, tally) in &mut self.partitions {
            let Some(end) = ends.get(partition).filter(|end| tally.at_end && tally.next < **end) else {
                tally.stood_at = None;
                continue;
            };
            if tally.stood_at.replace(tally.next) == Some(tally.next) {
                tally.end = *end;
                tally.at_end = false;
                stalled.push(tally.position(*partition));
            }
        }
        stalled
    }

    /// Whether there is anything to commit.
    pub(super) fn advanced(&self) -> bool {
        self.partitions.values().any(|tally| tally.next > tally.from)
    }

    /// What the next commit says of the partitions that advanced.
    pub(super) fn ranges(&self, topic_id: &str) -> Vec<PartitionRange> {
        let advanced = self.partitions.iter().filter(|(_, tally)| tally.next > tally.from);
        advanced
            .map(|(partition, tally)| PartitionRange {
                partition: *partition,
                topic_id: topic_id.to_owned(),
                generation: self.generation,
                leader_epoch: tally.leader_epoch,
                from: tally.from,
                to: tally.next,
                accepted: tally.accepted,
                rejected: tally.rejected,
                accepted_with_rejects: tally.accepted_with_rejects,
                tombstones: tally.tombstones,
                absent: tally.absent,
                gaps: tally.gaps,
                max_timestamp: tally.max_timestamp,
            })
            .collect()
    }

    /// Everything read so far is committed.
    pub(super) fn commit(&mut self) {
        for tally in self.partitions.values_mut() {
            let Tally { next, end, lost_below, at_end, stood_at, leader_epoch, .. } = *tally;
            *tally = Tally { from: next, next, end, lost_below, at_end, stood_at, leader_epoch, ..Tally::default() };
        }
    }

    /// The next offset of a partition, if it is read.
    pub(super) fn next(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(|tally| tally.next)
    }

    /// The next offset of every partition that is read.
    pub(super) fn positions(&self) -> Vec<Position> {
        self.partitions.iter().map(|(partition, tally)| tally.position(*partition)).collect()
    }

    /// The next offset of every partition that is read, as tools know it.
    pub(super) fn offsets(&self) -> Vec<(i32, i64)> {
        self.partitions.iter().map(|(partition, tally)| (*partition, tally.next)).collect()
    }

    /// How many partitions are read.
    pub(super) fn owned(&self) -> usize {
        self.partitions.len()
    }
}

impl Tally {
    fn position(&self, partition: i32) -> Position {
        Position { partition, offset: self.next, leader_epoch: self.leader_epoch }
    }

    fn lose_below(&mut self, offset: i64) {
        self.lost_below = self.lost_below.max(offset);
        if let Ok(lost @ 1..) = u64::try_from(self.lost_below - self.next) {
            self.gaps += lost;
            self.next = self.lost_below;
        }
    }

    fn skip_to(&mut self, offset: i64) {
        if let Ok(skipped @ 1..) = u64::try_from(offset - self.next) {
            self.absent += skipped;
            self.next = offset;
        }
    }
}
