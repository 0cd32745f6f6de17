//! Which of two rows of one key is the better one.

use std::cmp::Ordering;
use std::sync::Arc;

/// Where a row came from: its source row. Its versions differ by generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Kafka's id of the topic.
    pub topic_id: Arc<str>,
    /// Partition of the topic.
    pub partition: i32,
    /// Offset of the message.
    pub offset: i64,
    /// Which row of the message, from 0.
    pub record_index: i32,
}

/// What decides between rows of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    /// The columns of orderBy in a form whose bytes compare as the values do: null lowest, then NaN, then values.
    pub order: Box<[u8]>,
    /// Kafka's timestamp in microseconds; null lowest.
    pub timestamp: Option<i64>,
    /// Where the row came from.
    pub source: Source,
    /// How often the offsets had been read anew.
    pub generation: i32,
}

impl Rank {
    /// The total order of source rows: orderBy, timestamp, topic id, partition, offset, record index.
    ///
    /// Versions of one source row are equal in the last four; [`winner`] has left one of them when it asks.
    fn compare(&self, other: &Self) -> Ordering {
        let Self { order, timestamp, source, generation } = self;
        order
            .cmp(&other.order)
            .then_with(|| timestamp.cmp(&other.timestamp))
            .then_with(|| source.cmp(&other.source))
            .then_with(|| generation.cmp(&other.generation))
    }
}

/// The winner among rows of one key, in two steps: of one source row only the highest generation takes part; among
/// those the greatest by [`Rank::compare`] wins. The last of equal ones is taken.
///
/// As one comparison this is not transitive (F21): with `a0 > b > a1`, `a1` still removes `a0`, and `b` wins.
pub(super) fn winner<'c, C>(contenders: impl Iterator<Item = &'c C>, rank: impl Fn(&C) -> &Rank) -> Option<&'c C> {
    let mut contenders: Vec<&C> = contenders.collect();
    if contenders.len() > 1 {
        contenders.sort_by(|a, b| {
            let (a, b) = (rank(a), rank(b));
            a.source.cmp(&b.source).then_with(|| b.generation.cmp(&a.generation))
        });
        let is_older = |later: &Rank, kept: &Rank| later.source == kept.source && later.generation < kept.generation;
        contenders.dedup_by(|later, kept| is_older(rank(later), rank(kept)));
    }
    contenders.into_iter().max_by(|a, b| rank(a).compare(rank(b)))
}
