//! Up to when the zone is complete, and how far behind it is.
//!
//! A partition is complete up to the time at which its end was read, once everything below that end is committed; else up
//! to the newest timestamp that is committed, unless a producer's clock goes back. The zone is complete up to where its
//! last partition is. Neither falls but by a rewind.

use std::collections::BTreeMap;

use gristmill_core::log::Fold;
use gristmill_crds::Lag;

use super::partitions::PartitionStanding;

/// When the end of each partition was last seen committed.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    generation: i32,
    ends: BTreeMap<i32, i64>,
    /// Milliseconds since 1970.
    complete: BTreeMap<i32, i64>,
    read_at: i64,
}

impl Completeness {
    /// The ends of all partitions, as they were read at this time or later.
    pub(super) fn see(&mut self, ends: BTreeMap<i32, i64>, read_at: i64) {
        self.ends = ends;
        self.read_at = read_at;
    }

    /// What is committed by now of the ends that were seen.
    pub(super) fn note(&mut self, fold: &Fold) {
        if self.generation != fold.generation() {
            self.generation = fold.generation();
            self.complete.clear();
        }
        for (partition, end) in &self.ends {
            if fold.next(*partition) >= *end {
                self.complete.insert(*partition, self.read_at);
            }
        }
    }

    /// Partitions whose ends were seen.
    pub(super) fn partitions(&self) -> usize {
        self.ends.len()
    }

    /// Milliseconds since 1970 up to which the zone is complete; none if a partition has nothing committed yet.
    pub(super) fn watermark(&self, fold: &Fold) -> Option<i64> {
        self.ends.keys().map(|partition| self.up_to(fold, *partition)).min().flatten()
    }

    fn up_to(&self, fold: &Fold, partition: i32) -> Option<i64> {
        let newest = fold.partitions().get(&partition).and_then(|state| state.max_timestamp);
        self.complete.get(&partition).copied().max(newest)
    }

    /// How far each partition is committed.
    pub(super) fn standings(&self, fold: &Fold) -> Vec<PartitionStanding> {
        let standing = |(partition, end): (&i32, &i64)| PartitionStanding {
            partition: *partition,
            next: fold.next(*partition),
            end: *end,
            complete: self.up_to(fold, *partition),
        };
        self.ends.iter().map(standing).collect()
    }

    /// What is not committed, and for how long the oldest of it has waited at most.
    pub(super) fn lag(&self, fold: &Fold, now: i64) -> Lag {
        let behind = self.ends.iter().filter(|(partition, end)| fold.next(**partition) < **end);
        let (mut records, mut since) = (0, Some(now));
        for (partition, end) in behind {
            records += end - fold.next(*partition);
            since = since.min(self.up_to(fold, *partition));
        }
        Lag { records, seconds: since.map(|since| ((now - since) / 1000).max(0)) }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_core::log::{
        CommitId, Data, Digest, Entry, Genesis, Incarnation, Kind, LogTime, PartitionRange, PartitionStart, RawData,
        RawGenesis, ZoneId,
    };
    use uuid::Uuid;

    use super::*;

    fn entry(number: u128, kind: impl Into<Kind>) -> Entry {
        Entry {
            commit_id: CommitId::new(Uuid::from_u128(number)),
            incarnation: Incarnation::new(Uuid::from_u128(1)),
            time: LogTime::new("2026-11-23T05:00:00Z".parse().expect("a time")),
            spec_digest: Digest::of(b"spec"),
            kind: kind.into(),
        }
    }

    /// A zone of two partitions of which 0 is read up to 10, to a message of this time.
    fn fold(max_timestamp: i64) -> Fold {
        let zone_id = ZoneId::new(Uuid::from_u128(7));
        let start = |partition| PartitionStart { partition, start_offset: 0 };
        let genesis = Genesis::Raw(RawGenesis {
            zone_id,
            cluster_id: "cluster".to_owned(),
            topic: "books".to_owned(),
            topic_id: "topic".to_owned(),
            group: "group".to_owned(),
            partitions: vec![start(0), start(1)],
        });
        let mut fold = Fold::begin(zone_id, &entry(1, Kind::Genesis(genesis))).expect("a genesis");
        let range = PartitionRange {
            partition: 0,
            topic_id: "topic".to_owned(),
            generation: 0,
            leader_epoch: None,
            from: 0,
            to: 10,
            accepted: 10,
            accepted_with_rejects: 0,
            rejected: 0,
            tombstones: 0,
            absent: 0,
            gaps: 0,
            max_timestamp: Some(max_timestamp),
        };
        let data = RawData { partitions: vec![range], added: Vec::new(), removed: Vec::new(), schemas: Vec::new() };
        fold.apply(&entry(2, Data::Raw(data))).expect("it follows");
        fold
    }

    #[test]
    fn zone_is_complete_up_to_where_its_last_partition_is() {
        let fold = fold(5_000);
        let mut completeness = Completeness::default();
        completeness.see(BTreeMap::from([(0, 12), (1, 0)]), 9_000);
        completeness.note(&fold);
        assert_eq!(completeness.watermark(&fold), Some(5_000), "partition 0 lacks two messages");
        assert_eq!(completeness.lag(&fold, 11_000), Lag { records: 2, seconds: Some(6) });
        completeness.see(BTreeMap::from([(0, 10), (1, 0)]), 9_000);
        completeness.note(&fold);
        assert_eq!(completeness.watermark(&fold), Some(9_000), "the silent partition is complete as well");
        assert_eq!(completeness.lag(&fold, 11_000), Lag { records: 0, seconds: Some(0) });
    }

    #[test]
    fn watermark_does_not_fall_when_messages_come() {
        let fold = fold(5_000);
        let mut completeness = Completeness::default();
        completeness.see(BTreeMap::from([(0, 10)]), 9_000);
        completeness.note(&fold);
        completeness.see(BTreeMap::from([(0, 11)]), 14_000);
        completeness.note(&fold);
        assert_eq!(completeness.watermark(&fold), Some(9_000));
    }

    #[test]
    fn partition_without_a_commit_leaves_the_zone_without_a_watermark() {
        let fold = fold(5_000);
        let mut completeness = Completeness::default();
        completeness.see(BTreeMap::from([(0, 10), (1, 3)]), 9_000);
        completeness.note(&fold);
        assert_eq!(completeness.watermark(&fold), None);
        assert_eq!(completeness.lag(&fold, 9_000), Lag { records: 3, seconds: None });
    }
}
