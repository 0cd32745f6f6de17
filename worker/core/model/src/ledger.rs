//! What the entries of the true log add up to, told a second time and without the product's code.
//!
//! It judges each entry by the invariants as they are written, so that a rule that `valid` forgets is found.

use crate::entries::{Description, EntryId, Offsets, Saying};
use crate::invariant::Invariant;

/// The true log in the terms of the invariants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    zone: u8,
    pub(crate) head: u8,
    next: [u8; 2],
    generation: u8,
    nonces: u8,
    fenced: u32,
    /// Position of the one consumer or, in a Processed zone, that of the zone.
    pub(crate) position: Option<i8>,
    /// Files with the sequence that added them.
    pub(crate) live: Vec<(EntryId, u8)>,
    pub(crate) left: Vec<Left>,
}

/// A file that an entry removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub(crate) file: EntryId,
    /// The entry that removed it.
    pub(crate) sequence: u8,
    /// The file that holds its rows now.
    pub(crate) replaced_by: EntryId,
}

impl Ledger {
    pub(crate) fn begin(description: &Description) -> Self {
        let position = matches!(description.saying, Saying::ProcessedGenesis).then_some(-1);
        Self { zone: description.zone, position, ..Self::default() }
    }

    pub(crate) fn holds(&self, file: EntryId) -> bool {
        self.live.iter().any(|(live, _)| *live == file)
    }

    /// Takes the next entry, and gives the invariants that it breaks.
    pub(crate) fn take(&mut self, id: EntryId, description: &Description) -> u32 {
        let Description { zone, author, number: _, saying } = description;
        self.head += 1;
        let mut broken = 0;
        let mut check = |holds: bool, invariant: Invariant| broken |= if holds { 0 } else { invariant.bit() };
        check(*zone == self.zone && self.fenced >> author & 1 == 0, Invariant::I6);
        match saying {
            Saying::RawGenesis | Saying::ProcessedGenesis => check(false, Invariant::I1),
            Saying::Raw { generation, ranges } => {
                check(*generation == self.generation, Invariant::I2);
                for Offsets { partition, from, to } in ranges {
                    let next = &mut self.next[usize::from(*partition)];
                    check(from == next, Invariant::I2);
                    check(from >= next, Invariant::I3);
                    check(to >= next, Invariant::I7);
                    *next = *to;
                }
                self.live.push((id, self.head));
            }
            Saying::Run { from, removes } => {
                check(self.position == Some(*from), Invariant::I9);
                self.position = Some(from + 1);
                for file in removes {
                    check(self.leave(*file, id).is_some(), Invariant::I8);
                }
                self.live.push((id, self.head));
            }
            Saying::Rewind { nonce, generation } => {
                check(*generation == self.generation + 1, Invariant::I2);
                check(self.nonces >> nonce & 1 == 0, Invariant::I7);
                self.nonces |= 1 << nonce;
                self.generation = *generation;
                self.next = [0; 2];
            }
            Saying::Fence { incarnation } => self.fenced |= 1 << incarnation,
            Saying::Register => {
                check(self.position.is_none(), Invariant::I9);
                self.position = Some(-1);
            }
            Saying::Advance { position } => {
                let position = *position as i8;
                check(self.position.is_some_and(|before| before <= position), Invariant::I9);
                check(position < self.head as i8, Invariant::I9);
                self.position = Some(position);
            }
            Saying::Remove { file } => {
                let position = self.position;
                let added = self.leave(*file, EntryId::NONE);
                let behind = added.is_some_and(|added| position.is_none_or(|position| position >= added as i8));
                check(behind, Invariant::I8);
            }
        }
        broken
    }

    /// Gives the sequence that added the file, if it was live.
    fn leave(&mut self, file: EntryId, replaced_by: EntryId) -> Option<u8> {
        let index = self.live.iter().position(|(live, _)| *live == file)?;
        self.left.push(Left { file, sequence: self.head, replaced_by });
        Some(self.live.remove(index).1)
    }
}
