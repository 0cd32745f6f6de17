//! How far each partition has been read, and what became of every offset since the last commit.
//!
//! Pure: offsets in, ranges of the log out. The identity `to - from = accepted + rejected + tombstones + absent` holds
//! by construction, since `next` moves only where one of the four is counted.

use std::collections::BTreeMap;

use gristmill_core::log::PartitionRange;
use gristmill_core::raw::Verdict;

#[cfg(test)]
mod tests;

/// The partitions that are read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    partitions: BTreeMap<i32, Tally>,
}

/// One partition since the last commit.
#[derive(Debug, Default)]
struct Tally {
    from: i64,
    next: i64,
    accepted: u64,
    rejected: u64,
    tombstones: u64,
    absent: u64,
    leader_epoch: Option<i32>,
    max_timestamp: Option<i64>,
    /// An end that was asked for before the partition was assigned or sought: its next end of partition passes it.
    end: i64,
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
    /// It was counted before, or its partition is not read.
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
    /// Reads a partition from `next`; `end` was asked for before.
    pub(super) fn begin(&mut self, partition: i32, next: i64, end: i64) {
        self.partitions.insert(partition, Tally { from: next, next, end, ..Tally::default() });
    }

    /// Reads partitions no more.
    pub(super) fn release(&mut self, partitions: &[i32]) {
        self.partitions.retain(|partition, _| !partitions.contains(partition));
    }

    /// Forgets what was read since the last commit, and begins again where the log stands.
    pub(super) fn restart(&mut self, next: impl Fn(i32) -> i64) {
        for (partition, tally) in &mut self.partitions {
            let next = next(*partition);
            *tally = Tally { from: next, next, end: tally.end, ..Tally::default() };
        }
    }

    /// Whether a message is to be decoded.
    pub(super) fn admit(&self, partition: i32, offset: i64) -> Admission {
        match self.partitions.get(&partition) {
            Some(tally) if offset >= tally.next => Admission::Next,
            Some(_) | None => Admission::Known,
        }
    }

    /// Counts an admitted message, and the offsets before it that Kafka did not deliver.
    pub(super) fn record(&mut self, origin: &Origin, verdict: Verdict) {
        let Some(tally) = self.partitions.get_mut(&origin.partition) else { return };
        tally.skip_to(origin.offset);
        tally.next += 1;
        match verdict {
            Verdict::Accepted { .. } => tally.accepted += 1,
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
    pub(super) fn stalled(&mut self, ends: &BTreeMap<i32, i64>) -> Vec<(i32, i64)> {
        let mut stalled = Vec::new();
        for (partition, tally) in &mut self.partitions {
            let Some(end) = ends.get(partition).filter(|end| tally.at_end && tally.next < **end) else {
                tally.stood_at = None;
                continue;
            };
            if tally.stood_at.replace(tally.next) == Some(tally.next) {
                tally.end = *end;
                tally.at_end = false;
                stalled.push((*partition, tally.next));
            }
        }
        stalled
    }

    /// Whether there is anything to commit.
    pub(super) fn advanced(&self) -> bool {
        self.partitions.values().any(|tally| tally.next > tally.from)
    }

    /// What the next commit says of the partitions that advanced.
    pub(super) fn ranges(&self, topic_id: &str, generation: i32) -> Vec<PartitionRange> {
        let advanced = self.partitions.iter().filter(|(_, tally)| tally.next > tally.from);
        advanced
            .map(|(partition, tally)| PartitionRange {
                partition: *partition,
                topic_id: topic_id.to_owned(),
                generation,
                leader_epoch: tally.leader_epoch,
                from: tally.from,
                to: tally.next,
                accepted: tally.accepted,
                rejected: tally.rejected,
                accepted_with_rejects: 0,
                tombstones: tally.tombstones,
                absent: tally.absent,
                gaps: 0,
                max_timestamp: tally.max_timestamp,
            })
            .collect()
    }

    /// Everything read so far is committed.
    pub(super) fn commit(&mut self) {
        for tally in self.partitions.values_mut() {
            let Tally { next, end, at_end, stood_at, leader_epoch, .. } = *tally;
            *tally = Tally { from: next, next, end, at_end, stood_at, leader_epoch, ..Tally::default() };
        }
    }

    /// The next offset of a partition, if it is read.
    pub(super) fn next(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).map(|tally| tally.next)
    }

    /// The next offset of every partition that is read.
    pub(super) fn positions(&self) -> Vec<(i32, i64)> {
        self.partitions.iter().map(|(partition, tally)| (*partition, tally.next)).collect()
    }
}

impl Tally {
    fn skip_to(&mut self, offset: i64) {
        if let Ok(skipped @ 1..) = u64::try_from(offset - self.next) {
            self.absent += skipped;
            self.next = offset;
        }
    }
}
