//! What must hold in every state, as bits, so that one step can break several.

use std::fmt;

/// Invariants of the protocol, by its numbers, and what follows from them for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// Slots are dense above the checkpoint, and each entry was valid when it was created.
    I1,
    /// The ranges of a partition in a generation are contiguous from genesis or rewind.
    I2,
    /// No offset of a generation is in two ranges.
    I3,
    /// A live file is at its published or its staged name.
    I4,
    /// A listing shows no uncommitted file, and no file beside the one that replaced it.
    I5,
    /// A fenced writer, or one of a zone that was replaced, changes nothing.
    I6,
    /// Offsets go back only by a rewind, and each rewind is applied once.
    I7,
    /// A file leaves only by an entry, and a RAW file only behind every registered position.
    I8,
    /// A position covers only files that its consumer has read.
    I9,
    /// A checkpoint is the fold of the log.
    Checkpoint,
    /// A writer is told that it has won exactly if its entry stands, and that it has lost only if it never will.
    Verdict,
    /// Nobody stops with an error while the zone is in order.
    NoFalseAlarm,
    /// Once nothing fails any more, everything committed is published and everything else is gone.
    Rest,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::Checkpoint,
        Self::Verdict,
        Self::NoFalseAlarm,
        Self::Rest,
    ];

    /// Its bit.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The bits of all.
    pub fn all() -> u32 {
        Self::ALL.iter().map(|invariant| invariant.bit()).sum()
    }

    /// Those of a set of bits.
    pub fn of(bits: u32) -> Vec<Self> {
        Self::ALL.into_iter().filter(|invariant| bits & invariant.bit() != 0).collect()
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}
