//! What operations do to the store, and which invariants they break by that.

use crate::check::newest_checkpoint;
use crate::entries::EntryId;
use crate::history::{FoldId, History};
use crate::invariant::Invariant;
use crate::state::{CHECKPOINTS, State};

/// What became of an attempt to create a slot.
pub(crate) struct Created {
    /// Whether the rename was done.
    pub(crate) done: bool,
    pub(crate) broken: u32,
}

/// Renames a body to a slot without overwriting, if it is there and the slot is free.
pub(crate) fn create_slot(history: &History, state: &mut State, entry: EntryId, slot: u8) -> Created {
    let author = usize::from(history.entries.describe(entry).author);
    if state.bodies[author] != entry || state.slots[usize::from(slot)].is_some() {
        return Created { done: false, broken: 0 };
    }
    state.bodies[author] = EntryId::NONE;
    state.slots[usize::from(slot)] = entry;
    let head = history.facts(state.truth).head;
    if slot <= head {
        // A name below a checkpoint is free again: rules 5 and 7 see to it that nobody believes the entry.
        return Created { done: true, broken: 0 };
    }
    let longer = history.apply(state.truth, entry);
    if slot > head + 1 || !longer.is_some() {
        return Created { done: true, broken: Invariant::I1.bit() | judged(history, state, entry) };
    }
    state.truth = longer;
    Created { done: true, broken: history.node(longer).broken | unread(history, state, entry) }
}

/// What the ledger says of an entry that the product's fold refuses.
fn judged(history: &History, state: &State, entry: EntryId) -> u32 {
    let mut ledger = history.node(state.truth).ledger.clone();
    ledger.take(entry, history.entries.describe(entry))
}

/// A position that covers a file which the consumer has not read.
fn unread(history: &History, state: &State, entry: EntryId) -> u32 {
    let crate::entries::Saying::Advance { position } = history.entries.describe(entry).saying else {
        return 0;
    };
    let mut files = history.node(state.truth).ledger.live.iter();
    let is_missed = files.any(|(_, added)| *added <= position && state.consumed >> added & 1 == 0);
    if is_missed { Invariant::I9.bit() } else { 0 }
}

/// Gives a checkpoint its name, unless it has it.
pub(crate) fn add_checkpoint(history: &History, state: &mut State, log: FoldId) -> u32 {
    let head = history.facts(log).head;
    let is_there = |other: &FoldId| other.is_some() && history.facts(*other).head == head;
    if state.checkpoints.iter().any(is_there) {
        return 0;
    }
    let is_newest = newest_checkpoint(history, state) < head;
    let free = state.checkpoints.iter().position(|log| !log.is_some());
    state.checkpoints[free.expect("the case has room for its checkpoints")] = log;
    sort_checkpoints(history, state);
    let true_head = history.facts(state.truth).head;
    let is_true = head <= true_head && history.at(state.truth, head) == log;
    if is_newest && !is_true { Invariant::Checkpoint.bit() } else { 0 }
}

pub(crate) fn remove_checkpoint(history: &History, state: &mut State, sequence: u8) {
    for log in &mut state.checkpoints {
        if log.is_some() && history.facts(*log).head == sequence {
            *log = FoldId::NONE;
        }
    }
    sort_checkpoints(history, state);
}

fn sort_checkpoints(history: &History, state: &mut State) {
    const { assert!(CHECKPOINTS > 1) };
    state.checkpoints.sort_by_key(|log| if log.is_some() { history.facts(*log).head } else { u8::MAX });
}

/// The greatest checkpoint of a zone, if a process of that zone sees it.
pub(crate) fn greatest_checkpoint(state: &State) -> Option<FoldId> {
    state.checkpoints.iter().copied().rfind(|log| log.is_some())
}
