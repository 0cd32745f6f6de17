//! Why messages were rejected lately, and where each reason was seen: what a person is told when consumption is held.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use gristmill_crds::report::RejectReason;

/// Reasons that are named.
const NAMED: usize = 3;

/// Reject records by reason, those of the open file and those of files since the window began.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    open: Counts,
    committed: VecDeque<(Duration, Counts)>,
}

type Counts = BTreeMap<String, Seen>;

#[derive(Debug, Clone, Copy)]
struct Seen {
    records: u64,
    partition: i32,
    offset: i64,
}

impl Reasons {
    /// Counts a batch of reject records.
    pub(super) fn count(&mut self, rejects: &RecordBatch) {
        let column = |name| rejects.column_by_name(name).expect("reject records have this column");
        let reasons = column("reason").as_string::<i32>();
        let partitions = column("kafka_partition").as_primitive::<Int32Type>();
        let offsets = column("kafka_offset").as_primitive::<Int64Type>();
        for row in 0..rejects.num_rows() {
            let seen = Seen { records: 0, partition: partitions.value(row), offset: offsets.value(row) };
            match self.open.get_mut(reasons.value(row)) {
                Some(seen) => seen.records += 1,
                None => drop(self.open.insert(reasons.value(row).to_owned(), Seen { records: 1, ..seen })),
            }
        }
    }

    /// The open file is dropped; its messages are read again.
    pub(super) fn forget_open(&mut self) {
        self.open.clear();
    }

    /// The open file is committed, and its records are told by reason; files from before the window are forgotten.
    pub(super) fn commit(&mut self, now: Duration, window: Duration, mut told: impl FnMut(&str, u64)) {
        self.open.iter().for_each(|(reason, seen)| told(reason, seen.records));
        self.committed.push_back((now, std::mem::take(&mut self.open)));
        while self.committed.front().is_some_and(|(at, _)| now - *at > window) {
            self.committed.pop_front();
        }
    }

    /// The most frequent reasons with a place of each, such as `NoRows 12 (books/3/1044)`.
    pub(super) fn top(&self, topic: &str) -> String {
        let name = |RejectReason { reason, records, topic, partition, offset }: &RejectReason| {
            format!("{reason} {records} ({topic}/{partition}/{offset})")
        };
        self.all(topic).iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ")
    }

    /// Every reason with a place of it, the most frequent first.
    pub(super) fn all(&self, topic: &str) -> Vec<RejectReason> {
        let mut sum = self.open.clone();
        for (reason, seen) in self.committed.iter().flat_map(|(_, counts)| counts) {
            sum.entry(reason.clone()).and_modify(|sum| sum.records += seen.records).or_insert(*seen);
        }
        let told = |(reason, Seen { records, partition, offset })| RejectReason {
            reason,
            records,
            topic: topic.to_owned(),
            partition,
            offset,
        };
        let mut reasons: Vec<_> = sum.into_iter().map(told).collect();
        reasons.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.reason.cmp(&b.reason)));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};

    use super::*;

    fn rejects(records: &[(&str, i32, i64)]) -> RecordBatch {
        let reasons: ArrayRef = Arc::new(StringArray::from_iter_values(records.iter().map(|record| record.0)));
        let partitions: ArrayRef = Arc::new(Int32Array::from_iter_values(records.iter().map(|record| record.1)));
        let offsets: ArrayRef = Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.2)));
        let columns = [("reason", reasons), ("kafka_partition", partitions), ("kafka_offset", offsets)];
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn three_most_frequent_reasons_are_named_each_with_a_place() {
        let mut reasons = Reasons::default();
        reasons.count(&rejects(&[("TooLong", 0, 5), ("NoRows", 1, 6), ("NoRows", 2, 7), ("Required", 0, 8)]));
        reasons.commit(MINUTE, MINUTE, |_, _| {});
        reasons.count(&rejects(&[("InvalidType", 3, 9), ("InvalidType", 3, 10), ("NoRows", 3, 11)]));
        let top = "NoRows 3 (books/3/11), InvalidType 2 (books/3/9), Required 1 (books/0/8)";
        assert_eq!(reasons.top("books"), top);
    }

    #[test]
    fn reasons_of_a_dropped_file_and_from_before_the_window_do_not_count() {
        let mut reasons = Reasons::default();
        reasons.count(&rejects(&[("TooLong", 0, 5)]));
        reasons.commit(MINUTE, MINUTE, |_, _| {});
        reasons.count(&rejects(&[("NoRows", 0, 6)]));
        reasons.forget_open();
        reasons.count(&rejects(&[("Required", 0, 6)]));
        reasons.commit(3 * MINUTE, MINUTE, |_, _| {});
        assert_eq!(reasons.top("books"), "Required 1 (books/0/6)");
    }
}
