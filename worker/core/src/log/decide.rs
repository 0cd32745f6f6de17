//! Observed facts in, decision out: what a writer does before and after an attempt to take a slot.

use super::entry::Entry;
use super::fold::Fold;
use super::names::{CommitId, Sequence};
use super::valid::{Refusal, valid};

/// What the fold up to head says about an entry that is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeforeAttempt {
    /// The log already holds it, at this slot.
    AlreadyThere(Sequence),
    /// It may not follow the head; it never will, since offsets and positions only advance.
    Lost(Refusal),
    /// It may take this slot.
    Take(Sequence),
}

/// Decides by the whole fold before every attempt, never only after a defeat (F4, rule 5).
///
/// Our own commit is looked for first: an attempt of ours whose outcome was lost makes its own body invalid (F1).
pub fn before_attempt(fold: &Fold, ours: &Entry) -> BeforeAttempt {
    if let Some((sequence, commit_id)) = fold.last_commit(ours.incarnation)
        && commit_id == ours.commit_id
    {
        return BeforeAttempt::AlreadyThere(sequence);
    }
    match valid(fold, ours) {
        Ok(()) => BeforeAttempt::Take(fold.head().next()),
        Err(refusal) => BeforeAttempt::Lost(refusal),
    }
}

/// What a slot says after an attempt to create it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAttempt {
    /// The slot is empty: only repeating on this very slot can end the attempt (F2).
    RepeatSameSlot,
    /// The slot is ours; it counts if the zone still is.
    CheckStillOurZone,
    /// The slot is another's: fold it and decide again.
    FoldThenDecideAgain,
}

/// Decides by what a read of the slot says, whatever the attempt itself returned.
///
/// No outcome of a create is trusted (F1): a lost reply, a deadline, "exists" and "source missing" look alike.
pub fn after_attempt(ours: CommitId, slot: Option<&Entry>) -> AfterAttempt {
    match slot {
        None => AfterAttempt::RepeatSameSlot,
        Some(entry) if entry.commit_id == ours => AfterAttempt::CheckStillOurZone,
        Some(_) => AfterAttempt::FoldThenDecideAgain,
    }
}

/// What a won slot is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterWin {
    /// The entry stands.
    Won,
    /// A checkpoint covers the slot: its fold decides, by whether it holds our commit.
    AskCheckpoint(Sequence),
    /// Another zone stands in this place: nothing of ours counts.
    Replaced,
}

/// Decides by what is read **after** the slot was won (rule 7).
///
/// A checkpoint at or above the slot says that the name was free because the entry that once had it is gone: the log is
/// far ahead, and this writer was asleep. Unless that checkpoint holds our commit, which others have folded meanwhile.
pub fn after_win(won: Sequence, zone_is_ours: bool, newest_checkpoint: Option<Sequence>) -> AfterWin {
    match newest_checkpoint {
        _ if !zone_is_ours => AfterWin::Replaced,
        Some(checkpoint) if checkpoint >= won => AfterWin::AskCheckpoint(checkpoint),
        Some(_) | None => AfterWin::Won,
    }
}

/// Whether a fold must begin again from a checkpoint, decided by a listing **after** everything was read (rules 5 and 20).
///
/// `known` is the checkpoint that the reading began from, or the head that an earlier listing has verified. A greater
/// checkpoint says that names below it may be free again: what was read there may have been created a second time, by a
/// writer that slept.
pub fn is_overtaken(known: Option<Sequence>, newest_checkpoint: Option<Sequence>) -> bool {
    newest_checkpoint > known
}
