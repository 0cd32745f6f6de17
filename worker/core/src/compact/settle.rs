//! Settles every key: which row of the delta is new, which one stands against a row of the zone.

use super::key::KeyHash;
use super::rank::{Rank, winner};

/// A row that takes part: what is kept of it while keys are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// Its identity.
    pub key: KeyHash,
    /// What decides between it and others.
    pub rank: Rank,
    /// Where it is.
    pub place: Place,
}

/// Where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whose file.
    pub side: Side,
    /// Which row.
    pub address: RowAddress,
}

/// Whose file a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// A RAW file that the zone has not consumed.
    Delta,
    /// A live file of the zone.
    Zone,
}

/// A row of a file of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowAddress {
    /// Number of the file in the run's list of its side.
    pub file: u32,
    /// Row within the file, from 0.
    pub row: u32,
}

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

/// Settles all keys. The zone has at most one row of each; contenders come in any order and the result does not
/// depend on it.
///
/// The row of the zone takes part together with all rows of the delta, not against their winner: a new generation of
/// its source row removes it even if another row of the delta wins.
pub fn settle(contenders: &mut [Contender]) -> Settled {
    contenders.sort_unstable_by_key(|contender| (contender.key, contender.place));
    let mut settled = Settled::default();
    for group in contenders.chunk_by(|a, b| a.key == b.key) {
        settle_key(group, &mut settled);
    }
    settled
}

fn settle_key(group: &[Contender], settled: &mut Settled) {
    let in_delta = group.iter().filter(|contender| contender.place.side == Side::Delta).count() as u64;
    let zone = group.iter().find(|contender| contender.place.side == Side::Zone);
    let Some(winner) = winner(group.iter(), |contender| &contender.rank) else { return };
    settled.duplicate_in_delta += in_delta.saturating_sub(1);
    match (winner.place.side, zone) {
        (Side::Delta, None) => settled.new.push(winner.place.address),
        // The very row: the zone has read this RAW file before.
        (Side::Delta, Some(zone)) if zone.rank == winner.rank => settled.duplicate_in_zone += 1,
        (Side::Delta, Some(zone)) => {
            settled.contested.push(Contest { delta: winner.place.address, zone: zone.place.address });
        }
        (Side::Zone, _) => settled.duplicate_in_zone += in_delta.min(1),
    }
}
