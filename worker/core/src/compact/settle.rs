//! Settles every key: which row of the delta is new, which one stands against a row of the zone.

use std::slice;

use super::contender::{Contender, Contenders, RowAddress, Side};
use super::rank::{Rank, Topics, winner};
use crate::log::Keep;

/// A row of the delta that wins against the row of its key in the zone, unless they are equal in all user columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contest {
    /// The row of the delta.
    pub delta: RowAddress,
    /// The row of the zone.
    pub zone: RowAddress,
}

/// What became of all keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Rows of the delta whose key the zone does not have.
    pub new: Vec<RowAddress>,
    /// Rows of the delta that beat a row of the zone.
    pub contested: Vec<Contest>,
    /// Rows of the delta that lost against another row of the delta.
    pub duplicate_in_delta: u64,
    /// Rows of the delta that lost against a row of the zone.
    pub duplicate_in_zone: u64,
}

impl Contenders {
    /// Settles all keys. The zone has at most one row of each; contenders come in any order and the result does not
    /// depend on it. All rows of a key must be here; keys may be settled in several sets.
    ///
    /// The row of the zone takes part together with all rows of the delta, not against their winner: a new generation of
    /// its source row removes it even if another row of the delta wins.
    pub fn settle(&self, topics: &Topics, keep: Keep) -> Settled {
        // Half a hash and a number are a quarter of a contender: most have a half of their own, and stay where they are.
        let half = |(index, contender): (usize, &Contender)| ((contender.key.0 >> 64) as u64, index);
        let mut halves: Vec<(u64, usize)> = self.rows.iter().enumerate().map(half).collect();
        halves.sort_unstable();
        let (mut settled, mut alike) = (Settled::default(), Vec::new());
        for group in halves.chunk_by(|a, b| a.0 == b.0) {
            if let [(_, only)] = group {
                self.settle_key(slice::from_ref(&self.rows[*only]), topics, keep, &mut settled);
                continue;
            }
            alike.clear();
            alike.extend(group.iter().map(|(_, index)| self.rows[*index]));
            alike.sort_unstable_by_key(|contender: &Contender| (contender.key, contender.side(), contender.address));
            for group in alike.chunk_by(|a, b| a.key == b.key) {
                self.settle_key(group, topics, keep, &mut settled);
            }
        }
        settled
    }

    fn settle_key(&self, group: &[Contender], topics: &Topics, keep: Keep, settled: &mut Settled) {
        // By far the most keys.
        if let [only] = group {
            if only.side() == Side::Delta {
                settled.new.push(only.address);
            }
            return;
        }
        let in_delta = group.iter().filter(|contender| contender.side() == Side::Delta).count() as u64;
        let zone = group.iter().find(|contender| contender.side() == Side::Zone);
        let ranks: Vec<Rank<'_>> = group.iter().map(|contender| self.rank(contender)).collect();
        let Some(winner) = winner(&ranks, topics, keep).map(|index| &group[index]) else { return };
        settled.duplicate_in_delta += in_delta.saturating_sub(1);
        match (winner.side(), zone) {
            (Side::Delta, None) => settled.new.push(winner.address),
            // The very row: the zone has read this RAW file before.
            (Side::Delta, Some(zone)) if self.rank(zone).compare(&self.rank(winner), topics).is_eq() => {
                settled.duplicate_in_zone += 1;
            }
            (Side::Delta, Some(zone)) => {
                settled.contested.push(Contest { delta: winner.address, zone: zone.address });
            }
            (Side::Zone, _) => settled.duplicate_in_zone += in_delta.min(1),
        }
    }
}
