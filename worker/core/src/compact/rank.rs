//! Which of two rows of one key is the better one.

use std::cmp::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use crate::log::Keep;

/// Where a row came from: its source row. Its versions differ by generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source<'t> {
    /// Kafka's id of the topic.
    pub(super) topic_id: &'t str,
    /// Partition of the topic.
    pub(super) partition: i32,
    /// Offset of the message.
    pub(super) offset: i64,
    /// Which row of the message, from 0.
    pub(super) record_index: i32,
}

/// The topic ids of a run, each by a number: a zone has one topic, and after its re-creation another.
#[derive(Debug, Default)]
pub struct Topics(RwLock<Vec<Arc<str>>>);

impl Topics {
    /// The number of a topic id, a new one for an id that was not seen before.
    pub(super) fn number(&self, id: &str) -> u32 {
        let position = |known: &[Arc<str>]| known.iter().position(|other| **other == *id);
        let found = position(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let index = found.unwrap_or_else(|| {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have added it between the two locks.
            position(&known).unwrap_or_else(|| {
                known.push(Arc::from(id));
                known.len() - 1
            })
        });
        u32::try_from(index).expect("topic ids are few")
    }

    /// How two ids compare as texts.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(a as usize).cmp(&known.get(b as usize))
    }
}

/// What decides between rows of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rank<'r> {
    /// The columns of orderBy in a form whose bytes compare as the values do: null lowest, then NaN, then values.
    pub(super) order: &'r [u8],
    /// Kafka's timestamp in microseconds; null lowest.
    pub(super) timestamp: Option<i64>,
    /// Kafka's id of the topic, by its number.
    pub(super) topic: u32,
    /// Partition of the topic.
    pub(super) partition: i32,
    /// Offset of the message.
    pub(super) offset: i64,
    /// Which row of the message, from 0.
    pub(super) record_index: i32,
    /// How often the offsets had been read anew.
    pub(super) generation: i32,
}

impl Rank<'_> {
    /// The order of source rows, whatever their version.
    fn compare_source(&self, other: &Self, topics: &Topics) -> Ordering {
        let place = |rank: &Self| (rank.partition, rank.offset, rank.record_index);
        topics.compare(self.topic, other.topic).then_with(|| place(self).cmp(&place(other)))
    }

    /// The total order of source rows: orderBy, timestamp, topic id, partition, offset, record index.
    ///
    /// Versions of one source row are equal in the last four; [`winner`] has left one of them when it asks.
    pub(super) fn compare(&self, other: &Self, topics: &Topics) -> Ordering {
        self.order
            .cmp(other.order)
            .then_with(|| self.timestamp.cmp(&other.timestamp))
            .then_with(|| self.compare_source(other, topics))
            .then_with(|| self.generation.cmp(&other.generation))
    }
}

/// The winner among rows of one key, in two steps: of one source row only the highest generation takes part; among
/// those the greatest by [`Rank::compare`] wins, or the smallest if the earliest is kept.
///
/// As one comparison this is not transitive (F21): with `a0 > b > a1`, `a1` still removes `a0`, and `b` wins.
pub(super) fn winner(ranks: &[Rank<'_>], topics: &Topics, keep: Keep) -> Option<usize> {
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    if ranks.len() > 1 {
        order.sort_by(|a, b| {
            let (a, b) = (&ranks[*a], &ranks[*b]);
            a.compare_source(b, topics).then_with(|| b.generation.cmp(&a.generation))
        });
        let is_older = |later: &Rank<'_>, kept: &Rank<'_>| {
            later.compare_source(kept, topics).is_eq() && later.generation < kept.generation
        };
        order.dedup_by(|later, kept| is_older(&ranks[*later], &ranks[*kept]));
    }
    let compare = |a: &usize, b: &usize| ranks[*a].compare(&ranks[*b], topics);
    match keep {
        Keep::Latest => order.into_iter().max_by(compare),
        Keep::Earliest => order.into_iter().min_by(compare),
    }
}
