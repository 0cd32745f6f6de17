//! How far each partition is committed, for whoever asks this worker; a resource's status has their sum alone.

use chrono::DateTime;
use gristmill_core::log::LogTime;
use gristmill_crds::report::{PARTITIONS_PER_ANSWER, PartitionReport, PartitionsReport};

/// One partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartitionStanding {
    pub(super) partition: i32,
    /// The next offset that is not committed yet.
    pub(super) next: i64,
    pub(super) end: i64,
    /// Milliseconds since 1970 up to which it is complete.
    pub(super) complete: Option<i64>,
}

/// The answer on the question for partitions from this one on; `standings` are in their order.
pub(super) fn page(standings: &[PartitionStanding], from: i32) -> PartitionsReport {
    let first = standings.partition_point(|standing| standing.partition < from);
    let partitions = standings[first..].iter().take(PARTITIONS_PER_ANSWER).map(told).collect();
    PartitionsReport { total: standings.len(), partitions }
}

fn told(standing: &PartitionStanding) -> PartitionReport {
    let PartitionStanding { partition, next, end, complete } = *standing;
    let complete = complete.and_then(DateTime::from_timestamp_millis);
    PartitionReport { partition, next, end, complete_through: complete.map(|time| LogTime::new(time).to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_come_a_thousand_at_a_time() {
        let standing = |partition| PartitionStanding { partition, next: 3, end: 5, complete: Some(1_000) };
        let standings: Vec<_> = (0..2_500).map(standing).collect();
        let numbers = |from| {
            let page = page(&standings, from);
            assert_eq!(page.total, 2_500);
            page.partitions.iter().map(|partition| partition.partition).collect::<Vec<_>>()
        };
        assert_eq!(numbers(0), (0..1_000).collect::<Vec<_>>());
        assert_eq!(numbers(2_000), (2_000..2_500).collect::<Vec<_>>());
        assert!(numbers(2_500).is_empty());
        let told = &page(&standings, -1).partitions[0];
        assert_eq!((told.next, told.end), (3, 5));
        assert_eq!(told.complete_through.as_deref(), Some("1970-01-01T00:00:01.000Z"));
    }
}
